import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.internals.InternalTopicConfig;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder.TopicsInfo;
import org.apache.kafka.streams.processor.internals.TopologyMetadata.Subtopology;

/**
 * InternalTopics TOPOLOGIES.json: of each script the topics of each sub-topology, with the configs
 * and the wanted partitions of internal ones, and the groups of topics that must have as many
 * partitions as each other; one JSON object a line.
 */
public final class InternalTopics {
    private static final long DAY_MS = 86_400_000;

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        JsonNode topologies = mapper.readTree(new File(arguments[0]));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (Map.Entry<String, JsonNode> entry : topologies.properties()) {
            Properties properties = Driver.properties(entry.getValue().get("configs"));
            Topology topology = Script.build(entry.getValue().get("calls"), properties);
            InternalTopologyBuilder builder = (InternalTopologyBuilder)
                read(Topology.class, "internalTopologyBuilder", topology);
            builder.rewriteTopology(new StreamsConfig(properties));
            builder.buildTopology();
            ObjectNode line = mapper.createObjectNode().put("name", entry.getKey());
            ArrayNode parts = line.putArray("subtopologies");
            for (Map.Entry<Subtopology, TopicsInfo> part
                    : builder.subtopologyToTopicsInfo().entrySet()) {
                Integer id = (Integer) read(Subtopology.class, "nodeGroupId", part.getKey());
                putTopics(part.getValue(), parts.addObject().put("id", id));
            }
            putGroups(builder.copartitionGroups(), line.putArray("copartition_groups"));
            out.println(mapper.writeValueAsString(line));
        }
        out.flush();
    }

    private static Object read(Class<?> type, String name, Object target) throws Exception {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(target);
    }

    private static void putTopics(TopicsInfo topics, ObjectNode part) {
        new TreeSet<>(topics.sourceTopics).forEach(part.putArray("sources")::add);
        new TreeSet<>(topics.sinkTopics).forEach(part.putArray("sinks")::add);
        putConfigs(topics.repartitionSourceTopics, part.putObject("repartition"));
        putConfigs(topics.stateChangelogTopics, part.putObject("changelogs"));
    }

    private static void putConfigs(Map<String, InternalTopicConfig> topics, ObjectNode target) {
        new TreeMap<>(topics).forEach((name, config) -> {
            ObjectNode fields = target.putObject(name);
            config.numberOfPartitions().ifPresent(count -> fields.put("partitions", count));
            ObjectNode configs = fields.putObject("configs");
            new TreeMap<>(config.properties(Map.of(), DAY_MS)).forEach(configs::put);
        });
    }

    private static void putGroups(Collection<Set<String>> groups, ArrayNode target) {
        TreeMap<String, TreeSet<String>> sorted = new TreeMap<>();
        groups.forEach(group -> sorted.put(new TreeSet<>(group).toString(), new TreeSet<>(group)));
        sorted.values().forEach(group -> group.forEach(target.addArray()::add));
    }
}
