/* fuzz_record.c: a record that decodes, encodes to one that decodes the same; so do its headers. */
#include "../src/logcore/c/batch.h"

#include "driver.h"

static int equal(const uint8_t *a, int32_t a_size, const uint8_t *b, int32_t b_size)
{
    return a_size == b_size && (a_size <= 0 || memcmp(a, b, (size_t)a_size) == 0);
}

static void walk_headers(const struct pl_record *record, const uint8_t *end)
{
    const uint8_t *p = record->headers, *key, *value;
    int32_t key_size, value_size;
    for (int32_t i = 0; i < record->header_count; i++) {
        p = pl_get_header(p, end, &key, &key_size, &value, &value_size);
        FUZZ_CHECK(p != NULL && p <= end); /* pl_get_record has accepted them */
        FUZZ_CHECK(key_size >= 0 && key + key_size <= end);
        FUZZ_CHECK(value_size >= -1 && value + (value_size > 0 ? value_size : 0) <= end);
    }
}

static void check_encoding(const struct pl_record *record, const uint8_t *end)
{
    size_t headers_size = (size_t)(end - record->headers);
    size_t bound = pl_record_bound(record->key_size, record->value_size, headers_size);
    uint8_t *encoded = malloc(bound);
    struct pl_record again;
    FUZZ_CHECK(encoded != NULL);
    uint8_t *after = pl_put_record(encoded, record->timestamp_delta_ms, record->offset_delta,
                                   record->key, record->key_size, record->value,
                                   record->value_size, record->headers, headers_size,
                                   record->header_count);
    FUZZ_CHECK(after <= encoded + bound);
    FUZZ_CHECK(pl_get_record(encoded, after, &again) == after);
    FUZZ_CHECK(again.timestamp_delta_ms == record->timestamp_delta_ms);
    FUZZ_CHECK(again.offset_delta == record->offset_delta);
    FUZZ_CHECK(equal(record->key, record->key_size, again.key, again.key_size));
    FUZZ_CHECK(equal(record->value, record->value_size, again.value, again.value_size));
    FUZZ_CHECK(again.header_count == record->header_count);
    /* every shorter piece of it is refused, without a look beyond its end */
    for (size_t size = 0, whole = (size_t)(after - encoded); size < whole && whole < 256; size++) {
        uint8_t *piece = malloc(size ? size : 1);
        FUZZ_CHECK(piece != NULL);
        memcpy(piece, encoded, size);
        FUZZ_CHECK(pl_get_record(piece, piece + size, &again) == NULL);
        free(piece);
    }
    free(encoded);
}

/* The first bytes as an integer that the end of memory cuts off. */
static void check_varints(const uint8_t *data, size_t most)
{
    for (size_t size = 0; size <= most && size <= PL_VARLONG_MAX_BYTES; size++) {
        uint8_t *piece = malloc(size + 1), *end = piece + size + 1;
        int32_t short_value;
        int64_t long_value;
        FUZZ_CHECK(piece != NULL);
        memcpy(piece + 1, data, size);
        const uint8_t *short_after = pl_get_varint(piece + 1, end, &short_value);
        const uint8_t *long_after = pl_get_varlong(piece + 1, end, &long_value);
        FUZZ_CHECK(short_after == NULL || short_after <= piece + 1 + PL_VARINT_MAX_BYTES);
        FUZZ_CHECK(short_after == NULL || (short_after == long_after && short_value == long_value));
        FUZZ_CHECK(long_after == NULL || long_after <= end);
        free(piece);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_varints(data, size);
    const uint8_t *p = data, *end = data + size;
    struct pl_record record;
    if (size > PL_RECORDS_AT && data[PL_MAGIC_AT] == 2)
        p += PL_RECORDS_AT; /* a corpus of segments: begin at the first batch's records */
    while (p < end) {
        const uint8_t *after = pl_get_record(p, end, &record);
        if (after == NULL) {
            p++;
            continue;
        }
        FUZZ_CHECK(after > p && after <= end);
        walk_headers(&record, after);
        check_encoding(&record, after);
        p = after;
    }
    return 0;
}
