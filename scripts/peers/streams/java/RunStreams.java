import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyDescription;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.QueryableStoreType;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * RunStreams TOPOLOGIES.json NAME BOOTSTRAP APPLICATION_ID COUNT STATE_DIR [CONFIG=VALUE ...]: runs
 * a script against a broker until COUNT records of its input topics are committed, in all since the
 * application began, and nothing more happens; then prints one JSON object and closes.
 *
 * <p>It has "committed", [topic, partition, offset, metadata] of every partition, and "stores", the
 * rows of those that can be queried. The input topics must be there; internal ones are made.
 */
public final class RunStreams {
    private static final long DEADLINE_MS = 120_000;
    private static final long QUIET_MS = 1_500;
    private static final List<QueryableStoreType<?>> TYPES = List.of(
        QueryableStoreTypes.timestampedKeyValueStore(), QueryableStoreTypes.keyValueStore(),
        QueryableStoreTypes.timestampedWindowStore(), QueryableStoreTypes.windowStore(),
        QueryableStoreTypes.sessionStore());

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        JsonNode script = mapper.readTree(new File(arguments[0])).get(arguments[1]);
        Properties properties = Driver.properties(script.get("configs"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[2]);
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[3]);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments[5]);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        properties.put("auto.offset.reset", "earliest");
        // The goldens' times lie in the past, where a broker's retention takes windows' changelogs.
        properties.put(
            StreamsConfig.WINDOW_STORE_CHANGE_LOG_ADDITIONAL_RETENTION_MS_CONFIG, Long.MAX_VALUE);
        for (String pair : List.of(arguments).subList(6, arguments.length)) {
            properties.put(pair.split("=", 2)[0], pair.split("=", 2)[1]);
        }
        Topology topology = Script.build(script.get("calls"), properties);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        ObjectNode result = mapper.createObjectNode();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[2]));
                KafkaStreams streams = new KafkaStreams(topology, properties)) {
            streams.setUncaughtExceptionHandler(error -> {
                failure.set(error);
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            await(admin, arguments[3], inputs(topology), Long.parseLong(arguments[4]), failure);
            putStores(streams, topology, result.putObject("stores"));
            streams.close(Duration.ofSeconds(60));
            committed(admin, arguments[3]).forEach((partition, offset) -> result
                .withArray("committed").addArray().add(partition.topic())
                .add(partition.partition()).add(offset.offset()).add(offset.metadata()));
        }
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        out.println(mapper.writeValueAsString(result));
        out.flush();
    }

    /** Waits until `count` records of the inputs are committed, and then for commits to cease. */
    private static void await(
            Admin admin, String group, Set<String> inputs, long count,
            AtomicReference<Throwable> failure) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> before = Map.of();
        long quietSince = System.currentTimeMillis();
        long deadline = quietSince + DEADLINE_MS;
        while (true) {
            Map<TopicPartition, OffsetAndMetadata> now = committed(admin, group);
            long done = now.entrySet().stream()
                .filter(entry -> inputs.contains(entry.getKey().topic()))
                .mapToLong(entry -> entry.getValue().offset()).sum();
            if (!now.equals(before) || done < count) {
                quietSince = System.currentTimeMillis();
            }
            if (System.currentTimeMillis() - quietSince > QUIET_MS) {
                return;
            }
            if (failure.get() != null) {
                throw new IllegalStateException("Kafka Streams failed", failure.get());
            }
            if (System.currentTimeMillis() > deadline) {
                throw new IllegalStateException(done + " of " + count + " records committed: " + now);
            }
            before = now;
            Thread.sleep(100);
        }
    }

    private static Map<TopicPartition, OffsetAndMetadata> committed(Admin admin, String group)
            throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offsets = new TreeMap<>(
            (a, b) -> a.toString().compareTo(b.toString()));
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()
            .forEach((partition, offset) -> {
                if (offset != null) {
                    offsets.put(partition, offset);
                }
            });
        return offsets;
    }

    /** Returns the topics that the topology reads and does not write. */
    private static Set<String> inputs(Topology topology) {
        Set<String> read = new TreeSet<>();
        Set<String> written = new TreeSet<>();
        for (TopologyDescription.Subtopology part : topology.describe().subtopologies()) {
            for (TopologyDescription.Node node : part.nodes()) {
                if (node instanceof TopologyDescription.Source source) {
                    read.addAll(source.topicSet());
                } else if (node instanceof TopologyDescription.Sink sink && sink.topic() != null) {
                    written.add(sink.topic());
                }
            }
        }
        read.removeAll(written);
        return read;
    }

    private static void putStores(KafkaStreams streams, Topology topology, ObjectNode stores) {
        Set<String> names = new TreeSet<>();
        for (TopologyDescription.Subtopology part : topology.describe().subtopologies()) {
            for (TopologyDescription.Node node : part.nodes()) {
                if (node instanceof TopologyDescription.Processor processor) {
                    names.addAll(processor.stores());
                }
            }
        }
        for (String name : names) {
            for (QueryableStoreType<?> type : TYPES) {
                try {
                    Object store = streams.store(StoreQueryParameters.fromNameAndType(name, type));
                    StoreDump.put(stores, name, store, Set.of(), Set.of());
                    break;
                } catch (RuntimeException notOfThisType) {
                    // The next type is tried; a store of none of them is left out.
                }
            }
        }
    }
}
