import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.streams.test.TestRecord;

/**
 * Changelogs TOPOLOGIES.json: reads cases from standard input, one JSON object a line with its
 * "name" and "steps", and prints them with what each step produces to every topic: "produced", by
 * topic, bytes in base64; and with "stores", what the stores hold in the end.
 */
public final class Changelogs {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final Base64.Encoder BASE64 = Base64.getEncoder();

    public static void main(String[] arguments) throws Exception {
        JsonNode topologies = MAPPER.readTree(new File(arguments[0]));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ObjectNode test = (ObjectNode) MAPPER.readTree(line);
            JsonNode topology = topologies.get(test.get("name").asText());
            try (Driver driver = new Driver(topology.get("calls"), topology.get("configs"))) {
                for (JsonNode step : test.get("steps")) {
                    driver.pipe(step);
                    putProduced(driver, ((ObjectNode) step).putObject("produced"));
                }
                putStores(driver, test.get("steps"), test.putObject("stores"));
            }
            out.println(MAPPER.writeValueAsString(test));
        }
        out.flush();
    }

    private static void putProduced(Driver driver, ObjectNode topics) {
        for (Map.Entry<String, List<TestRecord<byte[], byte[]>>> entry
                : driver.readAll().entrySet()) {
            ArrayNode records = topics.putArray(entry.getKey());
            for (TestRecord<byte[], byte[]> record : entry.getValue()) {
                ObjectNode line = records.addObject()
                    .put("key", base64(record.key()))
                    .put("value", base64(record.value()))
                    .put("ts", record.timestamp())
                    .put("partition", 0);
                ArrayNode headers = line.putArray("headers");
                for (Header header : record.headers()) {
                    headers.addArray().add(header.key()).add(base64(header.value()));
                }
            }
        }
    }

    private static void putStores(Driver driver, JsonNode steps, ObjectNode stores) {
        Set<String> keys = new TreeSet<>();
        Set<Long> times = new TreeSet<>();
        for (JsonNode step : steps) {
            keys.add(step.get("key").asText());
            times.add(step.get("ts").asLong());
        }
        driver.stores().forEach((name, store) -> StoreDump.put(stores, name, store, keys, times));
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? null : BASE64.encodeToString(bytes);
    }
}
