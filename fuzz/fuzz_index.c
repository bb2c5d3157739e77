/* fuzz_index.c: both index searches stay inside any bytes, and find in sorted entries what a walk
 * from the first entry finds. The first 8 bytes are the target. */
#include "../src/logcore/c/index.h"

#include "driver.h"

static int64_t key_of(const uint8_t *entries, int64_t slot, int is_time)
{
    return is_time ? pl_load_i64(entries + slot * PL_TIME_ENTRY_SIZE)
                   : (int64_t)pl_load_u32(entries + slot * PL_OFFSET_ENTRY_SIZE);
}

static void search(const uint8_t *entries, int64_t count, int64_t target, int is_time)
{
    int64_t found = is_time ? pl_time_lower_bound(entries, count, target)
                            : pl_offset_lower_bound(entries, count, target);
    int64_t walked = -1;
    FUZZ_CHECK(found >= -1 && found < count);
    for (int64_t slot = 0; slot < count; slot++) {
        if (slot > 0 && key_of(entries, slot, is_time) < key_of(entries, slot - 1, is_time))
            return; /* not sorted: any answer inside will do */
        if (key_of(entries, slot, is_time) <= target)
            walked = slot;
    }
    FUZZ_CHECK(found == walked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8)
        return 0;
    int64_t target = pl_load_i64(data);
    const uint8_t *entries = data + 8;
    for (int is_time = 0; is_time < 2; is_time++) {
        int64_t count = (int64_t)(size - 8) / (is_time ? PL_TIME_ENTRY_SIZE : PL_OFFSET_ENTRY_SIZE);
        search(entries, count, target, is_time);
        search(entries, count, target & 0xffffffff, is_time);
        if (count > 0) {
            search(entries, count, key_of(entries, count / 2, is_time), is_time);
            search(entries, count, key_of(entries, count - 1, is_time) + 1 < 0 ? 0 : target, is_time);
        }
    }
    return 0;
}
