/* partition_hash.h: from a record's key to its partition, as the Java client and librdkafka do it.
 *
 *   kind                      key is null      key is empty     else
 *   0 random                  any              any              any
 *   1 consistent              0                0                crc32(key) % count
 *   2 consistent_random       any              any              crc32(key) % count
 *   3 murmur2                 murmur2("")      murmur2("")      (murmur2(key) & 2^31-1) % count
 *   4 murmur2_random          any              murmur2("")      (murmur2(key) & 2^31-1) % count
 *   5 fnv1a                   fnv1a("")        fnv1a("")        fnv1a(key) % count
 *   6 fnv1a_random            any              fnv1a("")        fnv1a(key) % count
 *
 * "any" is -1: the caller chooses (it stays on one partition for a batch, then moves on with
 * pl_random_partition). murmur2_random is the Java client's default, consistent_random is
 * librdkafka's. Signs: Java masks the sign bit of murmur2 away; fnv1a is Sarama's, which takes the
 * absolute value of the signed hash, so that INT32_MIN stays 2^31; crc32 is unsigned.
 * No allocation, no Python. Source: Kafka Utils.murmur2 and BuiltInPartitioner; librdkafka
 * rd_kafka_msg_partitioner_*, rd_fnv1a; MurmurHash2 by Austin Appleby; FNV by Fowler, Noll, Vo;
 * CRC-32 of ISO 3309 (reflected polynomial 0xedb88320). */
#ifndef PYLOG_PARTITION_HASH_H
#define PYLOG_PARTITION_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum pl_partitioner {
    PL_RANDOM = 0,
    PL_CONSISTENT = 1,
    PL_CONSISTENT_RANDOM = 2,
    PL_MURMUR2 = 3,
    PL_MURMUR2_RANDOM = 4,
    PL_FNV1A = 5,
    PL_FNV1A_RANDOM = 6,
};

enum { PL_ANY_PARTITION = -1 };

/* A word of the key in little-endian order, from any address. */
static inline uint32_t pl_hash_word(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t pl_murmur2(const uint8_t *key, size_t size)
{
    const uint32_t multiplier = 0x5bd1e995u;
    uint32_t hash = 0x9747b28cu ^ (uint32_t)size;
    size_t position = 0;
    for (; size - position >= 4; position += 4) {
        uint32_t word = pl_hash_word(key + position) * multiplier;
        word = (word ^ word >> 24) * multiplier;
        hash = hash * multiplier ^ word;
    }
    if (position < size) {
        uint32_t rest = 0;
        for (size_t i = size; i > position; i--)
            rest = rest << 8 | key[i - 1];
        hash = (hash ^ rest) * multiplier;
    }
    hash = (hash ^ hash >> 13) * multiplier;
    return hash ^ hash >> 15;
}

/* Half a byte at a time: keys are short, and 64 bytes of table stay in the cache. */
static inline uint32_t pl_crc32(const uint8_t *key, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= key[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static inline uint32_t pl_fnv1a(const uint8_t *key, size_t size)
{
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ key[i]) * 0x01000193u;
    return hash & 0x80000000u ? 0u - hash : hash;
}

/* Returns 0..partition_count-1, or PL_ANY_PARTITION. A NULL key is a null key, whatever its size;
 * partition_count is at least 1. */
static inline int32_t pl_partition_for_key(int kind, const uint8_t *key, size_t size,
                                           int32_t partition_count)
{
    uint32_t hash;
    if (key == NULL)
        size = 0;
    switch (kind) {
    case PL_CONSISTENT_RANDOM:
        if (size == 0)
            return PL_ANY_PARTITION;
        /* fall through */
    case PL_CONSISTENT:
        hash = pl_crc32(key, size);
        break;
    case PL_MURMUR2_RANDOM:
        if (key == NULL)
            return PL_ANY_PARTITION;
        /* fall through */
    case PL_MURMUR2:
        hash = pl_murmur2(key, size) & 0x7fffffffu;
        break;
    case PL_FNV1A_RANDOM:
        if (key == NULL)
            return PL_ANY_PARTITION;
        /* fall through */
    case PL_FNV1A:
        hash = pl_fnv1a(key, size);
        break;
    default:
        return PL_ANY_PARTITION;
    }
    return (int32_t)(hash % (uint32_t)partition_count);
}

/* A random partition, 0..partition_count-1: splitmix64, a sequence for each thread and process.
 * For spreading load, not for secrets. Source: Steele, Lea, Flood 2014. */
static inline int32_t pl_random_partition(int32_t partition_count)
{
    static _Thread_local uint64_t state;
    static _Thread_local pid_t owner;
    uint64_t mixed;
    if (owner != getpid()) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        owner = getpid();
        state = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        state ^= (uint64_t)(uintptr_t)&state << 20 ^ (uint64_t)owner << 48;
    }
    state += 0x9e3779b97f4a7c15u;
    mixed = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    return (int32_t)((mixed >> 32) * (uint64_t)partition_count >> 32);
}

#endif
