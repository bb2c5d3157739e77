import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;

/**
 * Builds a topology from the lines of its "calls": one call, or chain of calls, of Kafka Streams'
 * own API a line. The notation is a part of Python's, so that Python reads it with its own parser:
 *
 * <pre>
 *   left = builder.stream('left')
 *   left.groupByKey().windowedBy(TimeWindows(10, grace=5)).count(Named('n')).toStream()
 * </pre>
 *
 * <p>`builder` is the StreamsBuilder and `topology` a Topology of the Processor API (a script uses
 * one of them). Other names are what a line above has assigned, a word of {@link Words}, or a
 * function of {@link Functions}.
 */
final class Script {
    private static final Pattern TOKEN =
        Pattern.compile("\\s*(?:([A-Za-z_]\\w*)|'([^']*)'|(-?\\d+)|([^\\s]))");

    private final Map<String, Object> names = new LinkedHashMap<>();
    private final List<String> tokens = new ArrayList<>();
    private String line;
    private int position;

    private Script() {}

    /** Returns the topology that `calls`, an array of lines, makes under the given configs. */
    static Topology build(JsonNode calls, Properties properties) {
        Script script = new Script();
        StreamsBuilder builder =
            new StreamsBuilder(new TopologyConfig(new StreamsConfig(properties)));
        Topology topology = new Topology();
        script.names.put("builder", builder);
        script.names.put("topology", topology);
        boolean usesBuilder = false;
        for (JsonNode call : calls) {
            script.run(call.asText());
            usesBuilder |= call.asText().contains("builder.");
        }
        return usesBuilder ? builder.build(properties) : topology;
    }

    private void run(String text) {
        line = text;
        position = 0;
        tokens.clear();
        Matcher matcher = TOKEN.matcher(text);
        while (matcher.lookingAt()) {
            tokens.add(matcher.group().strip());
            matcher.region(matcher.end(), text.length());
        }
        String target = tokens.size() > 1 && tokens.get(1).equals("=") ? tokens.get(0) : null;
        position = target == null ? 0 : 2;
        Object value = expression();
        if (position != tokens.size()) {
            throw wrong("the end of the line");
        }
        if (target != null) {
            names.put(target, value);
        }
    }

    private Object expression() {
        Object value = primary();
        while (true) {
            if (take(".")) {
                String method = next();
                expect("(");
                List<Object> given = arguments(")").positional();
                value = Calls.call(value, method, value == names.get("builder")
                    ? Words.withText(method, given) : given);
            } else if (take("[")) {
                Object key = expression();
                expect("]");
                value = ((Map<?, ?>) value).get(key);
                if (value == null) {
                    throw new IllegalArgumentException(line + ": nothing under " + key);
                }
            } else {
                return value;
            }
        }
    }

    private Object primary() {
        String token = next();
        char first = token.charAt(0);
        if (first == '\'') {
            return token.substring(1, token.length() - 1);
        }
        if (first == '[') {
            return arguments("]").positional();
        }
        if (Character.isDigit(first) || first == '-') {
            return Long.parseLong(token);
        }
        if (token.equals("True") || token.equals("False")) {
            return token.equals("True");
        }
        if (!Character.isLetter(first) && first != '_') {
            throw wrong("a value instead of " + token);
        }
        if (take("(")) {
            return Words.make(token, arguments(")"));
        }
        Object value = names.get(token);
        return value == null ? Functions.get(token) : value;
    }

    private Arguments arguments(String end) {
        List<Object> positional = new ArrayList<>();
        Map<String, Object> named = new LinkedHashMap<>();
        while (!take(end)) {
            if (position + 1 < tokens.size() && tokens.get(position + 1).equals("=")) {
                String name = next();
                expect("=");
                named.put(name, expression());
            } else {
                positional.add(expression());
            }
            if (!take(",") && !tokens.get(position).equals(end)) {
                throw wrong("',' or '" + end + "'");
            }
        }
        return new Arguments(positional, named);
    }

    private boolean take(String token) {
        boolean found = position < tokens.size() && tokens.get(position).equals(token);
        position += found ? 1 : 0;
        return found;
    }

    private void expect(String token) {
        if (!take(token)) {
            throw wrong("'" + token + "'");
        }
    }

    private String next() {
        if (position == tokens.size()) {
            throw wrong("more");
        }
        return tokens.get(position++);
    }

    private IllegalArgumentException wrong(String expected) {
        return new IllegalArgumentException(
            line + ": expected " + expected + " at token " + position + " of " + tokens);
    }
}
