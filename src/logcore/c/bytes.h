/* bytes.h: big-endian loads and stores, the byte order of everything in a Kafka file.
 *
 * Unaligned addresses are allowed everywhere. Source: Kafka's files are written by Java's ByteBuffer,
 * which is big-endian. */
#ifndef LOGCORE_BYTES_H
#define LOGCORE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t pl_load_u16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap16(value);
}

static inline uint32_t pl_load_u32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t pl_load_u64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap64(value);
}

static inline int16_t pl_load_i16(const uint8_t *p) { return (int16_t)pl_load_u16(p); }
static inline int32_t pl_load_i32(const uint8_t *p) { return (int32_t)pl_load_u32(p); }
static inline int64_t pl_load_i64(const uint8_t *p) { return (int64_t)pl_load_u64(p); }

static inline void pl_store_u16(uint8_t *p, uint16_t value)
{
    value = __builtin_bswap16(value);
    memcpy(p, &value, sizeof value);
}

static inline void pl_store_u32(uint8_t *p, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(p, &value, sizeof value);
}

static inline void pl_store_u64(uint8_t *p, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(p, &value, sizeof value);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "logcore supports little-endian machines (x86-64, arm64); the shared page is native-endian"
#endif

#endif
