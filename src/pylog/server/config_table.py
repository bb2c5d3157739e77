"""Every config of the server: name, kind, default, and whether it may be changed while it runs.

Names, kinds and defaults are those of Kafka 4.3's brokers, so that a server.properties moves over
as it is. A default is another one where a folder has one copy of everything, where Kafka has no
limit and a server should have one, and for group.initial.rebalance.delay.ms, which Kafka's own
example sets to 0 for development.

A row is `name kind default dynamic`, `-` for none; `max` is the largest long, a backslash joins
lines. What Kafka has beyond these is taken without a word or, when it begins with none of
ELSEWHERE, named in a warning.

Source: what a broker of Kafka 4.3.1 answers to DescribeConfigs.
"""

TABLE = """
advertised.listeners                        list     -
authorizer.class.name                       string   -
auto.create.topics.enable                   boolean  true
background.threads                          int      10                           dynamic
broker.id                                   int      0
broker.rack                                 string   -
compression.gzip.level                      int      -1                           dynamic
compression.lz4.level                       int      9                            dynamic
compression.type                            string   producer                     dynamic
compression.zstd.level                      int      3                            dynamic
connection.failed.authentication.delay.ms   int      100
connections.max.idle.ms                     long     600000
connections.max.reauth.ms                   long     0
default.replication.factor                  int      1
delete.topic.enable                         boolean  true
fetch.max.bytes                             int      57671680
group.consumer.assignment.interval.ms       int      1000                         dynamic
group.consumer.assignors                    list     uniform,range
group.consumer.heartbeat.interval.ms        int      5000
group.consumer.max.assignment.interval.ms   int      15000
group.consumer.max.heartbeat.interval.ms    int      15000
group.consumer.max.session.timeout.ms       int      60000
group.consumer.max.size                     int      2147483647
group.consumer.migration.policy             string   disabled
group.consumer.min.assignment.interval.ms   int      0
group.consumer.min.heartbeat.interval.ms    int      5000
group.consumer.min.session.timeout.ms       int      45000
group.consumer.session.timeout.ms           int      45000
group.coordinator.rebalance.protocols       list     classic,consumer
group.initial.rebalance.delay.ms            int      0
group.max.session.timeout.ms                int      1800000
group.max.size                              int      2147483647
group.min.session.timeout.ms                int      6000
inter.broker.listener.name                  string   -
listener.security.protocol.map              string   SASL_SSL:SASL_SSL,\
PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT dynamic
listeners                                   list     PLAINTEXT://127.0.0.1:9092   dynamic
log.cleaner.backoff.ms                      long     15000                        dynamic
log.cleaner.delete.retention.ms             long     86400000                     dynamic
log.cleaner.enable                          boolean  true
log.cleaner.max.compaction.lag.ms           long     max                          dynamic
log.cleaner.min.cleanable.ratio             double   0.5                          dynamic
log.cleaner.min.compaction.lag.ms           long     0                            dynamic
log.cleaner.threads                         int      1                            dynamic
log.cleanup.policy                          list     delete                       dynamic
log.dir                                     list     -
log.dirs                                    list     -
log.flush.interval.messages                 long     max                          dynamic
log.flush.interval.ms                       long     -                            dynamic
log.index.interval.bytes                    int      4096                         dynamic
log.index.size.max.bytes                    int      10485760                     dynamic
log.message.timestamp.after.max.ms          long     3600000                      dynamic
log.message.timestamp.before.max.ms         long     max                          dynamic
log.message.timestamp.type                  string   CreateTime                   dynamic
log.preallocate                             boolean  false                        dynamic
log.retention.bytes                         long     -1                           dynamic
log.retention.check.interval.ms             long     300000
log.retention.hours                         int      168
log.retention.minutes                       int      -
log.retention.ms                            long     -                            dynamic
log.roll.hours                              int      168
log.roll.jitter.hours                       int      0
log.roll.jitter.ms                          long     -                            dynamic
log.roll.ms                                 long     -                            dynamic
log.segment.bytes                           int      1073741824                   dynamic
log.segment.delete.delay.ms                 long     60000                        dynamic
max.connection.creation.rate                int      2147483647                   dynamic
max.connections                             int      1000                         dynamic
max.connections.per.ip                      int      100                          dynamic
max.connections.per.ip.overrides            string   -                            dynamic
max.incremental.fetch.session.cache.slots   int      1000
message.max.bytes                           int      1048588                      dynamic
min.insync.replicas                         int      1                            dynamic
node.id                                     int      0
num.io.threads                              int      8                            dynamic
num.network.threads                         int      3                            dynamic
num.partitions                              int      1
offset.metadata.max.bytes                   int      4096
offsets.retention.check.interval.ms         long     600000
offsets.retention.minutes                   int      10080
offsets.topic.num.partitions                int      1
offsets.topic.replication.factor            short    1
offsets.topic.segment.bytes                 int      104857600
process.roles                               list     broker
producer.id.expiration.ms                   int      86400000                     dynamic
queued.max.request.bytes                    long     67108864
queued.max.requests                         int      500
quota.window.num                            int      11
quota.window.size.seconds                   int      1
sasl.enabled.mechanisms                     list     PLAIN,SCRAM-SHA-256,SCRAM-SHA-512 dynamic
sasl.server.max.receive.size                int      65536
security.inter.broker.protocol              string   PLAINTEXT
socket.listen.backlog.size                  int      128
socket.receive.buffer.bytes                 int      102400
socket.request.max.bytes                    int      16777216
socket.send.buffer.bytes                    int      102400
ssl.cipher.suites                           list     -                            dynamic
ssl.client.auth                             string   none                         dynamic
ssl.enabled.protocols                       list     TLSv1.2,TLSv1.3              dynamic
ssl.key.password                            password -                            dynamic
ssl.keystore.certificate.chain              password -                            dynamic
ssl.keystore.key                            password -                            dynamic
ssl.keystore.location                       string   -                            dynamic
ssl.keystore.password                       password -                            dynamic
ssl.keystore.type                           string   PEM                          dynamic
ssl.principal.mapping.rules                 string   DEFAULT
ssl.protocol                                string   TLSv1.3                      dynamic
ssl.truststore.certificates                 password -                            dynamic
ssl.truststore.location                     string   -                            dynamic
ssl.truststore.password                     password -                            dynamic
ssl.truststore.type                         string   PEM                          dynamic
transaction.max.timeout.ms                  int      900000
transaction.state.log.min.isr               int      1
transaction.state.log.num.partitions        int      1
transaction.state.log.replication.factor    short    1
transaction.state.log.segment.bytes         int      104857600
transaction.two.phase.commit.enable         boolean  false
transactional.id.expiration.ms              int      604800000
unclean.leader.election.enable              boolean  false                        dynamic
"""

# Beside Kafka's own, what its authorizer is configured with.
PLUGINS = """
allow.everyone.if.no.acl.found              boolean  false
super.users                                 string   -
"""

# Configs of what a folder does not have: copies of data, a quorum, tiered storage, share groups.
ELSEWHERE = (
    "add.partitions.", "alter.", "auto.leader.", "background.", "broker.", "client.quota.",
    "config.providers", "confluent.", "control", "cordoned.", "create.topic.", "delegation.",
    "delete.records.", "early.", "eligible.", "fetch.", "follower.", "group.share.",
    "group.streams.", "group.coordinator.", "initial.broker.", "inter.broker.", "kafka.", "leader.",
    "listener.name.", "log.", "log4j", "max.request.", "metadata.", "metric", "num.", "offsets.",
    "plain.sasl.", "principal.", "producer.", "quota.", "remote.", "replica", "request.", "sasl.",
    "security.", "share.", "socket.", "ssl.", "telemetry.", "transaction.", "unstable.",
    "zookeeper.",
)  # fmt: skip
