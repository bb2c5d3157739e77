import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;

/**
 * Answers what Kafka's assignors and its consumer protocol make of members that it reads.
 *
 * Lines in, words separated by tabs; a word "-" is empty:
 *   topic NAME COUNT
 *   member ID INSTANCE GENERATION TOPICS(a,b) OWNED(a:0,b:1) USER_DATA(hex)
 *   assign STRATEGY          -> a line "ID a:0,b:1" for each member, "end"; forgets topics and members
 *   subscription VERSION     -> the last member's subscription as hex; forgets
 *   assignment VERSION       -> the last member's owned partitions and user data as hex; forgets
 */
public class GroupAssignors {
    private static final Map<String, Integer> counts = new TreeMap<>();
    private static final Map<String, Subscription> members = new LinkedHashMap<>();
    private static Subscription last;

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split("\t");
            switch (words[0]) {
                case "topic" -> counts.put(words[1], Integer.parseInt(words[2]));
                case "member" -> addMember(words);
                case "assign" -> assign(words[1], out);
                case "subscription" -> out.println(hex(
                    ConsumerProtocol.serializeSubscription(last, Short.parseShort(words[1]))));
                case "assignment" -> out.println(hex(ConsumerProtocol.serializeAssignment(
                    new Assignment(last.ownedPartitions(), last.userData()), Short.parseShort(words[1]))));
                default -> throw new IllegalArgumentException(line);
            }
        }
    }

    private static void addMember(String[] words) {
        ByteBuffer userData = words[6].equals("-") ? null : ByteBuffer.wrap(HexFormat.of().parseHex(words[6]));
        List<TopicPartition> owned = new ArrayList<>();
        for (String word : items(words[5])) {
            int colon = word.lastIndexOf(':');
            owned.add(new TopicPartition(word.substring(0, colon), Integer.parseInt(word.substring(colon + 1))));
        }
        last = new Subscription(items(words[4]), userData, owned, Integer.parseInt(words[3]), Optional.empty());
        if (!words[2].equals("-"))
            last.setGroupInstanceId(Optional.of(words[2]));
        members.put(words[1], last);
    }

    private static List<String> items(String word) {
        return word.equals("-") ? List.of() : List.of(word.split(","));
    }

    private static String hex(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private static void assign(String strategy, PrintStream out) {
        AbstractPartitionAssignor assignor = switch (strategy) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            default -> new CooperativeStickyAssignor();
        };
        StringBuilder answer = new StringBuilder();
        assignor.assign(counts, members).forEach((member, partitions) -> {
            StringBuilder words = new StringBuilder();
            for (TopicPartition partition : partitions)
                words.append(words.length() == 0 ? "" : ",").append(partition.topic()).append(':').append(partition.partition());
            answer.append(member).append('\t').append(words.length() == 0 ? "-" : words).append('\n');
        });
        out.print(answer);
        out.println("end");
        counts.clear();
        members.clear();
    }
}
