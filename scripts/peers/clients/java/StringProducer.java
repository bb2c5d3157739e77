import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * StringProducer BOOTSTRAP TOPIC COUNT: the producer that introductions to Kafka begin with.
 *
 * <p>Prints a line for each record that the server has: TOPIC-PARTITION@OFFSET, its key and its
 * value, with tabs between. Ends with status 1 when one was not written.
 */
public final class StringProducer {
    public static void main(String[] arguments) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        properties.put("acks", "all");

        boolean[] hasFailed = {false};
        KafkaProducer<String, String> producer = new KafkaProducer<>(properties);
        for (int number = 0; number < Integer.parseInt(arguments[2]); number++) {
            ProducerRecord<String, String> record =
                new ProducerRecord<>(arguments[1], "key " + number, "value " + number);
            producer.send(record, (metadata, error) -> {
                if (error == null) {
                    System.out.println(metadata + "\t" + record.key() + "\t" + record.value());
                } else {
                    error.printStackTrace();
                    hasFailed[0] = true;
                }
            });
        }
        producer.flush();
        producer.close();
        System.exit(hasFailed[0] ? 1 : 0);
    }
}
