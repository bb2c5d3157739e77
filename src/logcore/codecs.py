"""Compression of the records in a batch: Kafka's four codecs, in the framing Java reads.

| id | name | written as |
|---|---|---|
| 0 | none | the bytes themselves |
| 1 | gzip | one member |
| 2 | snappy | xerial framing: 16-byte header, then `length int32, raw snappy` of 32 KiB each |
| 3 | lz4 | one frame of independent 64 KiB blocks, no checksums: Java refuses linked blocks |
| 4 | zstd | one frame with its content size |

Read are also: raw snappy (librdkafka), concatenated gzip members, zstd frames, LZ4 frames and
xerial streams, and any LZ4 block size, linking and checksum.

**Bombs.** decompress writes into a buffer that is never larger than its limit, and stops at the
first byte beyond. Besides that buffer only the codec's own state exists: under 64 KiB for gzip,
nothing for snappy, for LZ4 a copy of the input and two blocks (64 KiB each; 4 MiB if the frame
says so), and for zstd 1 MiB and a window that the system backs with memory only as far as it has
been written, so never with more than the limit again.

**The GIL** is released by every cramjam function used here, compress, decompress_into and their
block forms, measured with cramjam 2.14: another thread ran on during calls of 10 to 220 ms.
The one exception is cramjam.lz4.Compressor, which is used for LZ4 above level 1 alone.

Source: Kafka CompressionType, Lz4BlockOutputStream; snappy-java SnappyOutputStream;
github.com/lz4/lz4 doc/lz4_Frame_format.md; RFC 1952; RFC 8878.
"""

import io
import struct
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TypeAlias

from logcore.errors import CorruptRecordError, InvalidRecordError

Buffer: TypeAlias = bytes | bytearray | memoryview

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
CODEC_NAMES = {NONE: "none", GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
CODEC_IDS = {name: codec for codec, name in CODEC_NAMES.items()}

GZIP_DEFAULT_LEVEL = 6
ZSTD_DEFAULT_LEVEL = 3

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = _XERIAL_MAGIC + struct.pack(">ii", 1, 1)  # version, oldest reader's version
_XERIAL_LENGTH = struct.Struct(">i")
(_XERIAL_HEAD,) = _XERIAL_LENGTH.unpack_from(_XERIAL_MAGIC)  # where a length would be: negative
_XERIAL_BLOCK_BYTES = 32 * 1024
_SNAPPY_MAX_RATIO = 22  # a 3-byte copy element makes at most 64 bytes

# Magic, flags (version 1, independent blocks), 64 KiB blocks, checksum of those two bytes.
_LZ4_HEADER = bytes.fromhex("04224d18 60 40 82")
_LZ4_BLOCK_BYTES = 64 * 1024
_LZ4_STORED = 0x80000000
_LZ4_END_MARK = bytes(4)

_ZSTD_MAGIC = bytes.fromhex("28b52ffd")

_FIRST_GUESS_BYTES = 64 * 1024
_FIRST_GUESS_RATIO = 8
_GROWTH = 4
# What Rust's io::Write for a full slice says; the tests hold cramjam to it.
_BUFFER_FULL = "failed to write whole buffer"
_NO_MEMORY = ("out of memory", "not enough memory")  # as LZ4 and zstd say it


def compress(codec: int, data: Buffer, level: int | None = None) -> bytes:
    """Return `data` as a Kafka producer would put it behind a batch header.

    Args:
        codec: NONE, GZIP, SNAPPY, LZ4 or ZSTD.
        data: the records of one batch.
        level: the codec's own scale (gzip 0..9, lz4 1..12, zstd -131072..22); None is the
            default: gzip 6, lz4 1, zstd 3. NONE and SNAPPY have none and ignore it.

    Raises:
        ValueError: codec is unknown.

    >>> decompress(ZSTD, compress(ZSTD, b"ab" * 500), max_bytes=1000) == b"ab" * 500
    True
    """
    if codec == NONE:
        return bytes(data)
    if codec == SNAPPY:
        return _compress_snappy(data)
    if codec == LZ4:
        return _compress_lz4(data, level)
    cramjam = _cramjam()
    if codec == GZIP:
        return bytes(cramjam.gzip.compress(data, GZIP_DEFAULT_LEVEL if level is None else level))
    if codec == ZSTD:
        return bytes(cramjam.zstd.compress(data, ZSTD_DEFAULT_LEVEL if level is None else level))
    raise ValueError(f"codec {codec} is unknown: 0..4 are {', '.join(CODEC_IDS)}")


def decompress(codec: int, data: Buffer, max_bytes: int) -> bytes:
    """Return the records behind a batch header, at most `max_bytes` of them.

    Args:
        codec: codec bits of the batch's attributes.
        data: what follows the batch header, to its end.
        max_bytes: refuse to make more; the only large allocation is at most this.

    Raises:
        CorruptRecordError: data is not a whole, valid stream of the codec.
        InvalidRecordError: codec is unknown, or the result would be over max_bytes.

    >>> decompress(SNAPPY, compress(SNAPPY, bytes(1000)), max_bytes=999)
    Traceback (most recent call last):
    logcore.errors.InvalidRecordError: snappy data of 71 bytes decompresses to more than 999 bytes
    """
    if codec == NONE:
        if len(data) > max_bytes:
            raise InvalidRecordError(f"{len(data)} bytes of records, more than {max_bytes} bytes")
        return bytes(data)
    if codec == SNAPPY:
        return _decompress_snappy(memoryview(data), max_bytes)
    if codec in (GZIP, LZ4, ZSTD):
        return _decompress_stream(codec, data, max_bytes)
    raise InvalidRecordError(f"codec {codec} is unknown: 0..4 are {', '.join(CODEC_IDS)}")


def _cramjam() -> ModuleType:
    # Imported at first use: a program that compresses nothing must not pay for it.
    import cramjam

    return cramjam


# ---- writing ------------------------------------------------------------------------------------


def _compress_snappy(data: Buffer) -> bytes:
    snappy = _cramjam().snappy
    parts = [_XERIAL_HEADER]
    view = memoryview(data)
    for position in range(0, len(view), _XERIAL_BLOCK_BYTES):
        block = bytes(snappy.compress_raw(view[position : position + _XERIAL_BLOCK_BYTES]))
        parts += (len(block).to_bytes(4, "big"), block)
    return b"".join(parts)


def _compress_lz4(data: Buffer, level: int | None) -> bytes:
    lz4 = _cramjam().lz4
    if level is not None and level > 1:
        compressor = lz4.Compressor(level=level, content_checksum=False, block_linked=False)
        compressor.compress(data)
        return bytes(compressor.finish())
    # The frame is made here because the compressor above holds the GIL for the whole call.
    parts = [_LZ4_HEADER]
    view = memoryview(data)
    scratch = bytearray(lz4.compress_block_bound(view[:_LZ4_BLOCK_BYTES]))
    for position in range(0, len(view), _LZ4_BLOCK_BYTES):
        block = view[position : position + _LZ4_BLOCK_BYTES]
        size = lz4.compress_block_into(block, scratch, store_size=False)
        if size < len(block):
            parts += (size.to_bytes(4, "little"), bytes(memoryview(scratch)[:size]))
        else:
            parts += ((len(block) | _LZ4_STORED).to_bytes(4, "little"), bytes(block))
    parts.append(_LZ4_END_MARK)
    return b"".join(parts)


# ---- reading ------------------------------------------------------------------------------------


def _decompress_stream(codec: int, data: Buffer, max_bytes: int) -> bytes:
    """Decompress into a buffer that grows from a guess to max_bytes, anew at each size."""
    name = CODEC_NAMES[codec]
    if not data:
        raise CorruptRecordError(f"{name} data is empty")
    cramjam = _cramjam()
    decompress_into = getattr(cramjam, name).decompress_into
    declared = _declared_bytes(codec, data)
    if codec == ZSTD and declared > max_bytes:
        # Known before anything is allocated: a zstd content size is binding.
        raise _too_large(name, data, max_bytes)
    guess = declared or max(_FIRST_GUESS_BYTES, _FIRST_GUESS_RATIO * len(data))
    capacity = min(max(guess, 1), max_bytes)
    while True:
        try:
            result = _fill_bytes(capacity, lambda view: decompress_into(data, view))
        except cramjam.DecompressionError as error:
            message = str(error)
            if any(phrase in message for phrase in _NO_MEMORY):
                raise MemoryError(f"{name} decompression: {message}") from None
            if _BUFFER_FULL not in message:
                raise CorruptRecordError(f"{name} data is corrupt: {message}") from None
        else:
            return result
        if capacity >= max_bytes:
            raise _too_large(name, data, max_bytes)
        capacity = min(max(capacity, _FIRST_GUESS_BYTES) * _GROWTH, max_bytes)


def _declared_bytes(codec: int, data: Buffer) -> int:
    """Return what the stream says of its decompressed size, 0 when it says nothing.

    A guess only: gzip's is modulo 2^32 and of its last member, zstd's of its first frame.
    """
    if codec == GZIP and len(data) >= 18:
        return int.from_bytes(data[-4:], "little")
    if codec != ZSTD or len(data) < 6 or data[:4] != _ZSTD_MAGIC:
        return 0
    # RFC 8878, 3.1.1.1: descriptor, window (unless single segment), dictionary id, content size.
    descriptor = data[4]
    is_single_segment = descriptor >> 5 & 1
    size_bytes = (is_single_segment, 2, 4, 8)[descriptor >> 6]
    position = 6 - is_single_segment + (0, 1, 2, 4)[descriptor & 3]
    size = int.from_bytes(data[position : position + size_bytes], "little")
    return size + 256 if size_bytes == 2 else size


def _decompress_snappy(data: memoryview, max_bytes: int) -> bytes:
    cramjam = _cramjam()
    if not data:
        raise CorruptRecordError("snappy data is empty")
    block_bytes = cramjam.snappy.decompress_raw_len
    decompress_into = cramjam.snappy.decompress_raw_into

    def fill(view: memoryview) -> int:
        # The blocks are walked twice, not kept: a hostile stream has many that are tiny.
        end = 0
        for block in _snappy_blocks(data):
            size = block_bytes(block)
            decompress_into(block, view[end : end + size])
            end += size
        return end

    try:
        total = 0
        for block in _snappy_blocks(data):
            size = block_bytes(block)
            if size > len(block) * _SNAPPY_MAX_RATIO:
                raise CorruptRecordError(
                    f"snappy data has a block of {len(block)} bytes that declares {size} bytes"
                )
            total += size
            if total > max_bytes:
                raise _too_large("snappy", data, max_bytes)
        return _fill_bytes(total, fill)
    except cramjam.DecompressionError as error:
        raise CorruptRecordError(f"snappy data is corrupt: {error}") from None


def _snappy_blocks(data: memoryview) -> Iterator[memoryview]:
    """Yield the raw blocks behind xerial headers, or the whole of an unframed stream."""
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        yield data
        return
    position, end = 0, len(data)
    while position < end:
        start = position + 4
        if start > end:
            raise CorruptRecordError(f"snappy data ends within a block length at {position}")
        (size,) = _XERIAL_LENGTH.unpack_from(data, position)
        if size == _XERIAL_HEAD:
            # At the start, and again where streams were concatenated.
            position += len(_XERIAL_HEADER)
            if position > end:
                raise CorruptRecordError("snappy data ends within its xerial header")
        elif 0 < size <= end - start:
            position = start + size
            yield data[start:position]
        else:
            raise CorruptRecordError(f"snappy data has a block of {size} bytes at {start} of {end}")


def _fill_bytes(capacity: int, fill: Callable[[memoryview], int]) -> bytes:
    """Return the bytes that `fill` put at the start of a writable view, without a copy.

    A BytesIO that alone owns its bytes lends them for writing and hands them out as they are
    (CPython; elsewhere they would be copied). bytes(n) is zeroed by the allocator, so pages that
    are never written cost no memory.
    """
    owner = io.BytesIO(bytes(capacity))
    with owner.getbuffer() as view:
        size = fill(view)
    owner.truncate(size)
    return owner.getvalue()


def _too_large(name: str, data: Buffer, max_bytes: int) -> InvalidRecordError:
    return InvalidRecordError(
        f"{name} data of {len(data)} bytes decompresses to more than {max_bytes} bytes"
    )
