import errno
import inspect
import pickle

import pytest

from logcore import errors
from logcore.errors import (
    CorruptRecordError,
    DiskFullError,
    FsyncError,
    LogError,
    LogIOError,
    OffsetMismatchError,
    error_from_errno,
)

PUBLIC = [
    kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Exception) and not name.startswith("_")
]


def test_every_error_is_a_log_error_and_stands_in_the_drawn_tree():
    for kind in PUBLIC:
        assert issubclass(kind, LogError)
        assert kind.__name__ in errors.__doc__
        assert kind.__doc__


@pytest.mark.parametrize("kind", PUBLIC)
def test_an_error_is_made_from_a_message_alone_and_survives_another_process(kind):
    error = kind("what happened")
    assert str(error) == "what happened"
    # multiprocessing and concurrent.futures carry a worker's exception this way.
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_corruption_names_its_place():
    error = CorruptRecordError("bad crc", path="/data/t-0/00.log", position=61, offset=7)
    assert str(error) == "bad crc (/data/t-0/00.log, position 61, offset 7)"
    assert (error.path, error.position, error.offset) == ("/data/t-0/00.log", 61, 7)
    assert str(CorruptRecordError("bad crc", position=0)) == "bad crc (position 0)"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_lost_race_tells_both_offsets():
    error = OffsetMismatchError("somebody was first", expected_offset=5, log_end_offset=6)
    assert (error.expected_offset, error.log_end_offset) == (5, 6)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_lack_of_space_is_told_from_other_errors(number):
    error = error_from_errno(number, "append to", "/data/00.log")
    assert type(error) is DiskFullError
    assert (error.errno, error.path) == (number, "/data/00.log")


def test_other_errnos_are_io_errors():
    error = error_from_errno(errno.EIO, "read")
    assert type(error) is LogIOError
    assert str(error) == "cannot read: Input/output error"
    assert not isinstance(error, FsyncError)
