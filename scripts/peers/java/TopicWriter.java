import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * TopicWriter BOOTSTRAP &lt; PLAN: makes a topic of one partition unless it is there,
 * and produces the plan's batches.
 *
 * <p>PLAN is JSON: {"topic", "configs": {}, "producer": {}, "batches": [{"records":
 * [{"timestamp_ms", "key", "value", "headers"}], "transaction": null | "commit" | "abort"}]}, keys,
 * values and header values in hexadecimal or null. Each batch is flushed alone, so with a long
 * linger.ms it is one record batch on disk. Prints the topic's id.
 */
public final class TopicWriter {
    public static void main(String[] arguments) throws Exception {
        JsonNode plan = Json.MAPPER.readTree(System.in);
        String topic = plan.get("topic").asText();
        Properties common = new Properties();
        common.put("bootstrap.servers", arguments[0]);
        try (Admin admin = Admin.create(common)) {
            Map<String, String> configs = new HashMap<>();
            plan.get("configs").properties().forEach(
                e -> configs.put(e.getKey(), e.getValue().asText()));
            NewTopic newTopic = new NewTopic(topic, 1, (short) 1).configs(configs);
            System.out.println(createOrFind(admin, newTopic));
        }
        common.putAll(Json.properties(plan.get("producer")));
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                common, new ByteArraySerializer(), new ByteArraySerializer())) {
            if (common.containsKey("transactional.id")) {
                producer.initTransactions();
            }
            for (JsonNode batch : plan.get("batches")) {
                write(producer, topic, batch);
            }
        }
    }

    private static Uuid createOrFind(Admin admin, NewTopic newTopic) throws Exception {
        String topic = newTopic.name();
        try {
            return admin.createTopics(List.of(newTopic)).topicId(topic).get();
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                throw e;
            }
            return admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get().topicId();
        }
    }

    private static void write(
            KafkaProducer<byte[], byte[]> producer, String topic, JsonNode batch) throws Exception {
        JsonNode transaction = batch.get("transaction");
        boolean transactional = transaction != null && !transaction.isNull();
        if (transactional) {
            producer.beginTransaction();
        }
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : batch.get("records")) {
            List<Header> headers = new ArrayList<>();
            for (JsonNode pair : record.get("headers")) {
                headers.add(new RecordHeader(pair.get(0).asText(), Json.bytes(pair.get(1))));
            }
            JsonNode timestamp = record.get("timestamp_ms");
            sent.add(producer.send(new ProducerRecord<>(
                topic, 0, timestamp.isNull() ? null : timestamp.asLong(),
                Json.bytes(record.get("key")), Json.bytes(record.get("value")), headers)));
        }
        producer.flush();
        for (Future<RecordMetadata> future : sent) {
            future.get();
        }
        if (transactional && transaction.asText().equals("commit")) {
            producer.commitTransaction();
        } else if (transactional) {
            producer.abortTransaction();
        }
    }
}
