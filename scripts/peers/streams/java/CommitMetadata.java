import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.streams.processor.internals.ProcessorMetadata;
import org.apache.kafka.streams.processor.internals.TopicPartitionMetadata;

/**
 * CommitMetadata: the metadata text that a commit of an input partition carries, for partition
 * times and for the times up to which stores have emitted closed windows; one JSON object a line.
 */
public final class CommitMetadata {
    private static final long TIME_MS = 1_700_000_000_000L;

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (long time : List.of(-1L, 0L, 41L, TIME_MS)) {
            for (Map<String, Long> emitted : List.of(
                    Map.<String, Long>of(), Map.of("windows", TIME_MS - 15),
                    Map.of("a", 0L, "KSTREAM-AGGREGATE-STATE-STORE-0000000001", -1L))) {
                ObjectNode line = mapper.createObjectNode().put("partition_time", time);
                ObjectNode times = line.putObject("emitted");
                new TreeMap<>(emitted).forEach(times::put);
                ProcessorMetadata metadata = new ProcessorMetadata(new TreeMap<>(emitted));
                line.put("text", new TopicPartitionMetadata(time, metadata).encode());
                out.println(mapper.writeValueAsString(line));
            }
        }
        out.flush();
    }
}
