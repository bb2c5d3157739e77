/* primitives.h: integers of the wire protocol, which is big-endian.
 *
 *   int8 to int64, float64, uuid    1, 2, 4, 8, 8 and 16 bytes
 *   unsigned varint                 1 to 5 bytes, 7 bits each, least significant first, the top bit
 *                                   set on all but the last; never more than 32 bits
 *
 * Unaligned addresses are allowed everywhere. Callers check that a fixed size is there; a varint is
 * checked here. Source: Kafka's protocol guide, KIP-482. */
#ifndef PYLOG_WIRE_PRIMITIVES_H
#define PYLOG_WIRE_PRIMITIVES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PW_UVARINT_MAX_BYTES = 5 };

static inline int16_t pw_load_i16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return (int16_t)__builtin_bswap16(value);
}

static inline int32_t pw_load_i32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return (int32_t)__builtin_bswap32(value);
}

static inline int64_t pw_load_i64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return (int64_t)__builtin_bswap64(value);
}

static inline double pw_load_f64(const uint8_t *p)
{
    int64_t bits = pw_load_i64(p);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void pw_store_i16(uint8_t *p, int16_t value)
{
    uint16_t swapped = __builtin_bswap16((uint16_t)value);
    memcpy(p, &swapped, sizeof swapped);
}

static inline void pw_store_i32(uint8_t *p, int32_t value)
{
    uint32_t swapped = __builtin_bswap32((uint32_t)value);
    memcpy(p, &swapped, sizeof swapped);
}

static inline void pw_store_i64(uint8_t *p, int64_t value)
{
    uint64_t swapped = __builtin_bswap64((uint64_t)value);
    memcpy(p, &swapped, sizeof swapped);
}

static inline void pw_store_f64(uint8_t *p, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    pw_store_i64(p, bits);
}

/* The byte after the integer, or NULL when it runs past `end` or has more than 32 bits. */
static inline const uint8_t *pw_load_uvarint(const uint8_t *p, const uint8_t *end, uint32_t *value)
{
    uint32_t bits = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (p >= end)
            return NULL;
        uint8_t byte = *p++;
        if (shift == 28 && byte > 0x0f)
            return NULL;
        bits |= (uint32_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = bits;
            return p;
        }
    }
    return NULL;
}

/* The byte after it; PW_UVARINT_MAX_BYTES must be there. */
static inline uint8_t *pw_store_uvarint(uint8_t *p, uint32_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pylog supports little-endian machines (x86-64, arm64)"
#endif

#endif
