/* xxh64.h: XXH64, the 64-bit hash of the xxHash family, from its public specification
 * (github.com/Cyan4973/xxHash doc/xxhash_spec.md). For tables in memory only: nothing on disk
 * depends on it. Input of 32 bytes and more goes through four lanes of 8 bytes, the rest in steps
 * of 8, 4 and 1. */
#ifndef LOGCORE_XXH64_H
#define LOGCORE_XXH64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PL_XXH_PRIME1 0x9E3779B185EBCA87ull
#define PL_XXH_PRIME2 0xC2B2AE3D27D4EB4Full
#define PL_XXH_PRIME3 0x165667B19E3779F9ull
#define PL_XXH_PRIME4 0x85EBCA77C2B2AE63ull
#define PL_XXH_PRIME5 0x27D4EB2F165667C5ull

static inline uint64_t pl_xxh_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* The specification reads lanes little-endian. */
static inline uint64_t pl_xxh_load64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline uint32_t pl_xxh_load32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap32(x);
#endif
    return x;
}

static inline uint64_t pl_xxh_round(uint64_t lane, uint64_t input)
{
    return pl_xxh_rotate(lane + input * PL_XXH_PRIME2, 31) * PL_XXH_PRIME1;
}

static inline uint64_t pl_xxh_merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ pl_xxh_round(0, lane)) * PL_XXH_PRIME1 + PL_XXH_PRIME4;
}

static inline uint64_t pl_xxh64(const void *data, size_t size, uint64_t seed)
{
    const uint8_t *p = (const uint8_t *)data;
    const uint8_t *end = p + size;
    uint64_t hash;
    if (size >= 32) {
        uint64_t a = seed + PL_XXH_PRIME1 + PL_XXH_PRIME2, b = seed + PL_XXH_PRIME2;
        uint64_t c = seed, d = seed - PL_XXH_PRIME1;
        for (; end - p >= 32; p += 32) {
            a = pl_xxh_round(a, pl_xxh_load64(p));
            b = pl_xxh_round(b, pl_xxh_load64(p + 8));
            c = pl_xxh_round(c, pl_xxh_load64(p + 16));
            d = pl_xxh_round(d, pl_xxh_load64(p + 24));
        }
        hash = pl_xxh_rotate(a, 1) + pl_xxh_rotate(b, 7) + pl_xxh_rotate(c, 12)
             + pl_xxh_rotate(d, 18);
        hash = pl_xxh_merge(hash, a);
        hash = pl_xxh_merge(hash, b);
        hash = pl_xxh_merge(hash, c);
        hash = pl_xxh_merge(hash, d);
    } else {
        hash = seed + PL_XXH_PRIME5;
    }
    hash += (uint64_t)size;
    for (; end - p >= 8; p += 8)
        hash = pl_xxh_rotate(hash ^ pl_xxh_round(0, pl_xxh_load64(p)), 27) * PL_XXH_PRIME1
             + PL_XXH_PRIME4;
    if (end - p >= 4) {
        hash = pl_xxh_rotate(hash ^ pl_xxh_load32(p) * PL_XXH_PRIME1, 23) * PL_XXH_PRIME2
             + PL_XXH_PRIME3;
        p += 4;
    }
    for (; p < end; p++)
        hash = pl_xxh_rotate(hash ^ *p * PL_XXH_PRIME5, 11) * PL_XXH_PRIME1;
    hash = (hash ^ hash >> 33) * PL_XXH_PRIME2;
    hash = (hash ^ hash >> 29) * PL_XXH_PRIME3;
    return hash ^ hash >> 32;
}

#endif
