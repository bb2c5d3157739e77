import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/** How the Java client is to connect: PYLOG_PEER_SECURITY, as ../README.md has it. */
final class PeerSecurity {
    private PeerSecurity() {}

    /** Returns the settings as the Java client names them; none for a server that asks nobody. */
    static Properties read() throws IOException {
        Properties properties = new Properties();
        String text = System.getenv("PYLOG_PEER_SECURITY");
        if (text == null) {
            return properties;
        }
        JsonNode given = new ObjectMapper().readTree(text);
        if (given.has("protocol")) {
            properties.put("security.protocol", given.get("protocol").asText());
        }
        if (given.has("ca")) {
            properties.put("ssl.truststore.type", "PEM");
            properties.put("ssl.truststore.location", given.get("ca").asText());
        }
        if (given.has("certificate")) {
            properties.put("ssl.keystore.type", "PEM");
            properties.put("ssl.keystore.certificate.chain", textOf(given.get("certificate")));
            properties.put("ssl.keystore.key", textOf(given.get("key")));
        }
        if (given.has("mechanism")) {
            String mechanism = given.get("mechanism").asText();
            String kind = mechanism.equals("PLAIN") ? "plain.Plain" : "scram.Scram";
            properties.put("sasl.mechanism", mechanism);
            properties.put("sasl.jaas.config", String.format(
                "org.apache.kafka.common.security.%sLoginModule required username=%s password=%s;",
                kind, quoted(given.get("user")), quoted(given.get("password"))));
        }
        return properties;
    }

    private static String textOf(JsonNode path) throws IOException {
        return Files.readString(Path.of(path.asText()));
    }

    private static String quoted(JsonNode word) {
        return '"' + word.asText().replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
