"""Partitioners: the Java client's choice, and that of windowed keys."""

from pylog.streams import serdes
from pylog.streams.partitioners import default_partition, windowed_partitioner
from pylog.streams.window import Window, Windowed


def test_a_key_goes_where_the_java_client_sends_it():
    assert default_partition(b"kafka", 100) == 80
    assert default_partition(None, 100) == -1


def test_all_windows_of_a_key_go_where_the_key_goes():
    partition = windowed_partitioner(serdes.time_windowed(serdes.string, 10))
    for start in (0, 10, 12345):
        assert partition("t", Windowed("kafka", Window(start, start + 10)), None, 100) == 80
    assert partition("t", None, None, 100) is None
