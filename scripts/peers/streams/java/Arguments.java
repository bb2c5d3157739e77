import java.time.Duration;
import java.util.List;
import java.util.Map;

/** The arguments of a word: those without a name, in order, and those with one. */
record Arguments(List<Object> positional, Map<String, Object> named) {
    /** Returns the argument at `index`, or named `name`, or null when there is neither. */
    Object get(int index, String name) {
        Object value = named.get(name);
        return value == null && index < positional.size() ? positional.get(index) : value;
    }

    String text(int index, String name) {
        return (String) get(index, name);
    }

    /** Returns a duration of so many milliseconds, or null when it was not given. */
    Duration millis(int index, String name) {
        Long value = (Long) get(index, name);
        return value == null ? null : Duration.ofMillis(value);
    }
}
