/* batch.h: the record batch, version 2: Kafka's unit of append, checksum and compression.
 *
 *   byte  0..7   base_offset             int64   not under the CRC: the log sets it at append
 *   byte  8..11  batch_length            int32   bytes after this field, total size - 12, at least 49
 *   byte 12..15  partition_leader_epoch  int32   not under the CRC
 *   byte 16      magic                   int8    2
 *   byte 17..20  crc                     uint32  CRC-32C of byte 21 to the end
 *   byte 21..22  attributes              int16   bits 0-2 codec, 3 LogAppendTime, 4 transactional,
 *                                                5 control, 6 delete horizon
 *   byte 23..26  last_offset_delta       int32
 *   byte 27..34  base_timestamp_ms       int64
 *   byte 35..42  max_timestamp_ms        int64
 *   byte 43..50  producer_id             int64   -1 none
 *   byte 51..52  producer_epoch          int16   -1 none
 *   byte 53..56  base_sequence           int32   -1 none
 *   byte 57..60  record_count            int32   at most last_offset_delta + 1
 *   byte 61..    records, compressed as one stream when the codec is not 0
 *
 * A record: length varint | attributes int8 (0) | timestamp_delta varlong | offset_delta varint |
 * key_size varint (-1 null) | key | value_size varint (-1 null) | value | header_count varint |
 * header_count times {key_size varint | key | value_size varint (-1 null) | value}.
 *
 * A batch is valid iff magic is 2, its length lies in bounds, the CRC matches, and its records end
 * where `length` says with nothing left over. All big-endian. Source: Kafka DefaultRecordBatch,
 * DefaultRecord. */
#ifndef LOGCORE_BATCH_H
#define LOGCORE_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "varint.h"

enum {
    PL_BASE_OFFSET_AT = 0,
    PL_BATCH_LENGTH_AT = PL_BASE_OFFSET_AT + 8,
    PL_LEADER_EPOCH_AT = PL_BATCH_LENGTH_AT + 4,
    PL_MAGIC_AT = PL_LEADER_EPOCH_AT + 4,
    PL_CRC_AT = PL_MAGIC_AT + 1,
    PL_ATTRIBUTES_AT = PL_CRC_AT + 4,
    PL_LAST_OFFSET_DELTA_AT = PL_ATTRIBUTES_AT + 2,
    PL_BASE_TIMESTAMP_AT = PL_LAST_OFFSET_DELTA_AT + 4,
    PL_MAX_TIMESTAMP_AT = PL_BASE_TIMESTAMP_AT + 8,
    PL_PRODUCER_ID_AT = PL_MAX_TIMESTAMP_AT + 8,
    PL_PRODUCER_EPOCH_AT = PL_PRODUCER_ID_AT + 8,
    PL_BASE_SEQUENCE_AT = PL_PRODUCER_EPOCH_AT + 2,
    PL_RECORD_COUNT_AT = PL_BASE_SEQUENCE_AT + 4,
    PL_RECORDS_AT = PL_RECORD_COUNT_AT + 4,

    PL_BATCH_HEADER_SIZE = PL_RECORDS_AT,
    PL_BATCH_PREFIX_SIZE = 12, /* base_offset and batch_length: what batch_length does not count */
    PL_MIN_BATCH_LENGTH = PL_BATCH_HEADER_SIZE - PL_BATCH_PREFIX_SIZE,
    PL_MIN_RECORD_SIZE = 7,    /* length, attributes, two deltas, two sizes, header count */
    PL_MAX_RECORD_OVERHEAD = 21 + PL_VARLONG_MAX_BYTES,

    PL_CODEC_MASK = 0x07,
    PL_LOG_APPEND_TIME_BIT = 0x08,
    PL_TRANSACTIONAL_BIT = 0x10,
    PL_CONTROL_BIT = 0x20,
    PL_DELETE_HORIZON_BIT = 0x40,
    PL_RESERVED_BITS = 0xffe0,  /* what no client may set: control, delete horizon, those not in use */
    PL_CODEC_COUNT = 5,
};
_Static_assert(PL_BATCH_HEADER_SIZE == 61, "record batch v2 has a 61-byte header");
_Static_assert(PL_MIN_BATCH_LENGTH == 49, "an empty batch counts 49 bytes after batch_length");

struct pl_batch {
    int64_t base_offset;
    int64_t base_timestamp_ms;
    int64_t max_timestamp_ms;
    int64_t producer_id;
    int32_t batch_length;
    int32_t leader_epoch;
    int32_t last_offset_delta;
    int32_t base_sequence;
    int32_t record_count;
    uint32_t crc;
    int16_t attributes;
    int16_t producer_epoch;
    int8_t magic;
};

struct pl_record {
    int64_t timestamp_delta_ms;
    const uint8_t *key;
    const uint8_t *value;
    const uint8_t *headers; /* first byte after header_count */
    int32_t offset_delta;
    int32_t key_size;       /* -1 null */
    int32_t value_size;     /* -1 null */
    int32_t header_count;
};

enum pl_batch_status {
    PL_BATCH_OK = 0,
    PL_BATCH_INCOMPLETE,   /* fewer bytes here than the batch claims */
    PL_BATCH_BAD_LENGTH,
    PL_BATCH_BAD_MAGIC,
    PL_BATCH_BAD_CRC,
    PL_BATCH_BAD_CODEC,
    PL_BATCH_BAD_COUNT,
};

static inline size_t pl_batch_size(const uint8_t *p)
{
    return (size_t)PL_BATCH_PREFIX_SIZE + pl_load_u32(p + PL_BATCH_LENGTH_AT);
}

static inline void pl_load_batch(const uint8_t *p, struct pl_batch *batch)
{
    batch->base_offset = pl_load_i64(p + PL_BASE_OFFSET_AT);
    batch->batch_length = pl_load_i32(p + PL_BATCH_LENGTH_AT);
    batch->leader_epoch = pl_load_i32(p + PL_LEADER_EPOCH_AT);
    batch->magic = (int8_t)p[PL_MAGIC_AT];
    batch->crc = pl_load_u32(p + PL_CRC_AT);
    batch->attributes = pl_load_i16(p + PL_ATTRIBUTES_AT);
    batch->last_offset_delta = pl_load_i32(p + PL_LAST_OFFSET_DELTA_AT);
    batch->base_timestamp_ms = pl_load_i64(p + PL_BASE_TIMESTAMP_AT);
    batch->max_timestamp_ms = pl_load_i64(p + PL_MAX_TIMESTAMP_AT);
    batch->producer_id = pl_load_i64(p + PL_PRODUCER_ID_AT);
    batch->producer_epoch = pl_load_i16(p + PL_PRODUCER_EPOCH_AT);
    batch->base_sequence = pl_load_i32(p + PL_BASE_SEQUENCE_AT);
    batch->record_count = pl_load_i32(p + PL_RECORD_COUNT_AT);
}

/* The shape of a header without its checksum: `available` bytes may end before the batch does. */
static inline enum pl_batch_status
pl_check_batch_header(const uint8_t *p, size_t available, struct pl_batch *batch)
{
    if (available < PL_BATCH_HEADER_SIZE)
        return PL_BATCH_INCOMPLETE;
    pl_load_batch(p, batch);
    if (batch->magic != 2)
        return PL_BATCH_BAD_MAGIC;
    if (batch->batch_length < PL_MIN_BATCH_LENGTH || batch->base_offset < 0)
        return PL_BATCH_BAD_LENGTH;
    if (batch->last_offset_delta < 0 || batch->record_count < 0
        || batch->record_count > (int64_t)batch->last_offset_delta + 1)
        return PL_BATCH_BAD_COUNT;
    if ((batch->attributes & PL_CODEC_MASK) >= PL_CODEC_COUNT)
        return PL_BATCH_BAD_CODEC;
    if ((batch->attributes & PL_CODEC_MASK) == 0
        && (int64_t)batch->record_count * PL_MIN_RECORD_SIZE
               > (int64_t)batch->batch_length - PL_MIN_BATCH_LENGTH)
        return PL_BATCH_BAD_COUNT;
    return PL_BATCH_OK;
}

static inline uint32_t pl_batch_crc(const uint8_t *p, size_t size)
{
    return pl_crc32c(0, p + PL_ATTRIBUTES_AT, size - PL_ATTRIBUTES_AT);
}

/* Header, bounds and checksum of the batch at `p`. */
static inline enum pl_batch_status
pl_check_batch(const uint8_t *p, size_t available, struct pl_batch *batch)
{
    enum pl_batch_status status = pl_check_batch_header(p, available, batch);
    if (status != PL_BATCH_OK)
        return status;
    size_t size = (size_t)PL_BATCH_PREFIX_SIZE + (size_t)batch->batch_length;
    if (size > available)
        return PL_BATCH_INCOMPLETE;
    return pl_batch_crc(p, size) == batch->crc ? PL_BATCH_OK : PL_BATCH_BAD_CRC;
}

/* Write a whole header for `size` bytes of batch whose records already stand at PL_RECORDS_AT,
 * as a producer sends it: base_offset 0, epoch -1, and the CRC last. */
static inline void
pl_seal_producer_batch(uint8_t *p, size_t size, int16_t attributes, int32_t record_count,
                       int64_t base_timestamp_ms, int64_t max_timestamp_ms, int64_t producer_id,
                       int16_t producer_epoch, int32_t base_sequence)
{
    pl_store_u64(p + PL_BASE_OFFSET_AT, 0);
    pl_store_u32(p + PL_BATCH_LENGTH_AT, (uint32_t)(size - PL_BATCH_PREFIX_SIZE));
    pl_store_u32(p + PL_LEADER_EPOCH_AT, (uint32_t)-1);
    p[PL_MAGIC_AT] = 2;
    pl_store_u16(p + PL_ATTRIBUTES_AT, (uint16_t)attributes);
    pl_store_u32(p + PL_LAST_OFFSET_DELTA_AT, (uint32_t)(record_count - 1));
    pl_store_u64(p + PL_BASE_TIMESTAMP_AT, (uint64_t)base_timestamp_ms);
    pl_store_u64(p + PL_MAX_TIMESTAMP_AT, (uint64_t)max_timestamp_ms);
    pl_store_u64(p + PL_PRODUCER_ID_AT, (uint64_t)producer_id);
    pl_store_u16(p + PL_PRODUCER_EPOCH_AT, (uint16_t)producer_epoch);
    pl_store_u32(p + PL_BASE_SEQUENCE_AT, (uint32_t)base_sequence);
    pl_store_u32(p + PL_RECORD_COUNT_AT, (uint32_t)record_count);
    pl_store_u32(p + PL_CRC_AT, pl_batch_crc(p, size));
}

/* The same for a producer without an id. */
static inline void
pl_seal_batch(uint8_t *p, size_t size, int16_t attributes, int32_t record_count,
              int64_t base_timestamp_ms, int64_t max_timestamp_ms)
{
    pl_seal_producer_batch(p, size, attributes, record_count, base_timestamp_ms, max_timestamp_ms,
                           -1, -1, -1);
}

/* Turn the batch into one of LogAppendTime `now_ms`: the time counts for every record in it. */
static inline void pl_stamp_log_append_time(uint8_t *p, size_t size, int64_t now_ms)
{
    int16_t attributes = pl_load_i16(p + PL_ATTRIBUTES_AT);
    pl_store_u16(p + PL_ATTRIBUTES_AT, (uint16_t)(attributes | PL_LOG_APPEND_TIME_BIT));
    pl_store_u64(p + PL_MAX_TIMESTAMP_AT, (uint64_t)now_ms);
    pl_store_u32(p + PL_CRC_AT, pl_batch_crc(p, size));
}

/* Most bytes that one record can take, headers counted by their encoded size. */
static inline size_t pl_record_bound(int64_t key_size, int64_t value_size, size_t headers_size)
{
    return PL_MAX_RECORD_OVERHEAD + (size_t)(key_size > 0 ? key_size : 0)
         + (size_t)(value_size > 0 ? value_size : 0) + headers_size;
}

/* Encode one record at `p`; room is the caller's duty (pl_record_bound). `headers` holds
 * `header_count` headers already encoded. Returns the byte after the record. */
static inline uint8_t *
pl_put_record(uint8_t *p, int64_t timestamp_delta_ms, int32_t offset_delta, const uint8_t *key,
              int32_t key_size, const uint8_t *value, int32_t value_size, const uint8_t *headers,
              size_t headers_size, int32_t header_count)
{
    size_t key_bytes = key_size > 0 ? (size_t)key_size : 0;
    size_t value_bytes = value_size > 0 ? (size_t)value_size : 0;
    size_t length = 1 + pl_varlong_size(timestamp_delta_ms) + pl_varlong_size(offset_delta)
                  + pl_varlong_size(key_size) + key_bytes + pl_varlong_size(value_size)
                  + value_bytes + pl_varlong_size(header_count) + headers_size;
    p = pl_put_varlong(p, (int64_t)length);
    *p++ = 0;
    p = pl_put_varlong(p, timestamp_delta_ms);
    p = pl_put_varlong(p, offset_delta);
    p = pl_put_varlong(p, key_size);
    if (key_bytes)
        memcpy(p, key, key_bytes);
    p += key_bytes;
    p = pl_put_varlong(p, value_size);
    if (value_bytes)
        memcpy(p, value, value_bytes);
    p += value_bytes;
    p = pl_put_varlong(p, header_count);
    if (headers_size)
        memcpy(p, headers, headers_size);
    return p + headers_size;
}

/* One header: sizes in bounds, key not null. Returns the byte after it, or NULL. */
static inline const uint8_t *
pl_get_header(const uint8_t *p, const uint8_t *end, const uint8_t **key, int32_t *key_size,
              const uint8_t **value, int32_t *value_size)
{
    p = pl_get_varint(p, end, key_size);
    if (p == NULL || *key_size < 0 || *key_size > end - p)
        return NULL;
    *key = p;
    p = pl_get_varint(p + *key_size, end, value_size);
    if (p == NULL || *value_size < -1 || *value_size > end - p)
        return NULL;
    *value = p;
    return p + (*value_size > 0 ? *value_size : 0);
}

/* Decode the record at `p`. Returns the byte after it, or NULL when it is malformed. */
static inline const uint8_t *
pl_get_record(const uint8_t *p, const uint8_t *end, struct pl_record *record)
{
    int32_t length;
    p = pl_get_varint(p, end, &length);
    if (p == NULL || length < PL_MIN_RECORD_SIZE - 1 || length > end - p)
        return NULL;
    const uint8_t *record_end = p + length;
    p++; /* attributes: no bit is in use */
    p = pl_get_varlong(p, record_end, &record->timestamp_delta_ms);
    if (p == NULL)
        return NULL;
    p = pl_get_varint(p, record_end, &record->offset_delta);
    if (p == NULL)
        return NULL;
    p = pl_get_varint(p, record_end, &record->key_size);
    if (p == NULL || record->key_size < -1 || record->key_size > record_end - p)
        return NULL;
    record->key = p;
    p += record->key_size > 0 ? record->key_size : 0;
    p = pl_get_varint(p, record_end, &record->value_size);
    if (p == NULL || record->value_size < -1 || record->value_size > record_end - p)
        return NULL;
    record->value = p;
    p += record->value_size > 0 ? record->value_size : 0;
    p = pl_get_varint(p, record_end, &record->header_count);
    if (p == NULL || record->header_count < 0 || record->header_count > record_end - p)
        return NULL;
    record->headers = p;
    for (int32_t i = 0; i < record->header_count; i++) {
        const uint8_t *key, *value;
        int32_t key_size, value_size;
        p = pl_get_header(p, record_end, &key, &key_size, &value, &value_size);
        if (p == NULL)
            return NULL;
    }
    return p == record_end ? p : NULL;
}

/* Whether [p, end) is exactly `record_count` records with the offset deltas 0, 1, 2, ... */
static inline int pl_check_records(const uint8_t *p, const uint8_t *end, int32_t record_count)
{
    struct pl_record record;
    for (int32_t i = 0; i < record_count; i++) {
        p = pl_get_record(p, end, &record);
        if (p == NULL || record.offset_delta != i)
            return 0;
    }
    return p == end;
}

/* Absolute timestamp of a record: a LogAppendTime batch carries one time for all. */
static inline int64_t pl_record_timestamp(const struct pl_batch *batch, const struct pl_record *record)
{
    if (batch->attributes & PL_LOG_APPEND_TIME_BIT)
        return batch->max_timestamp_ms;
    return (int64_t)((uint64_t)batch->base_timestamp_ms + (uint64_t)record->timestamp_delta_ms);
}

#endif
