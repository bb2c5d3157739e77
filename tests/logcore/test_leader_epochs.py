import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcore import leader_epochs
from logcore.errors import CorruptRecordError, LogError, UnsupportedFormatError
from logcore.leader_epochs import MAX_EPOCH, assign

GOOD = [(0, 0), (3, 1042), (4, 2**63 - 1)]


def test_the_file_is_kafkas_text(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    leader_epochs.write(path, [(0, 0), (3, 1042)])
    assert path.read_bytes() == b"0\n2\n0 0\n3 1042\n"
    leader_epochs.write(path, [])
    assert path.read_bytes() == b"0\n0\n"


@pytest.mark.parametrize("entries", [[], [(0, 0)], GOOD, [(MAX_EPOCH, 7)]])
def test_entries_come_back_as_they_were_written(tmp_path, entries):
    path = tmp_path / "leader-epoch-checkpoint"
    leader_epochs.write(str(path), entries)
    assert leader_epochs.read(str(path)) == entries


def test_no_file_is_no_entries(tmp_path):
    assert leader_epochs.read(tmp_path / "leader-epoch-checkpoint") == []


def test_a_last_line_without_an_end_is_read(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    path.write_bytes(b"0\n1\n5 70")
    assert leader_epochs.read(path) == [(5, 70)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"0",
        b"0\n",
        b"0\nx\n",
        b"0\n-1\n",
        b"x\n0\n",
        b"0\n2\n0 0\n",
        b"0\n0\n0 0\n",
        b"0\n5\n1 2\n",
        b"0\n1\n0\n",
        b"0\n1\n0 0 0\n",
        b"0\n1\n0  0\n",
        b"0\n1\n-1 0\n",
        b"0\n1\n0 -1\n",
        b"0\n1\n0x1 0\n",
        b"0\n1\n0 1.5\n",
        b"0\n1\n2147483648 0\n",
        b"0\n1\n0 9223372036854775808\n",
        b"0\n1\n0 " + b"9" * 5000 + b"\n",
        b"0\n2\n0 0\n0 5\n",
        b"0\n2\n1 0\n0 5\n",
        b"0\n2\n0 5\n1 5\n",
        b"0\n2\n0 5\n1 4\n",
        b"0\n1\n\n0 0\n",
        b"0\n1\n0 0\n\n",
        b"\xff\xfe",
        b"0\r\n1\r\n0 0\r\n",
    ],
)
def test_anything_else_is_corruption_that_names_the_file(tmp_path, text):
    path = tmp_path / "leader-epoch-checkpoint"
    path.write_bytes(text)
    with pytest.raises(CorruptRecordError) as raised:
        leader_epochs.read(path)
    assert raised.value.path == str(path)
    assert str(path) in str(raised.value)


def test_a_newer_version_is_told_from_corruption(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    path.write_bytes(b"1\n0\n")
    with pytest.raises(UnsupportedFormatError, match="version 1; this release knows 0"):
        leader_epochs.read(path)


def test_every_truncation_is_refused_or_loses_only_the_line_end(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    leader_epochs.write(path, GOOD)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            entries = leader_epochs.read(path)
        except LogError:
            continue
        # The last number may have lost digits: nothing in the format could tell.
        assert entries[:-1] == GOOD[:-1]


def test_append_makes_the_file_and_adds_to_it(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    leader_epochs.append(path, 0, 0)
    leader_epochs.append(path, 1, 40)
    leader_epochs.append(path, 5, 70)
    assert leader_epochs.read(path) == [(0, 0), (1, 40), (5, 70)]


def test_append_does_not_touch_a_file_that_says_so_already(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    leader_epochs.append(path, 1, 40)
    inode = path.stat().st_ino
    leader_epochs.append(path, 1, 90)
    assert path.stat().st_ino == inode
    assert leader_epochs.read(path) == [(1, 40)]


def test_append_does_not_replace_a_file_it_cannot_read(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    path.write_bytes(b"garbage")
    with pytest.raises(CorruptRecordError):
        leader_epochs.append(path, 1, 40)
    assert path.read_bytes() == b"garbage"


@pytest.mark.parametrize(
    ("entries", "epoch", "start_offset", "expected"),
    [
        ([], 0, 0, [(0, 0)]),
        ([(0, 0)], 1, 40, [(0, 0), (1, 40)]),
        ([(0, 0)], 1, 0, [(1, 0)]),
        ([(0, 0), (1, 40)], 1, 90, [(0, 0), (1, 40)]),
        ([(0, 0), (1, 40)], 1, 40, [(0, 0), (1, 40)]),
        ([(0, 0), (1, 40)], 1, 30, [(0, 0), (1, 30)]),
        ([(0, 0), (1, 40), (2, 70)], 3, 70, [(0, 0), (1, 40), (3, 70)]),
        ([(0, 0), (1, 40), (2, 70)], 3, 20, [(0, 0), (3, 20)]),
        ([(0, 0), (4, 40)], 2, 90, [(0, 0), (2, 90)]),
    ],
)
def test_an_assigned_epoch_pushes_out_what_contradicts_it(entries, epoch, start_offset, expected):
    assert assign(entries, epoch, start_offset) == expected


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8))))
def test_assigned_entries_always_rise_and_end_in_the_last_epoch(steps):
    entries = []
    for epoch, start_offset in steps:
        entries = assign(entries, epoch, start_offset)
        assert entries[-1][0] == epoch
        assert entries[-1][1] <= start_offset
        assert all(a[0] < b[0] and a[1] < b[1] for a, b in zip(entries, entries[1:], strict=False))


@pytest.mark.parametrize(("epoch", "start_offset"), [(-1, 0), (2**31, 0), (0, -1), (0, 2**63)])
def test_numbers_that_do_not_fit_are_refused(epoch, start_offset):
    with pytest.raises(ValueError, match="out of range"):
        assign([], epoch, start_offset)
