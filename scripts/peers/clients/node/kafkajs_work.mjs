// What KafkaJS does with a server: `node kafkajs_work.mjs BOOTSTRAP NAME COUNT`.
// ../README.md has the work that each client program does, and the line that it prints.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages are where they were installed: the folder that this is run in.
const require = createRequire(pathToFileURL(`${process.cwd()}/package.json`));
const {
  AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, ResourcePatternTypes, logLevel,
} = require("kafkajs");

const PARTITIONS = 4;
const TIMEOUT_MS = 60000;
const [bootstrap, name, countText] = process.argv.slice(2);
const count = Number(countText);

async function until(what, isDone) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await isDone())) {
    if (Date.now() > deadline) throw new Error(`waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// How to connect: ../README.md has the names.
const security = JSON.parse(process.env.PYLOG_PEER_SECURITY ?? "{}");
const secured = {};
if (security.ca) {
  const [ca, cert, key] = [security.ca, security.certificate, security.key].map((path) => path && readFileSync(path));
  secured.ssl = { ca, cert, key };
}
if (security.mechanism) {
  const { mechanism, user: username, password } = security;
  secured.sasl = { mechanism: mechanism.toLowerCase(), username, password };
}

// Make, find and take away an ACL; return whether it was found once.
async function administer() {
  const place = { resourceType: AclResourceTypes.TOPIC, resourceName: name, resourcePatternType: ResourcePatternTypes.LITERAL };
  const about = {
    principal: `User:${name}`, host: "*", operation: AclOperationTypes.READ, permissionType: AclPermissionTypes.ALLOW,
  };
  await admin.createAcls({ acl: [{ ...place, ...about }] });
  const found = (await admin.describeAcls({ ...place, ...about })).resources;
  const removed = (await admin.deleteAcls({ filters: [{ ...place, ...about }] })).filterResponses;
  const left = (await admin.describeAcls({ ...place, ...about })).resources;
  return found.length === 1 && found[0].acls.length === 1 && found[0].acls[0].principal === about.principal
    && removed[0].matchingAcls.length === 1 && left.length === 0;
}

// Why a coordinator was not found it says in its log only.
const logCreator = () => ({ log }) => { if (log.error?.type) console.error(log.message, log.error.type); };
const kafka = new Kafka({
  clientId: name, brokers: bootstrap.split(","), logLevel: logLevel.DEBUG, logCreator, ...secured,
});
const admin = kafka.admin();
await admin.connect();
const topics = [{ topic: name, numPartitions: PARTITIONS }, { topic: `${name}-txn`, numPartitions: 1 }];
await admin.createTopics({ topics });
const described = await admin.fetchTopicMetadata({ topics: [name] });

const shares = [[], []];
const held = [0, 0];
async function join(index) {
  const consumer = kafka.consumer({ groupId: name, heartbeatInterval: 500, maxWaitTimeInMs: 200 });
  consumer.on(consumer.events.GROUP_JOIN, (event) => {
    held[index] = (event.payload.memberAssignment[name] ?? []).length;
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return;
    console.error(payload.error);
    process.exit(1);
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [name], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => { shares[index].push(Number(message.value)); } });
  return consumer;
}
const members = [await join(0)];
await until("all partitions", () => held[0] === PARTITIONS);
members.push(await join(1));
await until("halves", () => held[0] === PARTITIONS / 2 && held[1] === PARTITIONS / 2);

const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
await producer.connect();
const messages = Array.from({ length: count }, (_, i) => ({ key: `key ${i}`, value: `${i}` }));
let produced = 0;
for (let i = 0; i < count; i += 100) {
  const batch = messages.slice(i, i + 100);
  const answers = await producer.send({ topic: name, acks: -1, messages: batch });
  if (answers.every((answer) => answer.errorCode === 0)) produced += batch.length;
}
await producer.disconnect();
await until("records", () => shares[0].length + shares[1].length >= count);
const split = shares.map((share) => share.length);
await members[1].disconnect();
await until("the other half", () => held[0] === PARTITIONS);
const takenOver = held[0];
await members[0].disconnect();

const committed = (await admin.fetchOffsets({ groupId: name, topics: [name] }))[0].partitions;
const byTime = await admin.fetchTopicOffsetsByTimestamp(name, 1);
const ends = await admin.fetchTopicOffsets(name);
const groups = await admin.listGroups();

const transactional = kafka.producer({ transactionalId: name, idempotent: true, maxInFlightRequests: 1 });
await transactional.connect();
for (const value of ["no", "yes"]) {
  const transaction = await transactional.transaction();
  await transaction.send({ topic: `${name}-txn`, messages: Array(10).fill({ value }) });
  await (value === "yes" ? transaction.commit() : transaction.abort());
}
await transactional.disconnect();
const seen = [];
const reader = kafka.consumer({ groupId: `${name}-txn`, maxWaitTimeInMs: 200 });
await reader.connect();
await reader.subscribe({ topics: [`${name}-txn`], fromBeginning: true });
await reader.run({ eachMessage: async ({ message }) => { seen.push(String(message.value)); } });
await until("the committed transaction", () => seen.length >= 10);
await reader.disconnect();

await admin.deleteGroups([name]);
await admin.deleteTopics({ topics: [name, `${name}-txn`] });
const gone = !(await admin.listTopics()).includes(name);
const administered = security.administers ? { acls: await administer() } : {};
await admin.disconnect();

const sum = (rows, field) => rows.reduce((total, row) => total + Number(row[field]), 0);
const values = shares.flat();
console.log(JSON.stringify({
  partitions: described.topics[0].partitions.length,
  produced, read: values.length, distinct: new Set(values).size, shares: split, taken_over: takenOver,
  committed: sum(committed, "offset"), by_time: sum(byTime, "offset"), end: sum(ends, "offset"),
  group_listed: groups.groups.some((group) => group.groupId === name), deleted: gone,
  transactions: seen.length === 10 && seen.every((value) => value === "yes"),
  ...administered,
}));
