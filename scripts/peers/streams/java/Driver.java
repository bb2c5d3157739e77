import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.StreamsConfig.InternalConfig;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.test.TestRecord;

/** A TopologyTestDriver of one script, in a state folder of its own. */
final class Driver implements AutoCloseable {
    static final String APPLICATION_ID = "app";

    private final Path folder = Files.createTempDirectory("kafka-streams-");
    private final Topology topology;
    private final TopologyTestDriver driver;

    /** Args: the "calls" of a script and the "configs" over the defaults, or null. */
    Driver(JsonNode calls, JsonNode configs) throws IOException {
        Properties properties = properties(configs);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        topology = Script.build(calls, properties);
        driver = new TopologyTestDriver(topology, properties, Instant.ofEpochMilli(0));
    }

    /** Strings, no caches, no throttled emits, Kafka Streams' default stores. */
    static Properties properties(JsonNode configs) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, APPLICATION_ID);
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:0");
        properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0L);
        properties.put(InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_OUTER_JOIN_SPURIOUS_RESULTS_FIX, 0L);
        properties.put(InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_WINDOWED_AGGREGATION, 0L);
        if (configs != null) {
            configs.properties().forEach(e -> properties.put(e.getKey(), e.getValue().asText()));
        }
        return properties;
    }

    Topology topology() {
        return topology;
    }

    Map<String, StateStore> stores() {
        return new TreeMap<>(driver.getAllStateStores());
    }

    /** Feeds {"topic", "key", "value", "ts"}; "headers", [[name, text], ...], may be there. */
    void pipe(JsonNode record) {
        StringSerializer text = new StringSerializer();
        RecordHeaders headers = new RecordHeaders();
        for (JsonNode pair : record.path("headers")) {
            headers.add(pair.get(0).asText(), pair.get(1).asText().getBytes(StandardCharsets.UTF_8));
        }
        driver.createInputTopic(record.get("topic").asText(), text, text).pipeInput(
            new TestRecord<>(text(record.get("key")), text(record.get("value")), headers,
                record.get("ts").asLong()));
    }

    /** Returns what has been produced to a topic since the last call. */
    <T> List<TestRecord<T, T>> read(String topic, Deserializer<T> deserializer) {
        TestOutputTopic<T, T> output = driver.createOutputTopic(topic, deserializer, deserializer);
        return output.readRecordsToList();
    }

    /** Returns what has been produced to all topics since the last call, by topic. */
    TreeMap<String, List<TestRecord<byte[], byte[]>>> readAll() {
        TreeMap<String, List<TestRecord<byte[], byte[]>>> records = new TreeMap<>();
        for (String topic : new ArrayList<>(driver.producedTopicNames())) {
            List<TestRecord<byte[], byte[]>> found = read(topic, new ByteArrayDeserializer());
            if (!found.isEmpty()) {
                records.put(topic, found);
            }
        }
        return records;
    }

    /** Returns the metric dropped-records-total. */
    long dropped() {
        return driver.metrics().values().stream()
            .filter(metric -> metric.metricName().name().equals("dropped-records-total"))
            .mapToLong(metric -> ((Number) metric.metricValue()).longValue())
            .sum();
    }

    static String text(JsonNode node) {
        return node == null || node.isNull() ? null : node.asText();
    }

    @Override
    public void close() throws IOException {
        driver.close();
        try (Stream<Path> paths = Files.walk(folder)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }
}
