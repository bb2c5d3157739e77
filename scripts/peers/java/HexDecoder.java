import java.util.HexFormat;
import org.apache.kafka.tools.api.Decoder;

/** Prints a key or a value as hexadecimal, so that DumpLogSegments' text loses no byte. */
public final class HexDecoder implements Decoder<String> {
    @Override
    public String fromBytes(byte[] bytes) {
        return "0x" + HexFormat.of().formatHex(bytes);
    }
}
