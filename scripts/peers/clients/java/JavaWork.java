import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * JavaWork BOOTSTRAP NAME COUNT [PROTOCOL]: what the Java client does with a server.
 *
 * <p>PROTOCOL is that of its groups: classic or consumer (KIP-848). ../README.md has the work that
 * each client program does, and the line that it prints.
 */
public final class JavaWork {
    private static final int PARTITIONS = 4;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final Duration POLL = Duration.ofMillis(50);

    private final Properties common;
    private final String name;
    private final String copyName;
    private final int count;
    private final String protocol;

    private JavaWork(Properties common, String name, int count, String protocol) {
        this.common = common;
        this.name = name;
        this.copyName = name + "-txn";
        this.count = count;
        this.protocol = protocol;
    }

    public static void main(String[] arguments) throws Exception {
        Properties common = PeerSecurity.read();
        common.put("bootstrap.servers", arguments[0]);
        int count = Integer.parseInt(arguments[2]);
        String protocol = arguments.length > 3 ? arguments[3] : "classic";
        JavaWork work = new JavaWork(common, arguments[1], count, protocol);
        try (Admin admin = Admin.create(common)) {
            System.out.println(new ObjectMapper().writeValueAsString(work.run(admin)));
        }
    }

    private Map<String, Object> run(Admin admin) throws Exception {
        Map<String, Object> seen = new LinkedHashMap<>();
        admin.createTopics(List.of(topic(name, PARTITIONS), topic(copyName, 1))).all().get();
        var described = admin.describeTopics(List.of(name)).allTopicNames().get();
        seen.put("partitions", described.get(name).partitions().size());
        readInGroup(seen);
        var places = admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get();
        seen.put("committed", sum(places.values()));
        seen.put("group_listed", admin.listGroups().all().get().stream()
            .anyMatch(group -> group.groupId().equals(name)));
        boolean isExactlyOnce = transact().equals(List.of(0L, (long) count)) && isEachCopiedOnce();
        admin.deleteConsumerGroups(List.of(name)).all().get();
        admin.deleteTopics(List.of(name, copyName)).all().get();
        seen.put("deleted", !admin.listTopics().names().get().contains(name));
        seen.put("transactions", isExactlyOnce);
        return seen;
    }

    /** Two members read what is produced; the first takes over from the second. */
    private void readInGroup(Map<String, Object> seen) throws Exception {
        try (KafkaConsumer<String, String> first = consumer(name, Map.of())) {
            first.subscribe(List.of(name));
            waitFor(List.of(first), PARTITIONS);
            List<List<Integer>> shares = List.of(new ArrayList<>(), new ArrayList<>());
            try (KafkaConsumer<String, String> second = consumer(name, Map.of())) {
                second.subscribe(List.of(name));
                waitFor(List.of(first, second), PARTITIONS / 2);
                seen.put("produced", produce());
                long deadline = System.nanoTime() + TIMEOUT.toNanos();
                while (shares.get(0).size() + shares.get(1).size() < count
                        && System.nanoTime() < deadline) {
                    take(first, shares.get(0));
                    take(second, shares.get(1));
                }
                first.commitSync();
                second.commitSync();
            }
            waitFor(List.of(first), PARTITIONS);
            Set<Integer> values = new HashSet<>(shares.get(0));
            values.addAll(shares.get(1));
            seen.put("read", shares.get(0).size() + shares.get(1).size());
            seen.put("distinct", values.size());
            seen.put("shares", List.of(shares.get(0).size(), shares.get(1).size()));
            seen.put("taken_over", first.assignment().size());
            Map<TopicPartition, Long> times = IntStream.range(0, PARTITIONS).boxed()
                .collect(Collectors.toMap(number -> new TopicPartition(name, number), n -> 1L));
            seen.put("by_time", first.offsetsForTimes(times).values().stream()
                .mapToLong(found -> found.offset()).sum());
            seen.put("end", first.endOffsets(times.keySet()).values().stream()
                .mapToLong(Long::longValue).sum());
        }
    }

    /** Produces with the client's defaults, so with idempotence; returns how many places it got. */
    private int produce() throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = producer(Map.of())) {
            for (int number = 0; number < count; number++) {
                String value = Integer.toString(number);
                sent.add(producer.send(new ProducerRecord<>(name, "key " + number, value)));
            }
            producer.flush();
        }
        Set<String> places = new HashSet<>();
        for (Future<RecordMetadata> future : sent) {
            places.add(future.get().toString());
        }
        return places.size();
    }

    /** Copies by two transactions, the first aborted; returns the offsets after each, summed. */
    private List<Long> transact() throws Exception {
        try (KafkaProducer<String, String> producer = producer(Map.of("transactional.id", name));
                KafkaConsumer<String, String> source = consumer(copyName, Map.of())) {
            List<Long> committed = new ArrayList<>();
            producer.initTransactions();
            source.subscribe(List.of(name));
            for (boolean isCommitted : List.of(false, true)) {
                producer.beginTransaction();
                List<Integer> copied = new ArrayList<>();
                long deadline = System.nanoTime() + TIMEOUT.toNanos();
                while (copied.size() < count && System.nanoTime() < deadline) {
                    take(source, copied);
                }
                for (int value : copied) {
                    producer.send(new ProducerRecord<>(copyName, Integer.toString(value)));
                }
                producer.flush(); // else abortTransaction would forget them, and none be aborted
                Map<TopicPartition, OffsetAndMetadata> places = source.assignment().stream()
                    .collect(Collectors.toMap(
                        place -> place, place -> new OffsetAndMetadata(source.position(place))));
                producer.sendOffsetsToTransaction(places, source.groupMetadata());
                if (isCommitted) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                    source.seekToBeginning(source.assignment());
                }
                committed.add(sum(source.committed(source.assignment()).values()));
            }
            return committed;
        }
    }

    private boolean isEachCopiedOnce() {
        Map<String, String> committedOnly = Map.of("isolation.level", "read_committed");
        try (KafkaConsumer<String, String> reader = consumer(copyName, committedOnly)) {
            TopicPartition place = new TopicPartition(copyName, 0);
            reader.assign(List.of(place));
            reader.seekToBeginning(List.of(place));
            long end = reader.endOffsets(List.of(place)).get(place);
            List<Integer> values = new ArrayList<>();
            long deadline = System.nanoTime() + TIMEOUT.toNanos();
            while (reader.position(place) < end && System.nanoTime() < deadline) {
                take(reader, values);
            }
            List<Integer> wanted = IntStream.range(0, count).boxed().toList();
            return values.stream().sorted().toList().equals(wanted);
        }
    }

    /** Polls the members until they hold so many partitions each. */
    private void waitFor(List<KafkaConsumer<String, String>> members, int wanted) {
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        while (members.stream().anyMatch(member -> member.assignment().size() != wanted)) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("no " + wanted + " partitions each: "
                    + members.stream().map(KafkaConsumer::assignment).toList());
            }
            members.forEach(member -> take(member, new ArrayList<>()));
        }
    }

    private static void take(KafkaConsumer<String, String> member, List<Integer> values) {
        for (ConsumerRecord<String, String> record : member.poll(POLL)) {
            values.add(Integer.valueOf(record.value()));
        }
    }

    private static long sum(Collection<OffsetAndMetadata> places) {
        return places.stream().filter(Objects::nonNull).mapToLong(OffsetAndMetadata::offset).sum();
    }

    private static NewTopic topic(String name, int partitions) {
        return new NewTopic(name, partitions, (short) 1);
    }

    private KafkaProducer<String, String> producer(Map<String, String> more) {
        Properties properties = properties();
        properties.putAll(more);
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }

    private KafkaConsumer<String, String> consumer(String group, Map<String, String> more) {
        Properties properties = properties();
        properties.put("group.id", group);
        properties.put("group.protocol", protocol);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        if (protocol.equals("classic")) { // the other's interval is the server's to say
            properties.put("heartbeat.interval.ms", "500");
        }
        properties.putAll(more);
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.putAll(common);
        return properties;
    }
}
