import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.ReadOnlySessionStore;
import org.apache.kafka.streams.state.ReadOnlyWindowStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.ValueTimestampHeaders;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;

/**
 * What a store holds, as rows in its own order: [key, value, ts], [key, start, end, value, ts] of
 * windows, [key, start, end, value] of sessions, [key, value, from] of versions; ts is left out
 * where the store has none, and the end of a join's windows means nothing.
 */
@SuppressWarnings({"rawtypes", "unchecked"})
final class StoreDump {
    private StoreDump() {}

    /**
     * Puts a store's rows under its name; a store whose keys are not strings is left out. Versions
     * are looked up by the keys and times given.
     */
    static void put(
            ObjectNode stores, String name, Object store, Set<String> keys, Collection<Long> times) {
        ArrayNode rows = stores.arrayNode();
        boolean readable = true;
        if (store instanceof VersionedKeyValueStore versions) {
            putVersions(versions, keys, times, rows);
        } else if (store instanceof ReadOnlySessionStore sessions) {
            readable = putAll(sessions.fetch(null, null), rows);
        } else if (store instanceof ReadOnlyWindowStore windows) {
            readable = putAll(windows.all(), rows);
        } else if (store instanceof ReadOnlyKeyValueStore pairs) {
            readable = putAll(pairs.all(), rows);
        } else {
            readable = false;
        }
        if (readable) {
            stores.set(name, rows);
        }
    }

    private static boolean putAll(KeyValueIterator iterator, ArrayNode rows) {
        boolean readable = true;
        try (iterator) {
            while (iterator.hasNext()) {
                KeyValue<?, ?> entry = (KeyValue<?, ?>) iterator.next();
                readable &= entry.key instanceof String || entry.key instanceof Windowed;
                putRow(entry.key, entry.value, rows.addArray());
            }
        }
        return readable;
    }

    private static void putRow(Object key, Object value, ArrayNode row) {
        if (key instanceof Windowed<?> windowed) {
            row.add(String.valueOf(windowed.key()));
            row.add(windowed.window().start()).add(windowed.window().end());
        } else {
            row.add(String.valueOf(key));
        }
        if (value instanceof ValueAndTimestamp<?> timed) {
            putValue(timed.value(), timed.timestamp(), row);
        } else if (value instanceof ValueTimestampHeaders<?> timed) {
            putValue(timed.value(), timed.timestamp(), row);
        } else {
            putValue(value, -1, row);
        }
    }

    private static void putValue(Object value, long timestamp, ArrayNode row) {
        row.add(String.valueOf(value));
        if (timestamp >= 0) {
            row.add(timestamp);
        }
    }

    private static void putVersions(
            VersionedKeyValueStore store, Set<String> keys, Collection<Long> times, ArrayNode rows) {
        for (String key : keys) {
            Set<Long> found = new LinkedHashSet<>();
            for (Long time : times) {
                VersionedRecord<?> record = store.get(key, time);
                if (record != null && found.add(record.timestamp())) {
                    rows.addArray().add(key).add(String.valueOf(record.value()))
                        .add(record.timestamp());
                }
            }
        }
    }
}
