"""The parser, its table of commands, and the net below them.

Whatever a command raises ends here: it becomes one line on stderr and an exit code. A traceback
is a bug; `PYLOG_DEBUG=1` shows it anyway. Nothing is imported at the top that takes time, so that
a Ctrl-C in the first moments is caught too and `pylog --help` answers at once.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

EXIT_OK = 0
EXIT_INTERRUPTED = 130

# Commands that read their options themselves; each module has a function of the command's name.
_OWN_PARSERS = {"serve": "pylog.cli.serve", "cat": "pylog.cli.cat"}

DESCRIPTION = """A Kafka log in a folder, without a broker.

Topics live in the folder given by --dir, else $PYLOG_DIR, else ./pylog-data. Any number of
programs may write and follow them at once. Start with: pylog demo
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; never raises.

    Args:
        arguments: words after the program's name; those of the process when None.

    Returns:
        0 done, 1 failed, 2 wrong command line, 130 stopped by Ctrl-C.
    """
    try:
        _use_lossless_streams()
        exit_code = _run(list(sys.argv[1:] if arguments is None else arguments))
        _flush_output()
    except BaseException as exc:
        exit_code = _report(exc)
    _ignore_interrupts()
    return exit_code


def build_app() -> "typer.Typer":
    """Return the typer application with every command in it."""
    import typer

    from pylog.cli import (
        compact,
        consume,
        demo,
        doctor,
        dump,
        groups,
        mirror,
        options,
        perf,
        produce,
        topics,
        transactions,
        users,
    )

    app = typer.Typer(
        help=DESCRIPTION,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Plain help: boxes cost 150 ms of imports and take brackets in a text for markup.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options.global_options)
    app.add_typer(
        demo.app, name="demo", short_help="Real flights into a topic, followed by a second process."
    )
    app.command(
        "produce",
        short_help="Lines of stdin or files into a topic.",
        epilog="Example: seq 10 | pylog produce numbers",
    )(produce.produce)
    app.command(
        "consume",
        short_help="Print and follow the messages of a topic.",
        epilog=r"Example: pylog consume flights -o -5 -e -f '%p:%o %k %s\n'",
    )(consume.consume)
    app.command(
        "dump",
        short_help="Print what is in a segment, an index, the state.",
        epilog="Example: pylog dump pylog-data/flights-0/*.log --print-data-log",
    )(dump.dump)
    app.command("compact", short_help="Keep the last record of each key, now.")(compact.compact)
    app.command("doctor", short_help="Verify every checksum; never changes a byte.")(doctor.doctor)
    app.command(
        "mirror",
        short_help="Copy topics to a cluster, from one, or to another folder.",
        epilog="Example: pylog mirror --from pylog-data --to kafka1:9092 --topics orders,^clicks",
    )(mirror.mirror)

    def run_own(context: typer.Context) -> None:
        # Reached with options before the command; without, `_run` is quicker.
        before = context.parent.params if context.parent is not None else {}
        name = context.info_name or ""
        run = getattr(import_module(_OWN_PARSERS[name]), name)
        run(context.args, folder=before.get("folder") or "")

    for name, module in _OWN_PARSERS.items():
        app.command(
            name,
            short_help=import_module(module).SHORT_HELP,
            context_settings={
                "allow_extra_args": True,
                "ignore_unknown_options": True,
                "help_option_names": [],
            },
        )(run_own)
    app.add_typer(topics.app, name="topics", short_help="Create, list, describe, alter, delete.")
    app.add_typer(
        groups.app, name="groups", short_help="List, describe, reset, delete consumer groups."
    )
    app.add_typer(
        transactions.app, name="transactions", short_help="List, describe and abort transactions."
    )
    app.add_typer(users.app, name="users", short_help="Who may log in to the server of a folder.")
    app.add_typer(perf.app, name="perf", short_help="Measure produce, consume and follow.")
    return app


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0] in _OWN_PARSERS:
        getattr(import_module(_OWN_PARSERS[arguments[0]]), arguments[0])(arguments[1:])
        return EXIT_OK

    import typer

    command = typer.main.get_command(build_app())
    if not arguments:
        arguments = ["--help"]
    try:
        with command.make_context("pylog", arguments) as context:
            command.invoke(context)
    except typer.Exit as exc:
        return int(exc.exit_code)
    return EXIT_OK


def _report(exc: BaseException) -> int:
    """Say what went wrong in one line and return the exit code for it."""
    _ignore_interrupts()
    if isinstance(exc, SystemExit):
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    if isinstance(exc, KeyboardInterrupt):
        _close_output()
        return EXIT_INTERRUPTED
    if isinstance(exc, BrokenPipeError):
        # Whoever read us has seen enough (`| head`): not a failure.
        _close_output()
        return EXIT_OK
    from pylog.cli import failures

    message, exit_code = failures.describe(exc)
    try:
        if os.environ.get("PYLOG_DEBUG", "0") not in ("", "0"):
            import traceback

            traceback.print_exception(exc)
        _flush_or_close_output()
        sys.stderr.write(f"pylog: {message}\n")
        sys.stderr.flush()
    except (OSError, AttributeError, ValueError):
        pass  # stderr is closed or full: the exit code must say it alone
    return exit_code


def _use_lossless_streams() -> None:
    """Let a name that the terminal's encoding cannot show come out escaped, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (lives with the process)


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        _close_output()
        raise OSError(exc.errno, exc.strerror, "standard output") from exc


def _flush_or_close_output() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _close_output()


def _close_output() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot complain."""
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
    except (OSError, AttributeError, ValueError):
        pass


def _ignore_interrupts() -> None:
    """From here on the outcome is settled: a late Ctrl-C must not print a traceback."""
    with contextlib.suppress(ValueError):  # not the main thread: the signal is somebody else's
        signal.signal(signal.SIGINT, signal.SIG_IGN)
