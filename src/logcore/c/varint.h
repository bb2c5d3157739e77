/* varint.h: zig-zag LEB128 integers inside a record.
 *
 *   varint    1 to 5 bytes, int32      varlong   1 to 10 bytes, int64
 *
 * 7 bits a byte, least significant first, top bit set on all but the last byte; the integer is
 * zig-zagged first (0, -1, 1, -2 -> 0, 1, 2, 3), so small negative numbers stay short.
 * Readers return the byte after the integer, or NULL when it runs past `end` or is too long.
 * Source: Kafka ByteUtils.readVarint, readVarlong. */
#ifndef LOGCORE_VARINT_H
#define LOGCORE_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum { PL_VARINT_MAX_BYTES = 5, PL_VARLONG_MAX_BYTES = 10 };

static inline uint8_t *pl_put_unsigned(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static inline uint8_t *pl_put_varlong(uint8_t *p, int64_t value)
{
    return pl_put_unsigned(p, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static inline size_t pl_unsigned_size(uint64_t value)
{
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static inline size_t pl_varlong_size(int64_t value)
{
    return pl_unsigned_size(((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static inline const uint8_t *pl_get_varlong(const uint8_t *p, const uint8_t *end, int64_t *value)
{
    uint64_t raw = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (p >= end)
            return NULL;
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return NULL;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
            return p;
        }
    }
    return NULL;
}

static inline const uint8_t *pl_get_varint(const uint8_t *p, const uint8_t *end, int32_t *value)
{
    if (p < end && *p < 0x80) { /* one byte: nearly all fields of nearly all records */
        uint32_t raw = *p;
        *value = (int32_t)(raw >> 1) ^ -(int32_t)(raw & 1);
        return p + 1;
    }
    uint64_t raw = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (p >= end)
            return NULL;
        uint8_t byte = *p++;
        if (shift == 28 && byte > 0x0f)
            return NULL;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = (int32_t)(uint32_t)(raw >> 1) ^ -(int32_t)(raw & 1);
            return p;
        }
    }
    return NULL;
}

#endif
