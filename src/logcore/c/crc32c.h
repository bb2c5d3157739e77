/* crc32c.h: CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of a record batch.
 *
 * Three ways, one result:
 *   x86-64 SSE4.2   three independent crc32 streams of 1 KiB or 8 KiB, joined by table (the
 *                   instruction has a latency of 3 and a throughput of 1 per cycle)
 *   ARMv8 CRC       one stream of the instruction
 *   table           slicing by 8, for other machines; forced with PL_CRC_TABLE for tests
 * The tables are filled once by pl_crc32c_init(), which the module that includes this file calls
 * at import. Source: RFC 3720 appendix B.4 (polynomial and test vectors). */
#ifndef LOGCORE_CRC32C_H
#define LOGCORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#endif

enum { PL_CRC_POLYNOMIAL_SIZE = 256, PL_CRC_LONG = 8192, PL_CRC_SHORT = 1024 };

static uint32_t pl_crc_table[8][256];
static uint32_t pl_crc_shift_long[4][256];  /* multiply a crc by x^(8 * PL_CRC_LONG) */
static uint32_t pl_crc_shift_short[4][256];
static int pl_crc_has_instruction;

static inline uint32_t pl_crc32c_table(uint32_t crc, const uint8_t *p, size_t size)
{
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= crc;
        crc = pl_crc_table[7][word & 0xff] ^ pl_crc_table[6][(word >> 8) & 0xff]
            ^ pl_crc_table[5][(word >> 16) & 0xff] ^ pl_crc_table[4][(word >> 24) & 0xff]
            ^ pl_crc_table[3][(word >> 32) & 0xff] ^ pl_crc_table[2][(word >> 40) & 0xff]
            ^ pl_crc_table[1][(word >> 48) & 0xff] ^ pl_crc_table[0][word >> 56];
        p += 8;
        size -= 8;
    }
    while (size--)
        crc = pl_crc_table[0][(crc ^ *p++) & 0xff] ^ (crc >> 8);
    return crc;
}

static inline uint32_t pl_crc_shift(uint32_t (*table)[256], uint32_t crc)
{
    return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff]
         ^ table[3][crc >> 24];
}

/* A crc is linear: the shift tables hold what `size` zero bytes make of each byte of a crc. */
static inline void pl_crc_fill_shift(uint32_t (*table)[256], size_t size)
{
    uint32_t of_bit[32];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = (uint32_t)1 << bit;
        for (size_t i = 0; i < size; i++)
            crc = pl_crc_table[0][crc & 0xff] ^ (crc >> 8);
        of_bit[bit] = crc;
    }
    for (int lane = 0; lane < 4; lane++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = 0;
            for (int bit = 0; bit < 8; bit++)
                if (byte >> bit & 1)
                    crc ^= of_bit[lane * 8 + bit];
            table[lane][byte] = crc;
        }
}

static inline void pl_crc32c_init(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
        pl_crc_table[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = pl_crc_table[slice - 1][byte];
            pl_crc_table[slice][byte] = pl_crc_table[0][crc & 0xff] ^ (crc >> 8);
        }
    pl_crc_fill_shift(pl_crc_shift_long, PL_CRC_LONG);
    pl_crc_fill_shift(pl_crc_shift_short, PL_CRC_SHORT);
#if defined(__x86_64__)
    pl_crc_has_instruction = __builtin_cpu_supports("sse4.2");
#elif defined(__ARM_FEATURE_CRC32)
    pl_crc_has_instruction = 1;
#endif
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static inline uint64_t
pl_crc_3way(uint64_t crc, const uint8_t **cursor, size_t *size, size_t lane_size,
            uint32_t (*shift)[256])
{
    const uint8_t *p = *cursor;
    while (*size >= 3 * lane_size) {
        uint64_t crc1 = 0, crc2 = 0, a, b, c;
        for (size_t i = 0; i < lane_size; i += 8) {
            memcpy(&a, p + i, 8);
            memcpy(&b, p + lane_size + i, 8);
            memcpy(&c, p + 2 * lane_size + i, 8);
            crc = _mm_crc32_u64(crc, a);
            crc1 = _mm_crc32_u64(crc1, b);
            crc2 = _mm_crc32_u64(crc2, c);
        }
        crc = pl_crc_shift(shift, (uint32_t)crc) ^ crc1;
        crc = pl_crc_shift(shift, (uint32_t)crc) ^ crc2;
        p += 3 * lane_size;
        *size -= 3 * lane_size;
    }
    *cursor = p;
    return crc;
}

__attribute__((target("sse4.2"))) static inline uint32_t
pl_crc32c_instruction(uint32_t start, const uint8_t *p, size_t size)
{
    uint64_t crc = start, word;
    crc = pl_crc_3way(crc, &p, &size, PL_CRC_LONG, pl_crc_shift_long);
    crc = pl_crc_3way(crc, &p, &size, PL_CRC_SHORT, pl_crc_shift_short);
    while (size >= 8) {
        memcpy(&word, p, 8);
        crc = _mm_crc32_u64(crc, word);
        p += 8;
        size -= 8;
    }
    while (size--)
        crc = _mm_crc32_u8((uint32_t)crc, *p++);
    return (uint32_t)crc;
}
#elif defined(__ARM_FEATURE_CRC32)
static inline uint32_t pl_crc32c_instruction(uint32_t crc, const uint8_t *p, size_t size)
{
    uint64_t word;
    while (size >= 8) {
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, word);
        p += 8;
        size -= 8;
    }
    while (size--)
        crc = __crc32cb(crc, *p++);
    return crc;
}
#endif

/* CRC-32C of `size` bytes, continuing `crc` (0 to start). */
static inline uint32_t pl_crc32c(uint32_t crc, const void *data, size_t size)
{
#if (defined(__x86_64__) || defined(__ARM_FEATURE_CRC32)) && !defined(PL_CRC_TABLE)
    if (pl_crc_has_instruction)
        return ~pl_crc32c_instruction(~crc, (const uint8_t *)data, size);
#endif
    return ~pl_crc32c_table(~crc, (const uint8_t *)data, size);
}

#endif
