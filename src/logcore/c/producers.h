/* producers.h: what a partition remembers of each producer id: its epoch, its last five batches and
 * its open transaction. A retry of one of the five is answered with its old offset; any other batch
 * must carry the next sequence. Source: Kafka ProducerStateManager, ProducerAppendInfo,
 * ProducerStateEntry.
 *
 * Used with the writer lock held. An open-addressed table with linear probing; producers only leave
 * it when the whole table is built anew. */
#ifndef LOGCORE_PRODUCERS_H
#define LOGCORE_PRODUCERS_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"

enum {
    PL_PRODUCER_BATCHES = 5,
    PL_SEQUENCE_MASK = 0x7fffffff, /* after 2^31 - 1 comes 0 */
    PL_NO_SEQUENCE = -1,
    PL_NO_EPOCH = -1,

    PL_PRODUCER_OK = 0,
    PL_PRODUCER_DUPLICATE = 1,
    PL_PRODUCER_OUT_OF_ORDER = -100003, /* beside -errno, as the writer's codes */
    PL_PRODUCER_OLD_EPOCH = -100004,
    PL_PRODUCER_NOT_TRANSACTIONAL = -100005,
    PL_PRODUCER_COORDINATOR_FENCED = -100006,
};

struct pl_producer_batch {
    int64_t last_offset;
    int64_t timestamp_ms;
    int32_t last_sequence;
    int32_t offset_delta; /* last offset - first offset */
};

struct pl_producer {
    int64_t producer_id; /* -1: a free place */
    int64_t last_timestamp_ms;         /* of its last batch, or of the clock when that came */
    int64_t transaction_first_offset; /* -1 none open */
    int32_t coordinator_epoch;        /* -1 no marker yet */
    int16_t epoch;
    int16_t batch_count;
    struct pl_producer_batch batch[PL_PRODUCER_BATCHES]; /* oldest first */
};

struct pl_producers {
    struct pl_producer *table;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    size_t open_transactions;
};

static inline int32_t pl_last_sequence(const struct pl_batch *batch)
{
    return (int32_t)(((int64_t)batch->base_sequence + batch->last_offset_delta) & PL_SEQUENCE_MASK);
}

static inline void pl_producers_free(struct pl_producers *producers)
{
    struct pl_producer *old = producers->table;
    memset(producers, 0, sizeof *producers);
    free(old);
}

static inline size_t pl_producer_place(const struct pl_producers *producers, int64_t producer_id)
{
    uint64_t hash = (uint64_t)producer_id * 0x9e3779b97f4a7c15u;
    size_t place = (size_t)(hash >> 32) & (producers->capacity - 1);
    while (producers->table[place].producer_id != producer_id
           && producers->table[place].producer_id != -1)
        place = (place + 1) & (producers->capacity - 1);
    return place;
}

/* The producer's entry, or NULL. */
static inline struct pl_producer *
pl_find_producer(const struct pl_producers *producers, int64_t producer_id)
{
    if (producers->capacity == 0)
        return NULL;
    struct pl_producer *entry = &producers->table[pl_producer_place(producers, producer_id)];
    return entry->producer_id == producer_id ? entry : NULL;
}

static inline int pl_producers_resize(struct pl_producers *producers, size_t capacity)
{
    struct pl_producers grown = {.capacity = capacity,
                                 .count = producers->count,
                                 .open_transactions = producers->open_transactions};
    grown.table = malloc(capacity * sizeof *grown.table);
    if (grown.table == NULL)
        return -ENOMEM;
    for (size_t place = 0; place < capacity; place++)
        grown.table[place].producer_id = -1;
    for (size_t place = 0; place < producers->capacity; place++) {
        const struct pl_producer *entry = &producers->table[place];
        if (entry->producer_id != -1)
            grown.table[pl_producer_place(&grown, entry->producer_id)] = *entry;
    }
    struct pl_producer *old = producers->table;
    *producers = grown; /* first: a child that is forked in between frees what is in use */
    free(old);
    return 0;
}

/* Room for one producer more, so that what follows a write cannot fail: 0 or -ENOMEM. */
static inline int pl_producers_reserve(struct pl_producers *producers)
{
    if ((producers->count + 1) * 4 <= producers->capacity * 3)
        return 0;
    return pl_producers_resize(producers, producers->capacity ? producers->capacity * 2 : 16);
}

/* The producer's entry, a new one if there is none; pl_producers_reserve comes first. */
static inline struct pl_producer *
pl_put_producer(struct pl_producers *producers, int64_t producer_id)
{
    struct pl_producer *entry = &producers->table[pl_producer_place(producers, producer_id)];
    if (entry->producer_id != producer_id) {
        memset(entry, 0, sizeof *entry);
        entry->producer_id = producer_id;
        entry->epoch = PL_NO_EPOCH;
        entry->coordinator_epoch = -1;
        entry->last_timestamp_ms = -1;
        entry->transaction_first_offset = -1;
        producers->count++;
    }
    return entry;
}

static inline void pl_set_epoch(struct pl_producer *entry, int16_t epoch)
{
    if (entry->epoch != epoch) {
        entry->epoch = epoch;
        entry->batch_count = 0;
    }
}

/* Whether a client's data batch may be appended. For a duplicate, the offset of its first record as
 * it stands in the log is stored in *base_offset. */
static inline int
pl_check_producer(const struct pl_producers *producers, const struct pl_batch *batch,
                  int64_t *base_offset)
{
    const struct pl_producer *entry = pl_find_producer(producers, batch->producer_id);
    int is_transactional = batch->attributes & PL_TRANSACTIONAL_BIT;
    if (entry == NULL)
        return PL_PRODUCER_OK; /* unknown, or forgotten: any sequence begins it */
    if (batch->producer_epoch < entry->epoch)
        return PL_PRODUCER_OLD_EPOCH;
    int32_t last_sequence = PL_NO_SEQUENCE;
    if (batch->producer_epoch == entry->epoch) {
        for (int i = 0; i < entry->batch_count; i++) {
            const struct pl_producer_batch *known = &entry->batch[i];
            int32_t first = (int32_t)(((int64_t)known->last_sequence - known->offset_delta)
                                      & PL_SEQUENCE_MASK);
            if (known->last_sequence == pl_last_sequence(batch) && first == batch->base_sequence) {
                *base_offset = known->last_offset - known->offset_delta;
                return PL_PRODUCER_DUPLICATE;
            }
            last_sequence = known->last_sequence;
        }
    }
    if (batch->base_sequence
        != (last_sequence == PL_NO_SEQUENCE ? 0 : (int32_t)(((int64_t)last_sequence + 1)
                                                            & PL_SEQUENCE_MASK)))
        return PL_PRODUCER_OUT_OF_ORDER;
    if (entry->transaction_first_offset >= 0 && !is_transactional)
        return PL_PRODUCER_NOT_TRANSACTIONAL;
    return PL_PRODUCER_OK;
}

/* Whether a marker may be appended. */
static inline int
pl_check_marker(const struct pl_producers *producers, const struct pl_batch *batch,
                int32_t coordinator_epoch)
{
    const struct pl_producer *entry = pl_find_producer(producers, batch->producer_id);
    if (entry == NULL)
        return PL_PRODUCER_OK;
    if (batch->producer_epoch < entry->epoch)
        return PL_PRODUCER_OLD_EPOCH;
    return entry->coordinator_epoch > coordinator_epoch ? PL_PRODUCER_COORDINATOR_FENCED
                                                        : PL_PRODUCER_OK;
}

static inline void
pl_note_time(struct pl_producer *entry, const struct pl_batch *batch, int64_t seen_ms)
{
    entry->last_timestamp_ms = batch->max_timestamp_ms > seen_ms ? batch->max_timestamp_ms : seen_ms;
}

/* Take in a batch of the log; pl_producers_reserve comes first. `seen_ms`: it was not appended
 * before that time, -1 where that is not known. Records may be of old times, and their producer is
 * not to be forgotten for it. */
static inline void
pl_note_batch(struct pl_producers *producers, const struct pl_batch *batch, int64_t seen_ms)
{
    struct pl_producer *entry = pl_put_producer(producers, batch->producer_id);
    pl_set_epoch(entry, batch->producer_epoch);
    pl_note_time(entry, batch, seen_ms);
    if (entry->batch_count == PL_PRODUCER_BATCHES) {
        memmove(entry->batch, entry->batch + 1, (PL_PRODUCER_BATCHES - 1) * sizeof *entry->batch);
        entry->batch_count--;
    }
    entry->batch[entry->batch_count++] = (struct pl_producer_batch){
        .last_offset = batch->base_offset + batch->last_offset_delta,
        .timestamp_ms = batch->max_timestamp_ms,
        .last_sequence = pl_last_sequence(batch),
        .offset_delta = batch->last_offset_delta,
    };
    if (batch->attributes & PL_TRANSACTIONAL_BIT && entry->transaction_first_offset < 0) {
        entry->transaction_first_offset = batch->base_offset;
        producers->open_transactions++;
    }
}

/* Take in a marker: returns the first offset of the transaction that it closes, -1 for none. */
static inline int64_t
pl_note_marker(struct pl_producers *producers, const struct pl_batch *batch,
               int32_t coordinator_epoch, int64_t seen_ms)
{
    struct pl_producer *entry = pl_put_producer(producers, batch->producer_id);
    int64_t first_offset = entry->transaction_first_offset;
    pl_set_epoch(entry, batch->producer_epoch);
    pl_note_time(entry, batch, seen_ms);
    entry->coordinator_epoch = coordinator_epoch;
    if (first_offset >= 0) {
        entry->transaction_first_offset = -1;
        producers->open_transactions--;
    }
    return first_offset;
}

/* First offset of the oldest open transaction, leaving out `producer_id` (-1 leaves out none); -1
 * when there is none. */
static inline int64_t
pl_first_unstable_offset(const struct pl_producers *producers, int64_t producer_id)
{
    int64_t first = -1;
    if (producers->open_transactions == 0)
        return -1;
    for (size_t place = 0; place < producers->capacity; place++) {
        const struct pl_producer *entry = &producers->table[place];
        if (entry->producer_id == -1 || entry->producer_id == producer_id
            || entry->transaction_first_offset < 0)
            continue;
        if (first < 0 || entry->transaction_first_offset < first)
            first = entry->transaction_first_offset;
    }
    return first;
}

/* Forget producers whose last batch is older than `least_timestamp_ms` and who have no transaction
 * open: 0 or -ENOMEM. */
static inline int pl_expire_producers(struct pl_producers *producers, int64_t least_timestamp_ms)
{
    size_t kept = 0;
    for (size_t place = 0; place < producers->capacity; place++) {
        struct pl_producer *entry = &producers->table[place];
        if (entry->producer_id != -1
            && (entry->last_timestamp_ms >= least_timestamp_ms
                || entry->transaction_first_offset >= 0))
            kept++;
    }
    if (kept == producers->count)
        return 0;
    struct pl_producers smaller = {0};
    for (size_t place = 0; place < producers->capacity; place++) {
        const struct pl_producer *entry = &producers->table[place];
        if (entry->producer_id == -1
            || (entry->last_timestamp_ms < least_timestamp_ms
                && entry->transaction_first_offset < 0))
            continue;
        if (pl_producers_reserve(&smaller) < 0) {
            pl_producers_free(&smaller);
            return -ENOMEM;
        }
        *pl_put_producer(&smaller, entry->producer_id) = *entry;
    }
    smaller.open_transactions = producers->open_transactions;
    struct pl_producer *old = producers->table;
    *producers = smaller;
    free(old);
    return 0;
}

#endif
