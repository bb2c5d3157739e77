"""docs/format: the byte tables are the code's, and the hex dumps are what the code writes."""

import ast
import dataclasses
import re
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

import pylog
from logcore import producer_snapshots, recovery_mark, seal, transaction_index
from logcore.batch import BatchBuilder, BatchView, crc32c, iter_batches
from logcore.index import OffsetIndex
from logcore.log import Log
from logcore.shared import COMMIT_FIELDS
from pylog.group.records import (
    GroupMetadata,
    MemberMetadata,
    OffsetAndMetadata,
    encode_group_key,
    encode_group_value,
    encode_offset_key,
    encode_offset_value,
)
from pylog.txn.records import encode_key, encode_value
from pylog.txn.states import TransactionMetadata, TransactionState

ROOT = Path(__file__).resolve().parents[2]
FORMAT = ROOT / "docs" / "format"
HEADERS = ROOT / "src" / "logcore" / "c"
FIRST_MS = 1_700_000_000_000
TOPIC_ID = uuid.UUID(int=7)

_DUMP_LINE = re.compile(r"([0-9a-f]{4}) {2}((?:[0-9a-f]{2} )*[0-9a-f]{2}) +(\w+) = (.+)")
_TABLE_ROW = re.compile(r"\| (\S+) \| ([\w.\[\]]+) \| ([^|]*?) ?\|")
STRUCT_CODES = {
    "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    position: int
    data: bytes
    name: str
    value: int | str


def read(name: str) -> str:
    return (FORMAT / name).read_text()


def dumps_of(name: str) -> list[list[Field]]:
    """The hex dumps of a page, each a list of fields; every line must parse."""
    dumps = []
    for block in re.findall(r"```hexdump\n(.*?)```", read(name), re.DOTALL):
        fields = []
        for line in block.splitlines():
            match = _DUMP_LINE.fullmatch(line)
            assert match, f"{name}: not a line of a dump: {line!r}"
            position, data, field, value = match.groups()
            fields.append(
                Field(int(position, 16), bytes.fromhex(data), field, ast.literal_eval(value))
            )
        dumps.append(fields)
    return dumps


def joined(fields: list[Field]) -> bytes:
    """The bytes of a dump, whose positions must be those of its bytes."""
    data = b""
    for field in fields:
        assert field.position == len(data), field
        data += field.data
    return data


def table_of(name: str, heading: str) -> list[tuple[str, str, str]]:
    """(bytes, field, type) of each row of the first table after a heading."""
    text = read(name)
    start = text.index(f"{heading}\n")
    table = re.search(r"\|---.*?\n((?:\|.*\n)+)", text[start:])
    assert table
    rows = [_TABLE_ROW.match(line) for line in table[1].splitlines()]
    return [(row[1], row[2], row[3]) for row in rows if row]


def places(rows: list[tuple[str, str, str]]) -> list[tuple[str, int, int]]:
    """(field, first byte, size) of rows whose place is `a` or `a..b`."""
    found = []
    for place, field, _ in rows:
        first, _, last = place.partition("..")
        if last or ".." not in place:
            found.append((field, int(first), int(last or first) - int(first) + 1))
    return found


def assert_contiguous(fields: list[tuple[str, int, int]], size: int) -> None:
    end = 0
    for name, first, length in fields:
        assert first == end, name
        end += length
    assert end == size


# ---- segment ----


def header_table() -> list[tuple[str, str, str]]:
    return [row for row in table_of("segment.md", "## Record batch, version 2") if row[0] != "61.."]


def test_the_batch_table_is_the_one_at_the_head_of_batch_h() -> None:
    head = (HEADERS / "batch.h").read_text().split("*/")[0]
    in_code = re.findall(r"\*   byte +(\d+)(?:\.\.(\d+))? +(\w+) +(u?int\d+)", head)
    assert len(in_code) == 13
    in_page = [(*row[0].partition("..")[::2], row[1], row[2]) for row in header_table()]
    assert [tuple(row) for row in in_code] == in_page
    assert_contiguous(places(header_table()), 61)


def decode_dump(fields: list[Field]) -> list[dict[str, object]]:
    """Check each field of a segment's dump by the page's own tables; returns its batches."""
    types = {row[1]: row[2] for row in header_table()}
    text = read("segment.md")
    record = re.findall(
        r"\| (\w+) \| (varint|varlong|int8|bytes) \|", text[text.index("## Record\n") :]
    )
    record_types = dict(record)
    batches: list[dict[str, object]] = []
    for field in fields:
        if field.name == "base_offset":
            batches.append({"records": []})
        batch = batches[-1]
        records = batch["records"]
        assert isinstance(records, list)
        if field.name in types and not (field.name == "attributes" and "record_count" in batch):
            (number,) = struct.unpack(">" + STRUCT_CODES[types[field.name]], field.data)
            assert number == field.value, field
            batch[field.name] = number
            continue
        if field.name == "length":
            records.append({})
        kind = record_types[field.name]
        if kind == "bytes":
            assert field.data.decode() == field.value, field
        elif kind == "int8":
            assert field.data == bytes([int(field.value)]), field
        else:
            assert unzigzag(field.data) == field.value, field
        records[-1][field.name] = field.value
    return batches


def unzigzag(data: bytes) -> int:
    number = sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(data))
    assert all(byte & 0x80 for byte in data[:-1]) and not data[-1] & 0x80
    return (number >> 1) ^ -(number & 1)


def test_the_segment_dump_says_what_its_bytes_mean() -> None:
    (fields,) = dumps_of("segment.md")
    data = joined(fields)
    assert len(data) == 161
    told = decode_dump(fields)
    views = list(iter_batches(data))
    assert [view.base_offset for view in views] == [0, 2]
    for view, batch in zip(views, told, strict=True):
        assert isinstance(view, BatchView)
        for name in ("base_offset", "batch_length", "magic", "crc", "last_offset_delta",
                     "base_timestamp_ms", "max_timestamp_ms", "record_count"):  # fmt: skip
            assert getattr(view, name) == batch[name], name
        assert view.leader_epoch == batch["partition_leader_epoch"]
        records = batch["records"]
        assert isinstance(records, list)
        for record, wanted in zip(view.records(), records, strict=True):
            assert record.offset == view.base_offset + wanted["offset_delta"]
            assert record.timestamp_ms == view.base_timestamp_ms + wanted["timestamp_delta_ms"]
            assert (record.key or b"").decode() == wanted.get("key", "")
            assert (record.value or b"").decode() == wanted.get("value", "")
            assert (record.key is None) == (wanted["key_size"] == -1)
            assert (record.value is None) == (wanted["value_size"] == -1)
            assert len(record.headers) == wanted["header_count"]


def write_greetings(folder: Path) -> None:
    batch = BatchBuilder()
    with Log(folder, topic_id=TOPIC_ID) as log:
        batch.append(FIRST_MS, b"en", b"hello", [("lang", b"x")])
        batch.append(FIRST_MS + 5, None, b"hi")
        log.append(batch.build())
        batch.append(FIRST_MS + 9, b"en", None)
        log.append(batch.build())
        log.flush()
        log.write_recovery_mark()


def test_the_segment_dump_is_what_the_log_writes(tmp_path: Path) -> None:
    write_greetings(tmp_path / "greetings-0")
    written = (tmp_path / "greetings-0" / "00000000000000000000.log").read_bytes()
    assert written == joined(dumps_of("segment.md")[0])


# ---- indexes ----


def test_the_index_dumps_are_what_the_log_writes(tmp_path: Path) -> None:
    folder = tmp_path / "sized-0"
    batch = BatchBuilder()
    with Log(folder) as log:
        for number in range(4):
            batch.append(FIRST_MS + number * 1000, None, bytes(5000))
            log.append(batch.build())
    index, time_index = dumps_of("index.md")
    path = folder / "00000000000000000000"
    assert path.with_suffix(".log").stat().st_size == 20_280
    assert path.with_suffix(".index").read_bytes() == joined(index)
    assert path.with_suffix(".timeindex").read_bytes() == joined(time_index)
    for field in index + time_index:
        assert int.from_bytes(field.data, "big") == field.value, field
    assert OffsetIndex(str(path.with_suffix(".index")), 0).lookup(2) == 10_140


@pytest.mark.parametrize(
    ("heading", "size"), [("## `.index`: offset to position", 8),
                          ("## `.timeindex`: timestamp to offset", 12)],
)  # fmt: skip
def test_the_index_tables_have_the_entry_sizes_of_index_h(heading: str, size: int) -> None:
    rows = table_of("index.md", heading)
    assert_contiguous(places(rows), size)
    head = (HEADERS / "index.h").read_text()
    assert re.search(rf"PL_(OFFSET|TIME)_ENTRY_SIZE = {size}\b", head)
    for place, field, kind in rows:
        first, _, last = place.partition("..")
        assert re.search(rf"byte {first}\.\.{last} +{field} +{kind}\b", head), field


# ---- .sum, .recovery, text files ----


def test_the_sum_example_is_what_sealing_writes(tmp_path: Path) -> None:
    (tmp_path / "00000000000000000000.log").write_bytes(joined(dumps_of("segment.md")[0]))
    seal.write(str(tmp_path), 0)
    blocks = re.findall(r"```text\n(.*?)```", read("sum.md"), re.DOTALL)
    assert (tmp_path / "00000000000000000000.sum").read_text() == blocks[0]


def test_the_recovery_dump_is_a_valid_mark(tmp_path: Path) -> None:
    (fields,) = dumps_of("recovery.md")
    data = joined(fields)
    rows = table_of("recovery.md", "# Durable mark: `.recovery`")
    assert_contiguous(places(rows), 512)
    assert [(f.name, f.position, len(f.data)) for f in fields] == places(rows)[:-1]
    (tmp_path / ".recovery").write_bytes(data.ljust(512, b"\0"))
    mark = recovery_mark.read(str(tmp_path))
    assert mark == {f.name: f.value for f in fields if f.name in COMMIT_FIELDS}


def test_the_recovery_dump_is_what_the_log_writes(tmp_path: Path) -> None:
    write_greetings(tmp_path / "greetings-0")
    mark = recovery_mark.read(str(tmp_path / "greetings-0"))
    assert mark is not None
    (fields,) = dumps_of("recovery.md")
    for field in fields:
        if field.name in COMMIT_FIELDS and field.name != "segment_created_ms":
            assert mark[field.name] == field.value, field


def test_the_text_examples_are_what_a_new_partition_holds(tmp_path: Path) -> None:
    write_greetings(tmp_path / "greetings-0")
    blocks = re.findall(r"```text\n(.*?)```", read("directory.md"), re.DOTALL)
    for name in ("leader-epoch-checkpoint", "partition.metadata"):
        written = (tmp_path / "greetings-0" / name).read_text()
        assert written.rstrip("\n") + "\n" in blocks, name


def test_the_folder_of_the_page_is_the_one_that_is_made(tmp_path: Path) -> None:
    with pylog.open(tmp_path / "shop") as log:
        log.topic("orders", partitions=2).append(b"one", partition=0)
    tree = re.findall(r"```text\n(shop/\n.*?)```", read("directory.md"), re.DOTALL)[0]
    drawn = set()
    stack: list[str] = []
    for line in tree.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 4, line.split()[0]
        stack[depth:] = [name.rstrip("/")]
        if name != "...":
            drawn.add("/".join(stack))
    made = {str(path.relative_to(tmp_path)) for path in (tmp_path / "shop").rglob("*")} | {"shop"}
    second = {path for path in made if path.startswith("shop/orders-1/")}
    assert made - second == drawn


# ---- shared page ----


def test_the_page_table_has_the_offsets_of_shared_h() -> None:
    code = (HEADERS / "shared.h").read_text()
    asserted = re.findall(r"offsetof\(struct pl_state, (\w+)\) == (0x[0-9a-f]+)", code)
    assert len(asserted) >= 9
    rows = dict((row[1].split("[")[0], int(row[0], 16)) for row in reversed(shared_rows()))
    for name, offset in asserted:
        assert rows[name] == int(offset, 16), name


def shared_rows() -> list[tuple[str, str, str]]:
    return table_of("shared.md", "# Shared page: `.state`")


def test_a_real_page_reads_as_the_table_says(tmp_path: Path) -> None:
    batch = BatchBuilder()
    with Log(tmp_path / "t-0") as log:
        batch.append(FIRST_MS, b"en", b"hello")
        log.append(batch.build())
        log.flush()
        page = (tmp_path / "t-0" / ".state").read_bytes()
        commit = log.commit()
    at = {row[1]: int(row[0], 16) for row in shared_rows()}
    assert len(page) == 16384
    assert page[at["magic"] :][:8] == b"pylogst\0"
    state = (tmp_path / "t-0" / ".state").stat()

    def word(name: str, code: str) -> int:
        value: int = struct.unpack_from("<" + code, page, at[name])[0]
        return value

    assert (word("version", "I"), word("byte_order", "I")) == (2, 0x01020304)
    assert (word("device", "Q"), word("inode", "Q")) == (state.st_dev, state.st_ino)
    assert (word("phase", "I"), word("lock", "Q"), word("io_error", "I")) == (2, 0, 0)
    assert word("durable_offset", "q") == 1
    assert word("durable_position", "q") == commit["end_position"]
    valid = at[f"commit[{word('seq', 'Q') & 1}]"]
    for field, first, _ in places(table_of("shared.md", "## Commit record")):
        if field in COMMIT_FIELDS:
            assert struct.unpack_from("<q", page, valid + first)[0] == commit[field], field


def test_the_commit_dump_reads_as_the_table_says() -> None:
    (fields,) = dumps_of("shared.md")
    data = joined(fields)
    rows = places(table_of("shared.md", "## Commit record"))
    assert_contiguous(rows, 192)
    assert [name for name, _, _ in rows][:17] == list(COMMIT_FIELDS)
    for field in fields:
        signed = field.name != "crc"
        assert int.from_bytes(field.data, "little", signed=signed) == field.value, field
    assert {(f.name, f.position) for f in fields if f.name != "reserved"} == {
        (name, first) for name, first, _ in rows if name != "reserved"
    }
    assert int.from_bytes(data[184:], "little") == crc32c(data[:184])


def test_the_dumps_of_producers_are_what_an_aborted_transaction_leaves(tmp_path: Path) -> None:
    index, snapshot = dumps_of("producers.md")
    rows = table_of("producers.md", "## `.txnindex`")
    assert_contiguous(places(rows), transaction_index.ENTRY_SIZE)
    assert [(f.name, f.position, len(f.data)) for f in index] == places(rows)
    builder = BatchBuilder()
    builder.set_producer(7, 0, 0, True)
    builder.append(FIRST_MS, None, b"value")
    with Log(tmp_path / "t-0") as log:
        log.append(builder.build())
        log.append_marker(7, 1, False, timestamp_ms=FIRST_MS + 1)
        (known,) = log.producers()
    assert (tmp_path / "t-0" / "00000000000000000000.txnindex").read_bytes() == joined(index)
    known = dataclasses.replace(known, last_timestamp_ms=FIRST_MS + 1)
    assert producer_snapshots.encode([known]) == joined(snapshot)
    head = places(table_of("producers.md", "## `.snapshot`"))
    body = places(table_of("producers.md", "### A producer, 46 bytes"))
    assert_contiguous(head, 10)
    assert_contiguous(body, 46)
    moved = [(name, position + 10, size) for name, position, size in body]
    assert [(f.name, f.position, len(f.data)) for f in snapshot] == head + moved


# ---- offsets of groups ----

OFFSET = OffsetAndMetadata(40, 0, "", FIRST_MS, topic_id=TOPIC_ID)
GROUP = GroupMetadata(
    "consumer", 5, "range", "m-1", FIRST_MS,
    (MemberMetadata("m-1", "app", "/127.0.0.1", 45_000, 300_000, None, b"SUB", b"ASG"),),
)  # fmt: skip


def test_the_offset_dumps_are_what_is_written() -> None:
    written = [
        encode_offset_key("billing", "orders", 2),
        encode_group_key("billing"),
        encode_offset_value(OFFSET),
        encode_group_value(GROUP),
    ]
    assert [joined(dump) for dump in dumps_of("offsets.md")] == written


def test_the_offset_dumps_say_what_their_bytes_mean() -> None:
    for dump in dumps_of("offsets.md"):
        for field in dump:
            if field.name == "topic_id":
                assert str(uuid.UUID(bytes=field.data)) == field.value
            elif isinstance(field.value, str):
                assert field.data.decode() == field.value, field
            else:
                assert int.from_bytes(field.data, "big", signed=True) == field.value, field


@pytest.mark.parametrize(("heading", "dump"), [("## Offset", 2), ("## Group", 3)])
def test_the_fields_of_the_offset_tables_are_in_the_order_of_the_bytes(
    heading: str, dump: int
) -> None:
    versions = {"## Offset": 4, "## Group": 3}[heading]
    in_table = [
        field
        for span, field, _ in table_of("offsets.md", heading)
        if int(span.split("–")[0]) <= versions <= int(span.split("–")[-1])
    ]
    in_dump = [field.name for field in dumps_of("offsets.md")[dump]]
    names = [name for name in in_dump if name in in_table]
    named = [name.removesuffix("_size") for name in in_dump if name.endswith("_size")]
    empty = [name for name in named if name in in_table and name not in names]
    assert [name for name in in_table if name not in empty] == names


# ---- transactions ----


def test_the_transaction_dumps_are_what_the_coordinator_writes() -> None:
    key, value = dumps_of("transactions.md")
    metadata = TransactionMetadata(
        "ledger",
        producer_id=1000,
        producer_epoch=4,
        timeout_ms=60_000,
        state=TransactionState.PREPARE_COMMIT,
        partitions=frozenset({("__consumer_offsets", 0), ("accounts", 3)}),
        start_timestamp_ms=FIRST_MS,
        last_update_timestamp_ms=FIRST_MS + 250,
        previous_producer_id=1000,
    )
    assert encode_key("ledger") == joined(key)
    assert encode_value(metadata) == joined(value)
    rows = re.findall(r"^\| ([\w, ]+) \| ([\w, -]+) \|", read("transactions.md"), re.MULTILINE)
    types: dict[str, str] = {}
    for names, kinds in rows:
        types.update(zip(names.split(", "), kinds.split(", "), strict=False))
    for field in value:
        kind = types.get(field.name, "uvarint")
        if kind == "UTF-8":
            assert field.data.decode() == field.value
        else:
            assert int.from_bytes(field.data, "big", signed=True) == field.value, field
            if kind != "uvarint":
                assert struct.calcsize(STRUCT_CODES[kind]) == len(field.data), field
