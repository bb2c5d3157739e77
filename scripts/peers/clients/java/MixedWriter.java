import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * MixedWriter BOOTSTRAP HISTORY PROCESS SEED TRANSACTIONAL_ID TOPIC PARTITIONS: writes transactions
 * for ever, and says in HISTORY what it begins and what it was told, until it is fenced.
 *
 * <p>The frames of HISTORY are those of tests/model/history.py, records those of
 * tests/model/layout.py; a partition's key there is its number. System.nanoTime() is
 * CLOCK_MONOTONIC on Linux, as the frames want it.
 */
public final class MixedWriter {
    private static final int PRODUCE = 1;
    private static final int BEGIN = 8;
    private static final int COMMIT_TXN = 10;
    private static final int ABORT_TXN = 11;
    private static final int INIT_TXN = 12;
    private static final int END = 15;
    private static final int INVOKE = 0;
    private static final int OK = 1;
    private static final int FAIL = 2;
    private static final int FRAME_SIZE = 24;
    private static final int ENTRY_SIZE = 20;
    private static final int TRANSACTION_TIMEOUT_MS = 3000;

    /** A record of this process, and where it is. */
    private record Entry(int key, int number, long offset) {}

    private final FileOutputStream history;
    private final int process;
    private final Random chance;
    private final String topic;
    private final int partitions;
    private final KafkaProducer<byte[], byte[]> producer;
    private final List<Entry> delivered = new ArrayList<>();
    private int operation;
    private int txn;
    private int sent;

    private MixedWriter(String[] arguments) throws IOException {
        history = new FileOutputStream(arguments[1], true);
        process = Integer.parseInt(arguments[2]);
        chance = new Random(Long.parseLong(arguments[3]));
        topic = arguments[5];
        partitions = Integer.parseInt(arguments[6]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("transactional.id", arguments[4]);
        properties.put("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS);
        properties.put("linger.ms", chance.nextInt(3));
        properties.put("batch.size", chance.nextBoolean() ? 500 : 16384);
        properties.put("reconnect.backoff.max.ms", 200);
        producer = new KafkaProducer<>(
            properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    public static void main(String[] arguments) throws Exception {
        MixedWriter writer = new MixedWriter(arguments);
        try {
            writer.work();
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            System.err.println("ended by " + e);
            writer.write(END, OK, 0, 0, List.of());
            System.exit(0);
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private void work() throws Exception {
        write(INIT_TXN, INVOKE, ++operation, 0, List.of());
        retried(producer::initTransactions);
        write(INIT_TXN, OK, operation, 0, List.of());
        while (true) {
            producer.beginTransaction();
            txn++;
            write(BEGIN, OK, 0, txn, List.of());
            try {
                int rounds = 1 + chance.nextInt(3);
                for (int round = 0; round < rounds; round++) {
                    send(1 + chance.nextInt(12));
                }
                if (chance.nextInt(100) < 80) {
                    commit();
                } else {
                    abort();
                }
            } catch (ProducerFencedException | InvalidProducerEpochException e) {
                throw e;
            } catch (KafkaException e) {
                System.err.println("transaction " + txn + " is aborted after " + e);
                abort();
            }
            Thread.sleep(chance.nextInt(60));
        }
    }

    private void send(int count) throws Exception {
        List<Entry> entries = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            entries.add(new Entry(chance.nextInt(partitions), sent++, -1));
        }
        write(PRODUCE, INVOKE, ++operation, txn, entries);
        for (Entry entry : entries) {
            producer.send(
                new ProducerRecord<>(topic, entry.key(), null, value(entry.number())),
                (metadata, error) -> {
                    if (error == null) {
                        synchronized (delivered) {
                            delivered.add(new Entry(entry.key(), entry.number(), metadata.offset()));
                        }
                    }
                });
        }
        if (chance.nextInt(3) == 0) {
            producer.flush();
            writeDelivered();
        }
    }

    private void commit() throws Exception {
        int number = ++operation;
        write(COMMIT_TXN, INVOKE, number, txn, List.of());
        try {
            retried(producer::commitTransaction);
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            throw e; // who has taken the id may have completed it
        } catch (KafkaException e) {
            write(COMMIT_TXN, FAIL, number, txn, List.of());
            throw e;
        }
        writeDelivered();
        write(COMMIT_TXN, OK, number, txn, List.of());
    }

    private void abort() throws Exception {
        int number = ++operation;
        write(ABORT_TXN, INVOKE, number, txn, List.of());
        retried(producer::abortTransaction);
        writeDelivered();
        write(ABORT_TXN, OK, number, txn, List.of());
    }

    /** What has timed out may be called again, and must be. */
    private static void retried(Runnable call) {
        while (true) {
            try {
                call.run();
                return;
            } catch (TimeoutException e) {
                System.err.println("once more after " + e);
            }
        }
    }

    private byte[] value(int number) {
        int turn = (int) (((long) process * 7919 + (long) number * 31) % 500);
        int first = turn % 95;
        ByteBuffer value = little(8 + turn - first).putInt(process).putInt(number);
        for (int place = first; place < turn; place++) {
            value.put((byte) (32 + place % 95));
        }
        return value.array();
    }

    private void writeDelivered() throws IOException {
        List<Entry> told;
        synchronized (delivered) {
            told = List.copyOf(delivered);
            delivered.clear();
        }
        if (!told.isEmpty()) {
            write(PRODUCE, OK, 0, txn, told);
        }
    }

    private void write(int kind, int result, int number, int txn, List<Entry> entries)
            throws IOException {
        ByteBuffer frame = little(FRAME_SIZE + ENTRY_SIZE * entries.size());
        frame.put((byte) kind).put((byte) result).putShort((short) 0);
        frame.putInt(number).putInt(txn).putInt(entries.size()).putLong(System.nanoTime());
        for (Entry entry : entries) {
            frame.putInt(entry.key()).putInt(process).putInt(entry.number());
            frame.putLong(entry.offset());
        }
        history.write(frame.array());
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
