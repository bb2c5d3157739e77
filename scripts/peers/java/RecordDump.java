import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.kafka.common.record.internal.FileLogInputStream.FileChannelRecordBatch;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.CloseableIterator;

/**
 * RecordDump FILE.log ...: every batch and every record of segment files as Kafka's own classes
 * read them, one JSON object a line: {"batch": ...} followed by its {"record": ...} lines.
 *
 * <p>DumpLogSegments prints neither the values of headers nor bytes that are not text; this does.
 * A batch whose CRC does not match, or a file with bytes after its last batch, ends the program
 * with an exception.
 */
public final class RecordDump {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String name : arguments) {
            try (FileRecords records = FileRecords.open(new File(name), false)) {
                dump(name, records, out);
            }
        }
        out.flush();
    }

    private static void dump(String name, FileRecords records, PrintStream out) throws Exception {
        long end = 0;
        for (FileChannelRecordBatch batch : records.batches()) {
            batch.ensureValid();
            end = batch.position() + batch.sizeInBytes();
            ObjectNode line = Json.MAPPER.createObjectNode();
            line.putObject("batch")
                .put("file", new File(name).getName())
                .put("position", batch.position())
                .put("size_bytes", batch.sizeInBytes())
                .put("base_offset", batch.baseOffset())
                .put("last_offset", batch.lastOffset())
                .put("count", batch.countOrNull())
                .put("partition_leader_epoch", batch.partitionLeaderEpoch())
                .put("magic", batch.magic())
                .put("crc", batch.checksum())
                .put("compression", batch.compressionType().name)
                .put("timestamp_type", batch.timestampType().name)
                .put("max_timestamp_ms", batch.maxTimestamp())
                .put("producer_id", batch.producerId())
                .put("producer_epoch", batch.producerEpoch())
                .put("base_sequence", batch.baseSequence())
                .put("is_transactional", batch.isTransactional())
                .put("is_control", batch.isControlBatch())
                .put("delete_horizon_ms",
                    batch.deleteHorizonMs().isPresent() ? batch.deleteHorizonMs().getAsLong() : null);
            out.println(Json.MAPPER.writeValueAsString(line));
            try (CloseableIterator<Record> iterator =
                     batch.streamingIterator(BufferSupplier.create())) {
                while (iterator.hasNext()) {
                    out.println(Json.MAPPER.writeValueAsString(recordLine(iterator.next())));
                }
            }
        }
        if (end != records.sizeInBytes()) {
            throw new IllegalStateException(
                name + ": " + (records.sizeInBytes() - end) + " bytes after the last batch");
        }
    }

    private static ObjectNode recordLine(Record record) {
        ObjectNode line = Json.MAPPER.createObjectNode();
        ObjectNode fields = line.putObject("record")
            .put("offset", record.offset())
            .put("timestamp_ms", record.timestamp())
            .put("key", record.hasKey() ? Json.hex(bytes(record.key())) : null)
            .put("value", record.hasValue() ? Json.hex(bytes(record.value())) : null);
        Json.putHeaders(fields, List.of(record.headers()));
        return line;
    }

    private static byte[] bytes(java.nio.ByteBuffer buffer) {
        byte[] copy = new byte[buffer.remaining()];
        buffer.get(copy);
        return copy;
    }
}
