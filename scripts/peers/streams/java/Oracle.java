import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.streams.test.TestRecord;

/**
 * Oracle TOPOLOGIES.json: reads cases from standard input, one JSON object a line with its "op" and
 * "steps", and prints them with what topic "out" gets at each step, "out": [[key, value, ts], ...],
 * and how many records were dropped in all, "dropped".
 */
public final class Oracle {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        JsonNode topologies = MAPPER.readTree(new File(arguments[0]));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode test = MAPPER.readTree(line);
            JsonNode topology = topologies.get(test.get("op").asText());
            try (Driver driver = new Driver(topology.get("calls"), topology.get("configs"))) {
                for (JsonNode step : test.get("steps")) {
                    run(driver, (ObjectNode) step);
                }
                ((ObjectNode) test).put("dropped", driver.dropped());
            }
            out.println(MAPPER.writeValueAsString(test));
        }
        out.flush();
    }

    private static void run(Driver driver, ObjectNode step) {
        driver.pipe(step);
        ArrayNode results = step.putArray("out");
        for (TestRecord<String, String> each : driver.read("out", new StringDeserializer())) {
            results.addArray().add(each.key()).add(each.value()).add(each.timestamp());
        }
    }
}
