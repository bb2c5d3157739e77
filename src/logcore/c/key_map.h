/* key_map.h: last offset of each key, in two blocks of memory that the caller owns.
 *
 *   slots   a power of two of them, open addressing, linear probing:
 *           bits 63-40  tag: the top of the key's hash
 *           bits 39-0   1 + position of the entry; all zero: free
 *   entries one after the other, in the order in which the keys came:
 *           byte 0..7   offset, native int64
 *           byte 8      key size, 255 when the next 4 bytes say it
 *           then        the key
 *
 * A tag that fits sends the search to the entry, whose key is compared byte by byte: two keys never
 * share an entry, whatever their hashes. 17 bytes of entry and 8 of slot for a key of 8 bytes, the
 * slot counted once for each slot that is free. */
#ifndef LOGCORE_KEY_MAP_H
#define LOGCORE_KEY_MAP_H

#include <stdint.h>
#include <string.h>

#include "xxh64.h"

#define PL_KEY_TAG_MASK 0xffffff0000000000ull
#define PL_KEY_POSITION_MASK 0x000000ffffffffffull

enum {
    PL_KEY_OFFSET_SIZE = 8,
    PL_KEY_LONG_SIZE = 255, /* from here on the size takes 5 bytes */
};

struct pl_key_map {
    uint64_t *slots;
    uint64_t slot_mask;      /* slot count - 1 */
    uint8_t *entries;
    uint64_t entries_size;
    uint64_t entries_capacity;
    uint64_t count;
    uint64_t seed;
};

static inline uint64_t pl_key_entry_size(uint32_t key_size)
{
    return (uint64_t)PL_KEY_OFFSET_SIZE + (key_size < PL_KEY_LONG_SIZE ? 1 : 5) + key_size;
}

/* Key of the entry at `entry`; returns its size. */
static inline uint32_t pl_key_of_entry(const uint8_t *entry, const uint8_t **key)
{
    uint32_t size = entry[PL_KEY_OFFSET_SIZE];
    *key = entry + PL_KEY_OFFSET_SIZE + 1;
    if (size == PL_KEY_LONG_SIZE) {
        memcpy(&size, *key, 4);
        *key += 4;
    }
    return size;
}

static inline uint64_t pl_key_hash(const struct pl_key_map *map, const uint8_t *key, uint32_t size)
{
    return pl_xxh64(key, size, map->seed);
}

/* Have the memory of a look-up on its way: first the slot, later the entry that it names. */
static inline void pl_key_prefetch_slot(const struct pl_key_map *map, uint64_t hash)
{
    __builtin_prefetch(&map->slots[hash & map->slot_mask]);
}

static inline void pl_key_prefetch_entry(const struct pl_key_map *map, uint64_t hash)
{
    uint64_t slot = map->slots[hash & map->slot_mask];
    if (slot)
        __builtin_prefetch(map->entries + (slot & PL_KEY_POSITION_MASK) - 1);
}

/* The entry of a key, or NULL; `place` receives its slot, or the free one where it would go. */
static inline uint8_t *pl_key_find(const struct pl_key_map *map, const uint8_t *key, uint32_t size,
                                   uint64_t hash, uint64_t *place)
{
    uint64_t at = hash & map->slot_mask;
    for (;; at = (at + 1) & map->slot_mask) {
        uint64_t slot = map->slots[at];
        if (slot == 0) {
            *place = at;
            return NULL;
        }
        if (((slot ^ hash) & PL_KEY_TAG_MASK) != 0)
            continue;
        uint8_t *entry = map->entries + (slot & PL_KEY_POSITION_MASK) - 1;
        const uint8_t *other;
        if (pl_key_of_entry(entry, &other) == size && memcmp(other, key, size) == 0) {
            *place = at;
            return entry;
        }
    }
}

static inline int64_t pl_key_entry_offset(const uint8_t *entry)
{
    int64_t offset;
    memcpy(&offset, entry, 8);
    return offset;
}

static inline int64_t pl_key_get(const struct pl_key_map *map, const uint8_t *key, uint32_t size,
                                 uint64_t hash)
{
    uint64_t place;
    const uint8_t *entry = pl_key_find(map, key, size, hash, &place);
    return entry ? pl_key_entry_offset(entry) : -1;
}

/* Append an entry and point slot `place` at it. Room in both blocks is the caller's duty. */
static inline void pl_key_insert(struct pl_key_map *map, const uint8_t *key, uint32_t size,
                                 uint64_t hash, uint64_t place, int64_t offset)
{
    uint8_t *entry = map->entries + map->entries_size;
    map->slots[place] = (hash & PL_KEY_TAG_MASK) | (map->entries_size + 1);
    memcpy(entry, &offset, 8);
    entry += PL_KEY_OFFSET_SIZE;
    *entry++ = (uint8_t)(size < PL_KEY_LONG_SIZE ? size : PL_KEY_LONG_SIZE);
    if (size >= PL_KEY_LONG_SIZE) {
        memcpy(entry, &size, 4);
        entry += 4;
    }
    memcpy(entry, key, size);
    map->entries_size += pl_key_entry_size(size);
    map->count++;
}

/* Fill `slots`, `slot_count` zeros, with the entries that there are: a larger table. */
static inline void pl_key_rehash(struct pl_key_map *map, uint64_t *slots, uint64_t slot_count)
{
    uint64_t mask = slot_count - 1;
    for (uint64_t position = 0; position < map->entries_size;) {
        const uint8_t *key;
        uint32_t size = pl_key_of_entry(map->entries + position, &key);
        uint64_t hash = pl_key_hash(map, key, size);
        uint64_t at = hash & mask;
        while (slots[at] != 0)
            at = (at + 1) & mask;
        slots[at] = (hash & PL_KEY_TAG_MASK) | (position + 1);
        position += pl_key_entry_size(size);
    }
    map->slots = slots;
    map->slot_mask = mask;
}

#endif
