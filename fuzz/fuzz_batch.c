/* fuzz_batch.c: whatever bytes claim to be a run of record batches, walking them stays inside.
 *
 * Each batch is walked twice: as it is, and with its CRC put right, since a random change would
 * otherwise never get past the checksum. */
#include "../src/logcore/c/batch.h"

#include "driver.h"

static void walk_records(const uint8_t *start, size_t size, const struct pl_batch *batch)
{
    const uint8_t *p = start + PL_RECORDS_AT, *end = start + size;
    struct pl_record record;
    for (int32_t i = 0; i < batch->record_count; i++) {
        const uint8_t *after = pl_get_record(p, end, &record);
        if (after == NULL)
            return;
        FUZZ_CHECK(after > p && after <= end);
        FUZZ_CHECK(record.key_size < 0 || (record.key >= p && record.key + record.key_size <= after));
        FUZZ_CHECK(record.value_size < 0
                   || (record.value >= p && record.value + record.value_size <= after));
        (void)pl_record_timestamp(batch, &record);
        p = after;
    }
}

static size_t walk_batch(const uint8_t *p, size_t available)
{
    struct pl_batch batch;
    if (pl_check_batch_header(p, available, &batch) != PL_BATCH_OK)
        return 0;
    size_t size = pl_batch_size(p);
    FUZZ_CHECK(size >= PL_BATCH_HEADER_SIZE);
    if (pl_check_batch(p, available, &batch) == PL_BATCH_OK) {
        FUZZ_CHECK(size <= available);
        walk_records(p, size, &batch);
    }
    return size <= available ? size : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int is_ready;
    if (!is_ready) {
        pl_crc32c_init();
        is_ready = 1;
    }
    FUZZ_CHECK(pl_crc32c(0, data, size) == ~pl_crc32c_table(~0u, data, size));
    for (size_t at = 0, step; at < size && (step = walk_batch(data + at, size - at)); at += step) {
        uint8_t *copy = malloc(step);
        FUZZ_CHECK(copy != NULL);
        memcpy(copy, data + at, step);
        pl_store_u32(copy + PL_CRC_AT, pl_batch_crc(copy, step));
        FUZZ_CHECK(walk_batch(copy, step) == step);
        pl_stamp_log_append_time(copy, step, 1700000000000);
        FUZZ_CHECK(walk_batch(copy, step) == step);
        free(copy);
    }
    return 0;
}
