import threading

from pylog.log_dir import LogDir


def test_the_table_of_topics_is_the_same_object_until_something_changes(tmp_path):
    with LogDir.open(tmp_path) as log_dir:
        log_dir.create_topic("t", 1)
        while (table := log_dir.topic_table()) is not log_dir.topic_table():
            pass  # young files are looked at again
        log_dir.create_topic("t2", 1)
        assert sorted(log_dir.topic_table()) == ["t", "t2"]
        assert list(table) == ["t"]


def test_who_asks_for_the_table_waits_for_nobody_who_opens_a_partition(tmp_path):
    with LogDir.open(tmp_path) as log_dir:
        log_dir.create_topic("t", 1)
        taken, done = threading.Event(), threading.Event()

        def open_slowly():
            with log_dir._lock:
                taken.set()
                done.wait()

        thread = threading.Thread(target=open_slowly)
        thread.start()
        taken.wait()
        assert list(log_dir.topic_table()) == ["t"]
        done.set()
        thread.join()


def test_the_replication_factor_is_kept_with_the_topic_and_only_where_it_says_something(tmp_path):
    with LogDir.open(tmp_path) as log_dir:
        log_dir.create_topic("one", 1)
        log_dir.create_topic("three", 1, {"retention.ms": "5"}, replication_factor=3)
        log_dir.create_partitions("three", 2)
        log_dir.alter_configs("three", {"retention.ms": "6"})
    with LogDir.open(tmp_path) as log_dir:
        three = log_dir.topic("three")
        assert (three.replication_factor, three.partitions, three.configs) == (
            3, 2, {"retention.ms": "6"}
        )  # fmt: skip
        assert log_dir.topic("one").replication_factor == 1
    assert "replication.factor" not in (tmp_path / ".topics" / "one").read_text()
