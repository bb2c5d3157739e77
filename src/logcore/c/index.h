/* index.h: entries of the sparse offset index and time index of a segment.
 *
 *   .index       byte 0..3   relative_offset  int32, offset - base_offset of the segment
 *                byte 4..7   position         int32, byte in the .log file where a batch starts
 *   .timeindex   byte 0..7   timestamp_ms     int64, largest timestamp so far
 *                byte 8..11  relative_offset  int32, last offset of the batch that holds it
 *   .txnindex    byte 0..1   version          int16, 0: an aborted transaction whose marker stands
 *                byte 2..9   producer_id      int64            in this segment
 *                byte 10..17 first_offset     int64
 *                byte 18..25 last_offset      int64, of the marker
 *                byte 26..33 last_stable_offset  int64, once the marker was written
 *
 * Entries are big-endian and rise strictly. They are not checksummed: a look-up is checked against
 * the .log (log.pyx), and recovery rebuilds them. Source: Kafka OffsetIndex, TimeIndex, AbortedTxn. */
#ifndef LOGCORE_INDEX_H
#define LOGCORE_INDEX_H

#include "bytes.h"

enum { PL_OFFSET_ENTRY_SIZE = 8, PL_TIME_ENTRY_SIZE = 12, PL_TXN_ENTRY_SIZE = 34 };

static inline void pl_put_offset_entry(uint8_t *p, uint32_t relative_offset, uint32_t position)
{
    pl_store_u32(p, relative_offset);
    pl_store_u32(p + 4, position);
}

static inline void pl_put_time_entry(uint8_t *p, int64_t timestamp_ms, uint32_t relative_offset)
{
    pl_store_u64(p, (uint64_t)timestamp_ms);
    pl_store_u32(p + 8, relative_offset);
}

static inline void pl_put_txn_entry(uint8_t *p, int64_t producer_id, int64_t first_offset,
                                    int64_t last_offset, int64_t last_stable_offset)
{
    pl_store_u16(p, 0);
    pl_store_u64(p + 2, (uint64_t)producer_id);
    pl_store_u64(p + 10, (uint64_t)first_offset);
    pl_store_u64(p + 18, (uint64_t)last_offset);
    pl_store_u64(p + 26, (uint64_t)last_stable_offset);
}

static inline int64_t pl_txn_entry_last_offset(const uint8_t *p) { return pl_load_i64(p + 18); }

/* Slot of the greatest entry whose relative_offset is <= target, or -1. */
static inline int64_t
pl_offset_lower_bound(const uint8_t *entries, int64_t count, int64_t target_relative_offset)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if ((int64_t)pl_load_u32(entries + middle * PL_OFFSET_ENTRY_SIZE) <= target_relative_offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* Slot of the greatest entry whose timestamp is <= target, or -1. */
static inline int64_t
pl_time_lower_bound(const uint8_t *entries, int64_t count, int64_t target_timestamp_ms)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (pl_load_i64(entries + middle * PL_TIME_ENTRY_SIZE) <= target_timestamp_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

#endif
