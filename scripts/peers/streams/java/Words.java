import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Printed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.UnlimitedWindows;
import org.apache.kafka.streams.state.Stores;

/**
 * The words of a script that are no method of an object: what Kafka Streams makes with static
 * methods and builders. Durations are in milliseconds.
 */
@SuppressWarnings({"rawtypes", "unchecked"})
final class Words {
    private static final Set<String> SOURCES = Set.of("stream", "table", "globalTable");
    private static final Serde TEXT = Serdes.String();

    private Words() {}

    /** Returns a source's arguments with a Consumed that says strings, which makes no node. */
    static List<Object> withText(String method, List<Object> arguments) {
        List<Object> all = new ArrayList<>(arguments);
        if (SOURCES.contains(method) && all.stream().noneMatch(Consumed.class::isInstance)) {
            all.add(1, Consumed.with(TEXT, TEXT));
        }
        return all;
    }

    static Object make(String word, Arguments arguments) {
        String name = arguments.get(0, "name") instanceof String text ? text : null;
        return switch (word) {
            case "Named" -> Named.as(name);
            case "Grouped" -> Grouped.with(name, TEXT, TEXT);
            case "TableJoined" -> TableJoined.as(name);
            case "Branched" -> Branched.as(name);
            case "Produced" -> Produced.as(name);
            case "Printed" -> Printed.toSysOut();
            case "Pattern" -> Pattern.compile(arguments.text(0, "pattern"));
            case "Consumed" -> consumed(name, arguments);
            case "Joined" -> joined(name, arguments);
            case "StreamJoined" -> streamJoined(name, arguments);
            case "Repartitioned" -> repartitioned(name, arguments);
            case "Materialized" -> materialized(name, arguments);
            case "Versioned" -> Materialized.as(
                Stores.persistentVersionedKeyValueStore(name, arguments.millis(1, "history")));
            case "TimeWindows" -> timeWindows(arguments);
            case "SlidingWindows" -> SlidingWindows.ofTimeDifferenceAndGrace(
                arguments.millis(0, "difference"), grace(arguments));
            case "SessionWindows" -> SessionWindows.ofInactivityGapAndGrace(
                arguments.millis(0, "gap"), grace(arguments));
            case "UnlimitedWindows" -> UnlimitedWindows.of();
            case "JoinWindows" -> joinWindows(arguments);
            case "onWindowClose" -> EmitStrategy.onWindowClose();
            case "untilWindowCloses" -> untilWindowCloses(arguments);
            case "untilTimeLimit" -> untilTimeLimit(arguments);
            default -> Processors.make(word, name, arguments);
        };
    }

    private static Duration grace(Arguments arguments) {
        Duration grace = arguments.millis(1, "grace");
        return grace == null ? Duration.ZERO : grace;
    }

    private static Consumed<?, ?> consumed(String name, Arguments arguments) {
        Consumed<?, ?> consumed = Consumed.with(TEXT, TEXT).withName(name);
        Object reset = arguments.get(1, "reset");
        if (reset != null) {
            consumed = consumed.withOffsetResetPolicy(
                reset.equals("latest") ? AutoOffsetReset.latest() : AutoOffsetReset.earliest());
        }
        return consumed;
    }

    private static Joined<?, ?, ?> joined(String name, Arguments arguments) {
        Joined<?, ?, ?> joined = Joined.as(name);
        Duration grace = arguments.millis(1, "grace");
        return grace == null ? joined : joined.withGracePeriod(grace);
    }

    private static StreamJoined<?, ?, ?> streamJoined(String name, Arguments arguments) {
        StreamJoined<?, ?, ?> joined =
            StreamJoined.with(TEXT, TEXT, TEXT);
        if (name != null) {
            joined = joined.withName(name);
        }
        String store = arguments.text(1, "store");
        return store == null ? joined : joined.withStoreName(store);
    }

    private static Repartitioned<?, ?> repartitioned(String name, Arguments arguments) {
        Repartitioned<?, ?> repartitioned = Repartitioned.as(name);
        Long partitions = (Long) arguments.get(1, "partitions");
        return partitions == null
            ? repartitioned : repartitioned.withNumberOfPartitions(partitions.intValue());
    }

    private static Materialized<?, ?, ?> materialized(String name, Arguments arguments) {
        Materialized<Object, Object, ?> materialized =
            name == null ? Materialized.with(null, null) : Materialized.as(name);
        if ("long".equals(arguments.get(1, "value"))) {
            materialized.withValueSerde((Serde) Serdes.Long());
        }
        if (Boolean.FALSE.equals(arguments.get(2, "caching"))) {
            materialized.withCachingDisabled();
        }
        if (Boolean.FALSE.equals(arguments.get(3, "logging"))) {
            materialized.withLoggingDisabled();
        }
        Duration retention = arguments.millis(4, "retention");
        if (retention != null) {
            materialized.withRetention(retention);
        }
        return materialized;
    }

    private static TimeWindows timeWindows(Arguments arguments) {
        TimeWindows windows =
            TimeWindows.ofSizeAndGrace(arguments.millis(0, "size"), grace(arguments));
        Duration advance = arguments.millis(2, "advance");
        return advance == null ? windows : windows.advanceBy(advance);
    }

    private static JoinWindows joinWindows(Arguments arguments) {
        JoinWindows windows = JoinWindows.ofTimeDifferenceAndGrace(
            arguments.millis(0, "difference"), grace(arguments));
        Duration before = arguments.millis(2, "before");
        windows = before == null ? windows : windows.before(before);
        Duration after = arguments.millis(3, "after");
        return after == null ? windows : windows.after(after);
    }

    private static Suppressed<?> untilWindowCloses(Arguments arguments) {
        Suppressed<?> suppressed = Suppressed.untilWindowCloses(BufferConfig.unbounded());
        String name = arguments.text(0, "name");
        return name == null ? suppressed : suppressed.withName(name);
    }

    private static Suppressed<?> untilTimeLimit(Arguments arguments) {
        Duration limit = arguments.millis(0, "limit");
        Long maxRecords = (Long) arguments.named().get("maxRecords");
        Long maxBytes = (Long) arguments.named().get("maxBytes");
        BufferConfig<?> buffer = BufferConfig.unbounded();
        if (maxRecords != null && maxBytes != null) {
            buffer = BufferConfig.maxRecords(maxRecords).withMaxBytes(maxBytes).emitEarlyWhenFull();
        } else if (maxRecords != null) {
            buffer = BufferConfig.maxRecords(maxRecords).emitEarlyWhenFull();
        } else if (maxBytes != null) {
            buffer = BufferConfig.maxBytes(maxBytes).emitEarlyWhenFull();
        }
        Suppressed<?> suppressed = Suppressed.untilTimeLimit(limit, buffer);
        String name = (String) arguments.named().get("name");
        return name == null ? suppressed : suppressed.withName(name);
    }
}
