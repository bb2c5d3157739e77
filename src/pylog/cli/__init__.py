"""The command line `pylog`: the only part of the project that prints.

One module a command (demo, topics, produce, serve, dump, doctor, ...); `main` is the parser
and the one place that turns an exception into a line and an exit code. The commands use the same
public API as any program (`pylog.Producer`, `pylog.Consumer`, `pylog.AdminClient`), except `dump`
and `doctor`, which read the files of a partition with `logcore`.

Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 130 stopped by Ctrl-C.
"""

DEFAULT_FOLDER = "pylog-data"
