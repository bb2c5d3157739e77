"""Records as Arrow tables: the extra `arrow` (pyarrow).

Columns: offset int64, timestamp timestamp[ms, UTC], key and value large_binary. Bytes are copied
out of the log, so a table stays whatever happens to the files.
"""

from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    import pyarrow
    from numpy.typing import NDArray

    from logcore.columns import Columns
    from logcore.log import Log

    _Int32 = NDArray[numpy.int32]
    _Int64 = NDArray[numpy.int64]


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'to_arrow() needs pyarrow: pip install "pylog-stream[arrow]"'
        ) from None
    return pyarrow


def schema() -> "pyarrow.Schema":
    """The schema of every table made here."""
    arrow = _pyarrow()
    return arrow.schema(
        [
            arrow.field("offset", arrow.int64(), nullable=False),
            arrow.field("timestamp", arrow.timestamp("ms", tz="UTC"), nullable=False),
            arrow.field("key", arrow.large_binary()),
            arrow.field("value", arrow.large_binary()),
        ]
    )


def table_from_columns(columns: "Columns") -> "pyarrow.Table":
    """A table of one columnar read."""
    arrow = _pyarrow()
    arrays = [
        arrow.array(columns.offsets, arrow.int64()),
        arrow.array(columns.timestamps_ms, arrow.timestamp("ms", tz="UTC")),
        _binary(columns, columns.key_positions, columns.key_sizes),
        _binary(columns, columns.value_positions, columns.value_sizes),
    ]
    return arrow.Table.from_arrays(arrays, schema=schema())


def _binary(columns: "Columns", positions: "_Int64", sizes: "_Int32") -> Any:
    arrow = _pyarrow()
    ends, data = columns.gather(positions, sizes)
    is_null = sizes < 0
    validity = None
    if is_null.any():
        validity = arrow.py_buffer(numpy.packbits(~is_null, bitorder="little"))
    return arrow.Array.from_buffers(
        arrow.large_binary(), len(sizes), [validity, arrow.py_buffer(ends), arrow.py_buffer(data)]
    )


def table_from_log(
    log: "Log", offset: int | None = None, end_offset: int | None = None
) -> "pyarrow.Table":
    """A table of a range of offsets.

    Args:
        log: to read.
        offset: first, None for the log start.
        end_offset: to end before, None for the log end now.
    """
    arrow = _pyarrow()
    next_offset = log.log_start_offset if offset is None else offset
    limit = log.log_end_offset if end_offset is None else min(end_offset, log.log_end_offset)
    tables = []
    while next_offset < limit:
        columns = log.read_columns(next_offset, min(limit - next_offset, 1 << 20))
        if columns.next_offset <= next_offset:
            break
        table = table_from_columns(columns)
        if len(table) and table["offset"][-1].as_py() >= limit:
            table = table.slice(0, int(numpy.searchsorted(columns.offsets, limit)))
        tables.append(table)
        next_offset = columns.next_offset
    return arrow.concat_tables(tables) if tables else schema().empty_table()
