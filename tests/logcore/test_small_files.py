import os
import stat
import subprocess
import sys

import pytest

from logcore import small_files
from logcore.errors import CorruptRecordError
from logcore.small_files import read_text, replace_text


def test_text_comes_back_as_it_was_put(tmp_path):
    path = tmp_path / "file"
    for text in ("one\n", "", "a longer one\nof two lines"):
        replace_text(path, text)
        assert read_text(str(path)) == text
    assert os.listdir(tmp_path) == ["file"]


def test_only_the_owner_may_read_it(tmp_path):
    replace_text(tmp_path / "file", "text")
    assert stat.S_IMODE(os.stat(tmp_path / "file").st_mode) == 0o600


def test_a_name_without_a_folder_is_in_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    replace_text("file", "text")
    assert (tmp_path / "file").read_text() == "text"


def test_what_a_crash_left_beside_the_file_is_overwritten(tmp_path):
    (tmp_path / "file.tmp").write_text("half a line, and more than the new text has")
    replace_text(tmp_path / "file", "whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_in_the_way_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("keep me")
    (tmp_path / "file.tmp").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        replace_text(tmp_path / "file", "text")
    assert (tmp_path / "elsewhere").read_text() == "keep me"


def test_a_missing_folder_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        replace_text(tmp_path / "no" / "file", "text")
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "no")


def test_a_write_that_fails_leaves_the_old_text_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    replace_text(path, "old")
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from logcore.small_files import replace_text\n"
        "try:\n"
        "    replace_text(sys.argv[1], 'new ' * 5000)\n"
        "except OSError as error:\n"
        "    sys.exit(0 if error.errno == 27 else 1)\n"
        "sys.exit(2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
    )
    assert done.returncode == 0
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("data", "position"), [(b"\xff\xfe", 0), (b"0\n\x80", 2)])
def test_bytes_that_are_no_text_are_corruption(tmp_path, data, position):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(CorruptRecordError) as raised:
        read_text(path)
    assert (raised.value.path, raised.value.position) == (str(path), position)


def test_a_huge_file_is_refused_before_it_is_read_whole(tmp_path):
    path = tmp_path / "file"
    with open(path, "wb") as file:
        file.truncate(small_files.MAX_TEXT_BYTES + 1)
    with pytest.raises(CorruptRecordError, match="more than 16777216 bytes"):
        read_text(path)
