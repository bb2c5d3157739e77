import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HexFormat;
import java.util.Properties;
import org.apache.kafka.common.header.Header;

/** The one JSON form of bytes, headers and configs that all the programs here read and write. */
final class Json {
    static final ObjectMapper MAPPER = new ObjectMapper();

    private Json() {}

    static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }

    static byte[] bytes(JsonNode node) {
        return node == null || node.isNull() ? null : HexFormat.of().parseHex(node.asText());
    }

    /** Headers as [[name, hex or null], ...], in their order. */
    static void putHeaders(ObjectNode target, Iterable<Header> headers) {
        ArrayNode pairs = target.putArray("headers");
        for (Header header : headers) {
            pairs.addArray().add(header.key()).add(hex(header.value()));
        }
    }

    static Properties properties(JsonNode node) {
        Properties properties = new Properties();
        node.properties().forEach(e -> properties.put(e.getKey(), e.getValue().asText()));
        return properties;
    }
}
