import java.time.Duration;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.ValueTransformerWithKeySupplier;
import org.apache.kafka.streams.processor.ProcessorContext;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The words of a script that make stores and processors of the Processor API. */
final class Processors {
    private static final Serde<String> TEXT = Serdes.String();

    private Processors() {}

    static Object make(String word, String name, Arguments arguments) {
        return switch (word) {
            case "keyValueStore" ->
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), TEXT, TEXT);
            case "timestampedStore" ->
                Stores.timestampedKeyValueStoreBuilder(
                    Stores.inMemoryKeyValueStore(name), TEXT, TEXT);
            case "windowStore" -> Stores.windowStoreBuilder(
                Stores.inMemoryWindowStore(
                    name, arguments.millis(1, "retention"), arguments.millis(2, "size"), false),
                TEXT, TEXT);
            case "sessionStore" -> Stores.sessionStoreBuilder(
                Stores.inMemorySessionStore(name, arguments.millis(1, "retention")), TEXT, TEXT);
            case "timestampedStoreUnlogged" ->
                Stores.timestampedKeyValueStoreBuilder(
                    Stores.inMemoryKeyValueStore(name), TEXT, TEXT).withLoggingDisabled();
            case "globalUpdate" ->
                (ProcessorSupplier<Object, Object, Void, Void>) GlobalUpdate::new;
            case "textDeserializer" -> TEXT.deserializer();
            case "textSerializer" -> TEXT.serializer();
            case "forward" -> (ProcessorSupplier<Object, Object, Object, Object>) Forward::new;
            case "remember" ->
                (ProcessorSupplier<String, String, String, String>) () -> new Remember(name);
            case "rememberOwn" -> new RememberOwn(name);
            case "rememberValues" -> (FixedKeyProcessorSupplier<String, String, String>)
                () -> new RememberValues(name);
            case "transformRemembered" ->
                (ValueTransformerWithKeySupplier<String, String, String>) () -> new Transform(name);
            case "tick" -> (ProcessorSupplier<String, String, String, String>)
                () -> new Tick(arguments.millis(0, "interval"));
            default -> throw new IllegalArgumentException("no word " + word);
        };
    }

    /** Forwards what it gets. */
    private static final class Forward extends ContextualProcessor<Object, Object, Object, Object> {
        @Override
        public void process(Record<Object, Object> record) {
            context().forward(record);
        }
    }

    /** Of a global store in topologies that are only described. */
    private static final class GlobalUpdate extends ContextualProcessor<Object, Object, Void, Void> {
        @Override
        public void process(Record<Object, Object> record) {}
    }

    /** Puts each value into its store and forwards it behind what was there: old>new. */
    private static final class Remember extends ContextualProcessor<String, String, String, String> {
        private final String store;

        Remember(String store) {
            this.store = store;
        }

        @Override
        public void process(Record<String, String> record) {
            if (record.key() != null) {
                String old = replace(context().getStateStore(store), record.key(), record.value());
                context().forward(record.withValue(old + ">" + record.value()));
            }
        }
    }

    /** The same, of a supplier that brings its store along. */
    private record RememberOwn(String store)
            implements ProcessorSupplier<String, String, String, String> {
        @Override
        public Processor<String, String, String, String> get() {
            return new Remember(store);
        }

        @Override
        public Set<StoreBuilder<?>> stores() {
            return Set.of(Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore(store), TEXT, TEXT));
        }
    }

    /** The same for processValues. */
    private static final class RememberValues
            extends ContextualFixedKeyProcessor<String, String, String>
            implements FixedKeyProcessor<String, String, String> {
        private final String store;

        RememberValues(String store) {
            this.store = store;
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            if (record.key() != null) {
                String old = replace(context().getStateStore(store), record.key(), record.value());
                context().forward(record.withValue(old + ">" + record.value()));
            }
        }
    }

    /** The same for transformValues of a table; without a store it is v + '~'. */
    private static final class Transform
            implements ValueTransformerWithKey<String, String, String> {
        private final String store;
        private ProcessorContext context;

        Transform(String store) {
            this.store = store;
        }

        @Override
        public void init(ProcessorContext context) {
            this.context = context;
        }

        @Override
        public String transform(String key, String value) {
            if (store == null) {
                return value == null ? null : value + "~";
            }
            return replace(context.getStateStore(store), key, value) + ">" + value;
        }

        @Override
        public void close() {}
    }

    /** Counts records, and in stream time forwards ('tick', count) every interval. */
    private static final class Tick extends ContextualProcessor<String, String, String, String> {
        private final Duration interval;
        private int count;

        Tick(Duration interval) {
            this.interval = interval;
        }

        @Override
        public void init(org.apache.kafka.streams.processor.api.ProcessorContext<String, String> context) {
            super.init(context);
            context.schedule(interval, PunctuationType.STREAM_TIME, time ->
                context.forward(new Record<>("tick", String.valueOf(count), time)));
        }

        @Override
        public void process(Record<String, String> record) {
            count++;
        }
    }

    private static String replace(KeyValueStore<String, String> store, String key, String value) {
        String old = store.get(key);
        store.put(key, value);
        return old;
    }
}
