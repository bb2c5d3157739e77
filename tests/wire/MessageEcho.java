import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.ResponseHeader;

/**
 * Reads messages with Kafka's own classes and writes them again.
 *
 * Lines in, words separated by tabs, and the line that answers:
 *   message CLASS VERSION HEX      -> the message as Kafka writes it, in hex
 *   request HEX                    -> key, version, correlation id, client id, bytes that follow
 *   response KEY VERSION HEX       -> correlation id, bytes that follow
 */
public class MessageEcho {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split("\t", -1);
            ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(words[words.length - 1]));
            switch (words[0]) {
                case "message" -> out.println(echo(words[1], Short.parseShort(words[2]), bytes));
                case "request" -> {
                    RequestHeader header = RequestHeader.parse(bytes);
                    out.println(String.join("\t", "" + header.apiKey().id, "" + header.apiVersion(),
                        "" + header.correlationId(), header.clientId(), "" + bytes.remaining()));
                }
                case "response" -> {
                    ApiKeys key = ApiKeys.forId(Short.parseShort(words[1]));
                    short headerVersion = key.responseHeaderVersion(Short.parseShort(words[2]));
                    ResponseHeader header = ResponseHeader.parse(bytes, headerVersion);
                    out.println(header.correlationId() + "\t" + bytes.remaining());
                }
                default -> throw new IllegalArgumentException(words[0]);
            }
        }
        out.flush();
    }

    private static String echo(String name, short version, ByteBuffer bytes) throws Exception {
        Class<?> type = Class.forName("org.apache.kafka.common.message." + name + "Data");
        ApiMessage message = (ApiMessage) type.getConstructor(Readable.class, short.class)
            .newInstance(new ByteBufferAccessor(bytes), version);
        if (bytes.hasRemaining()) {
            return bytes.remaining() + " bytes left";
        }
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer written = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(written), cache, version);
        return HexFormat.of().formatHex(written.array());
    }
}
