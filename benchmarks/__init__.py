"""Measurements of pylog: side by side with a raw loop and with other programs.

    make bench                              every row, as ratios to the raw loop
    python -m benchmarks.suite --quick      the same in about a minute, coarser
    python -m benchmarks.peers              lmdb, rocksdict, sqlite3, pyarrow, persist-queue
    python -m benchmarks.instructions       instruction counts a record (needs valgrind)
    pytest benchmarks/test_calls.py         single calls, by pytest-benchmark

No figure here decides a test: wall time on a shared machine moves by a factor of two and more.
"""
