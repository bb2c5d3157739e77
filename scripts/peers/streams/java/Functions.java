import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.ForeachAction;
import org.apache.kafka.streams.kstream.Initializer;
import org.apache.kafka.streams.kstream.KeyValueMapper;
import org.apache.kafka.streams.kstream.Merger;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.ValueJoinerWithKey;
import org.apache.kafka.streams.kstream.ValueMapper;
import org.apache.kafka.streams.kstream.ValueMapperWithKey;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.RecordContext;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.processor.TopicNameExtractor;

/**
 * The functions that scripts name, over strings; tests/golden/streams/README.md has the table.
 *
 * <p>`+` is Java's: a null joined to a string reads "null".
 */
final class Functions {
    private static final Map<String, Object> FUNCTIONS = new HashMap<>();

    static {
        FUNCTIONS.put("append", (Aggregator<Object, Object, Object>) (k, v, a) -> a + "+" + v);
        FUNCTIONS.put("remove", (Aggregator<Object, Object, Object>) (k, v, a) -> a + "-" + v);
        FUNCTIONS.put("appendValue", (Reducer<Object>) (a, v) -> a + "+" + v);
        FUNCTIONS.put("removeValue", (Reducer<Object>) (a, v) -> a + "-" + v);
        FUNCTIONS.put("zero", (Initializer<Object>) () -> "0");
        FUNCTIONS.put("bars", (Merger<Object, Object>) (k, a, b) -> a + "|" + b);
        FUNCTIONS.put("pair", (ValueJoiner<Object, Object, Object>) Functions::pair);
        FUNCTIONS.put("pairWithKey",
            (ValueJoinerWithKey<Object, Object, Object, Object>) (k, l, r) -> k + ":" + pair(l, r));
        FUNCTIONS.put("exclaim", (ValueMapper<Object, Object>) v -> v + "!");
        FUNCTIONS.put("keyed", (ValueMapperWithKey<Object, Object, Object>) (k, v) -> k + ":" + v);
        FUNCTIONS.put("twice", (ValueMapper<Object, Iterable<Object>>) Functions::twice);
        FUNCTIONS.put("fk", new ForeignKey());
        FUNCTIONS.put("byFk",
            (KeyValueMapper<Object, Object, Object>) (k, v) -> KeyValue.pair(foreignKey(v), v));
        FUNCTIONS.put("swap", (KeyValueMapper<Object, Object, Object>)
            (k, v) -> KeyValue.pair(foreignKey(v), v + "/" + k));
        FUNCTIONS.put("fan", (KeyValueMapper<Object, Object, Object>) Functions::fan);
        FUNCTIONS.put("keyOf", (KeyValueMapper<Object, Object, Object>) (k, v) -> k);
        FUNCTIONS.put("text", (KeyValueMapper<Object, Object, Object>)
            (k, v) -> KeyValue.pair(text(k), v == null ? null : String.valueOf(v)));
        FUNCTIONS.put("textKey", (KeyValueMapper<Object, Object, Object>) (k, v) -> text(k));
        FUNCTIONS.put("lastEven", (Predicate<Object, Object>) (k, v) -> divides(2, v));
        FUNCTIONS.put("lastThird", (Predicate<Object, Object>) (k, v) -> divides(3, v));
        FUNCTIONS.put("isNull", (Predicate<Object, Object>) (k, v) -> v == null);
        FUNCTIONS.put("ignore", (ForeachAction<Object, Object>) (k, v) -> { });
        FUNCTIONS.put("evenTopic", new EvenTopic());
        FUNCTIONS.put("firstPartition", (StreamPartitioner<Object, Object>) (topic, k, v, count) ->
            Optional.of(Set.of(0)));
    }

    private Functions() {}

    static Object get(String name) {
        Object function = FUNCTIONS.get(name);
        if (function == null) {
            throw new IllegalArgumentException("no variable and no function " + name);
        }
        return function;
    }

    /** A windowed key reads key@start/end; other keys as they are. */
    static String text(Object key) {
        return key instanceof Windowed<?> windowed
            ? windowed.key() + "@" + windowed.window().start() + "/" + windowed.window().end()
            : key == null ? null : String.valueOf(key);
    }

    private static String pair(Object left, Object right) {
        return "(" + left + "," + right + ")";
    }

    private static boolean divides(int divisor, Object value) {
        return value != null && last(value) % divisor == 0;
    }

    private static char last(Object value) {
        String text = String.valueOf(value);
        return text.charAt(text.length() - 1);
    }

    /** A, B or C by the last character of the value. */
    private static String foreignKey(Object value) {
        return value == null ? null : String.valueOf((char) ('A' + last(value) % 3));
    }

    private static List<Object> twice(Object value) {
        return value == null ? List.of() : List.of(value + "a", value + "b");
    }

    private static List<Object> fan(Object key, Object value) {
        List<Object> pairs = new ArrayList<>();
        if (value != null) {
            pairs.add(KeyValue.pair(key, value + "a"));
            pairs.add(KeyValue.pair(foreignKey(value), value + "b"));
        }
        return pairs;
    }

    /** Of a value, for foreign-key joins; and of a key and a value, for groupBy and selectKey. */
    private static final class ForeignKey
            implements KeyValueMapper<Object, Object, Object>, Function<Object, Object> {
        @Override
        public Object apply(Object key, Object value) {
            return foreignKey(value);
        }

        @Override
        public Object apply(Object value) {
            return foreignKey(value);
        }
    }

    /** A sink's topic by its value. */
    private static final class EvenTopic implements TopicNameExtractor<Object, Object> {
        @Override
        public String extract(Object key, Object value, RecordContext context) {
            return divides(2, value) ? "out-even" : "out";
        }

        @Override
        public String toString() {
            return "evenTopic";
        }
    }
}
