/* fuzz_producers.c: the table of producers against an array of a few. Each 8 bytes of input are a
 * step: a batch or a marker of one of 32 producers, or a day going by. */
#include "../src/logcore/c/producers.h"

#include "driver.h"

enum { PRODUCERS = 32 };

struct model {
    int64_t first_offset; /* of the open transaction, -1 none */
    int64_t last_ms;
    int64_t batch_offset; /* of the last batch, -1 none in this epoch */
    int32_t base_sequence, last_sequence;
    int16_t epoch;
    int known;
};

static int64_t first_unstable(const struct model *models)
{
    int64_t first = -1;
    for (int i = 0; i < PRODUCERS; i++)
        if (models[i].known && models[i].first_offset >= 0
            && (first < 0 || models[i].first_offset < first))
            first = models[i].first_offset;
    return first;
}

static void check(const struct pl_producers *table, const struct model *models)
{
    size_t count = 0;
    for (int i = 0; i < PRODUCERS; i++) {
        const struct pl_producer *entry = pl_find_producer(table, i * 7919);
        FUZZ_CHECK((entry != NULL) == models[i].known);
        if (entry == NULL)
            continue;
        count++;
        FUZZ_CHECK(entry->epoch == models[i].epoch);
        FUZZ_CHECK(entry->transaction_first_offset == models[i].first_offset);
        FUZZ_CHECK((entry->batch_count > 0) == (models[i].batch_offset >= 0));
        if (entry->batch_count > 0)
            FUZZ_CHECK(entry->batch[entry->batch_count - 1].last_sequence
                       == models[i].last_sequence);
    }
    FUZZ_CHECK(table->count == count);
    FUZZ_CHECK(pl_first_unstable_offset(table, -1) == first_unstable(models));
}

static void mark(struct pl_producers *table, struct model *model, struct pl_batch *batch)
{
    if (pl_check_marker(table, batch, 0) != PL_PRODUCER_OK) {
        FUZZ_CHECK(model->known && batch->producer_epoch < model->epoch);
        return;
    }
    int64_t first = pl_note_marker(table, batch, 0, batch->max_timestamp_ms);
    FUZZ_CHECK(first == (model->known ? model->first_offset : -1));
    if (!model->known || model->epoch != batch->producer_epoch)
        model->batch_offset = -1;
    model->known = 1;
    model->epoch = batch->producer_epoch;
    model->first_offset = -1;
    model->last_ms = batch->max_timestamp_ms;
}

static void append(struct pl_producers *table, struct model *model, struct pl_batch *batch)
{
    int64_t base_offset = -1;
    int32_t last_sequence = pl_last_sequence(batch);
    int is_new = !model->known || batch->producer_epoch > model->epoch || model->batch_offset < 0;
    int verdict = pl_check_producer(table, batch, &base_offset);
    if (model->known && batch->producer_epoch < model->epoch) {
        FUZZ_CHECK(verdict == PL_PRODUCER_OLD_EPOCH);
        return;
    }
    if (!is_new && batch->base_sequence == model->base_sequence
        && last_sequence == model->last_sequence) {
        FUZZ_CHECK(verdict == PL_PRODUCER_DUPLICATE && base_offset == model->batch_offset);
        return;
    }
    if (verdict != PL_PRODUCER_OK)
        return;
    if (model->known)
        FUZZ_CHECK(batch->base_sequence
                   == (is_new ? 0 : (int32_t)(((int64_t)model->last_sequence + 1)
                                              & PL_SEQUENCE_MASK)));
    pl_note_batch(table, batch, batch->max_timestamp_ms);
    if (!model->known || batch->producer_epoch > model->epoch)
        model->first_offset = model->known ? model->first_offset : -1;
    model->known = 1;
    model->epoch = batch->producer_epoch;
    model->batch_offset = batch->base_offset;
    model->base_sequence = batch->base_sequence;
    model->last_sequence = last_sequence;
    model->last_ms = batch->max_timestamp_ms;
    if (batch->attributes & PL_TRANSACTIONAL_BIT && model->first_offset < 0)
        model->first_offset = batch->base_offset;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_producers table = {0};
    struct model models[PRODUCERS];
    memset(models, 0, sizeof models);
    for (int i = 0; i < PRODUCERS; i++)
        models[i].first_offset = models[i].batch_offset = -1;
    int64_t offset = 0, now_ms = 1000;
    for (; size >= 8; data += 8, size -= 8) {
        int number = data[1] % PRODUCERS;
        struct model *model = &models[number];
        struct pl_batch batch = {
            .base_offset = offset,
            .max_timestamp_ms = now_ms,
            .producer_id = number * 7919,
            .producer_epoch = (int16_t)(data[2] & 0x80 ? data[2] & 3 : model->epoch),
            .last_offset_delta = data[3] & 7,
            .base_sequence = data[0] & 0x40 ? (int32_t)(pl_load_u32(data + 4) & PL_SEQUENCE_MASK)
                           : model->batch_offset < 0 || data[0] & 0x20
                               ? model->base_sequence * (model->batch_offset >= 0)
                               : (int32_t)(((int64_t)model->last_sequence + 1) & PL_SEQUENCE_MASK),
            .attributes = (int16_t)(data[0] & 8 ? PL_TRANSACTIONAL_BIT : 0),
        };
        FUZZ_CHECK(pl_producers_reserve(&table) == 0);
        switch (data[0] & 7) {
        case 0:
            mark(&table, model, &batch);
            break;
        case 1:
            now_ms += data[3];
            FUZZ_CHECK(pl_expire_producers(&table, now_ms - 300) == 0);
            for (int i = 0; i < PRODUCERS; i++)
                if (models[i].last_ms < now_ms - 300 && models[i].first_offset < 0) {
                    memset(&models[i], 0, sizeof models[i]);
                    models[i].first_offset = models[i].batch_offset = -1;
                }
            break;
        default:
            append(&table, model, &batch);
        }
        check(&table, models);
        offset += 8;
    }
    pl_producers_free(&table);
    return 0;
}
