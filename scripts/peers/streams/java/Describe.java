import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Properties;

/**
 * Describe TOPOLOGIES.json [NAME]: the text of Topology#describe of each script, one JSON object a
 * line, {"name": ..., "text": ...}; or of one, as it is.
 */
public final class Describe {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        JsonNode topologies = mapper.readTree(new File(arguments[0]));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        if (arguments.length > 1) {
            out.print(describe(topologies.get(arguments[1])));
        } else {
            topologies.properties().forEach(entry -> {
                ObjectNode line = mapper.createObjectNode().put("name", entry.getKey());
                out.println(line.put("text", describe(entry.getValue())));
            });
        }
        out.flush();
    }

    private static String describe(JsonNode topology) {
        Properties properties = Driver.properties(topology.get("configs"));
        return Script.build(topology.get("calls"), properties).describe().toString();
    }
}
