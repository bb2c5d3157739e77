import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * TopicReader BOOTSTRAP TOPIC [ISOLATION_LEVEL]: partition 0 from its beginning to its present end
 * through Kafka's own consumer, one JSON object a line; a first line gives the two ends.
 */
public final class TopicReader {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "none");
        properties.put("isolation.level", arguments.length > 2 ? arguments[2] : "read_uncommitted");
        TopicPartition partition = new TopicPartition(arguments[1], 0);
        List<TopicPartition> partitions = List.of(partition);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(partitions);
            long start = consumer.beginningOffsets(partitions).get(partition);
            long end = consumer.endOffsets(partitions).get(partition);
            ObjectNode ends = Json.MAPPER.createObjectNode()
                .put("log_start_offset", start).put("log_end_offset", end);
            out.println(Json.MAPPER.writeValueAsString(ends));
            consumer.seek(partition, start);
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            while (consumer.position(partition) < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    out.println(Json.MAPPER.writeValueAsString(line(record)));
                }
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("no end of " + partition + " within 60 s");
                }
            }
        }
        out.flush();
    }

    private static ObjectNode line(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode fields = Json.MAPPER.createObjectNode()
            .put("offset", record.offset())
            .put("timestamp_ms", record.timestamp())
            .put("timestamp_type", record.timestampType().name)
            .put("key", Json.hex(record.key()))
            .put("value", Json.hex(record.value()));
        Json.putHeaders(fields, record.headers());
        return fields;
    }
}
