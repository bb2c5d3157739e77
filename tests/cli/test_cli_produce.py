"""`pylog produce` sends what kcat -P would send."""

import os
from pathlib import Path

import pytest
from cli_program import TIMEOUT_S, Cli

ALL = r"%p|%k|%K|%s|%S|%h\n"


@pytest.fixture
def topic(cli: Cli) -> Cli:
    cli.ok("topics", "create", "t")
    return cli


def sent(cli: Cli, *words: object, stdin: bytes | str) -> list[str]:
    """What is in the topic after one command that wrote into it."""
    cli.ok("produce", "t", *words, stdin=stdin)
    return cli.consumed("t", "-f", ALL)


def test_each_line_is_a_message(topic: Cli):
    assert sent(topic, stdin="a\nb\n") == ["0||-1|a|1|", "0||-1|b|1|"]


def test_the_last_line_needs_no_end(topic: Cli):
    assert sent(topic, stdin="a\nb") == ["0||-1|a|1|", "0||-1|b|1|"]


def test_no_input_is_no_message(topic: Cli):
    assert sent(topic, stdin="") == []


def test_an_empty_line_is_an_empty_value(topic: Cli):
    assert sent(topic, stdin="\n") == ["0||-1||0|"]


def test_an_empty_line_is_null_with_Z(topic: Cli):  # noqa: N802 (the letter of the option)
    assert sent(topic, "-Z", stdin="\n") == ["0||-1||-1|"]


def test_keys_before_a_delimiter(topic: Cli):
    lines = sent(topic, "-K", ":", stdin="k:v\nk:v:w\n:v\nplain\n")
    assert lines == ["0|k|1|v|1|", "0|k|1|v:w|3|", "0||0|v|1|", "0||-1|plain|5|"]


def test_an_empty_key_is_null_with_Z(topic: Cli):  # noqa: N802
    assert sent(topic, "-Z", "-K:", stdin=":v\nk:\n") == ["0||-1|v|1|", "0|k|1||-1|"]


def test_a_fixed_key_gives_way_to_the_key_of_a_message(topic: Cli):
    assert sent(topic, "-k", "all", "-K:", stdin="a\nown:b\n") == ["0|all|3|a|1|", "0|own|3|b|1|"]


def test_headers_in_order(topic: Cli):
    lines = sent(topic, "-H", "a=1", "-H", "b", "-H", "a=2=3", stdin="v\n")
    assert lines == ["0||-1|v|1|a=1,b=NULL,a=2=3"]


def test_other_delimiters_between_messages(topic: Cli):
    assert sent(topic, "-D", r"\x00", stdin=b"a\nb\0c") == ["0||-1|a", "b|3|", "0||-1|c|1|"]


def test_a_delimiter_of_several_bytes_across_reads(topic: Cli):
    text = "--".join(["x" * 1000] * 1000)
    lines = sent(topic, "-D", "--", stdin=text)
    assert lines == ["0||-1|" + "x" * 1000 + "|1000|"] * 1000


def test_arbitrary_bytes_arrive_as_they_are(topic: Cli):
    data = bytes(range(256)) * 10
    topic.ok("produce", "t", "-D", "~~~~", stdin=data)
    assert topic.ok("consume", "t", "-e", "-q", "-f", "%s").out_bytes == data


def test_a_file_is_one_message(topic: Cli, tmp_path: Path):
    (tmp_path / "one").write_text("a\nb\n")
    (tmp_path / "two").write_text("c")
    topic.ok("produce", "t", "one", "two")
    assert topic.consumed("t", "-f", "%s;") == ["a", "b", ";c;"]


def test_files_are_split_with_l(topic: Cli, tmp_path: Path):
    (tmp_path / "one").write_text("a\nb\n")
    (tmp_path / "two").write_text("c")
    topic.ok("produce", "t", "-l", "one", "two")
    assert topic.consumed("t") == ["a", "b", "c"]


def test_a_missing_file_sends_nothing(topic: Cli, tmp_path: Path):
    (tmp_path / "one").write_text("a")
    assert "two: No such file" in topic.fails("produce", "t", "one", "two")
    assert "Is a directory" in topic.fails("produce", "t", ".")
    assert topic.consumed("t") == []


def test_count_stops_early(topic: Cli):
    assert sent(topic, "-c", "2", stdin="a\nb\nc\n") == ["0||-1|a|1|", "0||-1|b|1|"]


def test_tee_repeats_on_stdout(topic: Cli):
    assert topic.ok("produce", "t", "-T", stdin="a\nb\n").out == "a\nb\n"


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_comes_back(topic: Cli, codec: str):
    values = [f"{codec} {n} {'x' * n}" for n in range(200)]
    topic.ok("produce", "t", "-z", codec, stdin="\n".join(values))
    assert topic.consumed("t") == values
    log = topic.folder / "t-0" / "00000000000000000000.log"
    assert f"compresscodec: {codec} " in topic.ok("dump", log).out


def test_an_unknown_codec_is_named(topic: Cli):
    assert "compression" in topic.fails("produce", "t", "-z", "rar", stdin="a\n")


@pytest.mark.parametrize("acks", ["0", "1", "all", "-1"])
def test_every_level_of_acks_stores_all(topic: Cli, acks: str):
    topic.ok("produce", "t", "--acks", acks, stdin="a\nb\n")
    assert topic.consumed("t") == ["a", "b"]


def test_an_unknown_level_of_acks_is_named(topic: Cli):
    assert "acks" in topic.fails("produce", "t", "--acks", "most", stdin="a\n")


def test_an_unknown_property_names_the_nearest(topic: Cli):
    assert "linger.ms" in topic.fails("produce", "t", "-X", "linger.mss=5", stdin="a\n")


def test_an_unknown_topic_is_an_error_that_says_what_to_do(topic: Cli):
    line = topic.fails("produce", "other", stdin="a\n")
    assert "pylog topics create other" in line
    assert topic.ok("topics", "list").lines == ["t"]


def test_a_partition_that_is_not_there(topic: Cli):
    assert "has no partition 1" in topic.fails("produce", "t", "-p", "1", stdin="a\n")


def test_partition_minus_one_is_any(cli: Cli):
    cli.ok("topics", "create", "t", "--partitions", "4")
    seen: set[str] = set()
    while len(seen) < 4:
        cli.ok("produce", "t", "-p", "-1", "-k", "same", stdin="x\n")
        seen.update(cli.consumed("t", "-f", r"%p\n"))


def test_the_same_key_goes_to_the_same_partition(cli: Cli):
    cli.ok("topics", "create", "t", "--partitions", "4")
    cli.ok("produce", "t", "-K:", stdin="".join(f"k{n % 10}:{n}\n" for n in range(100)))
    places = {tuple(line.split()) for line in cli.consumed("t", "-f", r"%k %p\n")}
    assert len(places) == 10


def test_a_message_that_is_too_large_names_itself_and_keeps_those_before(topic: Cli):
    line = topic.fails("produce", "t", stdin=b"a\n" + b"x" * 3_000_000 + b"\nb\n")
    assert "message 2 of 3000000 bytes" in line
    assert topic.consumed("t") == ["a"]


def test_verbose_tells_where_messages_went(topic: Cli):
    outcome = topic.ok("produce", "t", "-v", stdin="a\nb\n")
    delivered = [line for line in outcome.notes if "delivered" in line]
    assert delivered == [
        "% Message delivered to partition 0 (offset 0)",
        "% Message delivered to partition 0 (offset 1)",
    ]


def test_quiet_says_nothing(topic: Cli):
    assert topic.ok("produce", "t", stdin="a\n").err == "% 1 message sent to t\n"
    assert topic.ok("produce", "t", "-q", stdin="a\n").err == ""


def test_a_line_of_a_slow_pipe_is_stored_before_the_next_one_comes(topic: Cli):
    reader = topic.start("consume", "t", "-u", "-q")
    writer = topic.start("produce", "t", "-q")
    assert writer.stdin is not None
    assert reader.stdout is not None
    for number in range(5):
        writer.stdin.write(b"line %d\n" % number)
        writer.stdin.flush()
        assert reader.stdout.readline() == b"line %d\n" % number
    writer.communicate(timeout=TIMEOUT_S)
    assert writer.returncode == 0
    reader.kill()
    reader.communicate()


def test_many_messages_keep_their_order(topic: Cli):
    count = 100_000
    topic.ok("produce", "t", stdin="".join(f"{n}\n" for n in range(count)))
    assert topic.consumed("t") == [str(n) for n in range(count)]


def test_the_topic_may_stand_behind_t_as_in_kcat(topic: Cli):
    topic.ok("produce", "-t", "t", stdin="a\n")
    assert topic.ok("consume", "-t", "t", "-e", "-q").lines == ["a"]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_an_endless_input_without_a_delimiter_is_stopped(topic: Cli, tmp_path: Path):
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(200 << 20)
    assert "no delimiter" in topic.fails("produce", "t", "-l", "sparse")
