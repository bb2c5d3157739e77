"""Exceptions to one line and an exit code."""

import os
import sys

EXIT_FAILED = 1
EXIT_USAGE = 2


class CommandError(Exception):
    """A command cannot do what was asked; its text is the whole message.

    Args:
        message: one sentence for the user, without a full stop.
        exit_code: 1 unless the command line itself is wrong.
    """

    def __init__(self, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def describe(exc: BaseException) -> tuple[str, int]:
    """Return the line to print for `exc`, without a line break, and the exit code.

    >>> describe(CommandError("no such topic"))
    ('no such topic', 1)
    >>> describe(FileNotFoundError(2, "No such file or directory", "a.log"))
    ('a.log: No such file or directory', 1)
    """
    message, exit_code = _describe(exc)
    return " ".join(message.split()), exit_code


def _describe(exc: BaseException) -> tuple[str, int]:
    if isinstance(exc, CommandError):
        return str(exc), exc.exit_code
    if hasattr(exc, "format_message") and hasattr(exc, "exit_code"):
        # click's usage errors; typer has its own copy of click in some versions, so no isinstance.
        return _describe_usage_error(exc), int(exc.exit_code)
    if type(exc).__name__ == "Abort":
        return "stopped", EXIT_FAILED
    kafka_message = _kafka_error_message(exc)
    if kafka_message is not None:
        return kafka_message, EXIT_FAILED
    if _is_log_error(exc) or _is_streams_error(exc):
        return str(exc), EXIT_FAILED
    if isinstance(exc, OSError):
        return _describe_os_error(exc), EXIT_FAILED
    if isinstance(exc, MemoryError):
        return "out of memory", EXIT_FAILED
    return (
        f"internal error, please report it: {type(exc).__name__}: {exc} (PYLOG_DEBUG=1 shows where)"
    ), EXIT_FAILED


def _describe_usage_error(exc: BaseException) -> str:
    message = str(exc.format_message()).rstrip(". ")  # type: ignore[attr-defined]
    context = getattr(exc, "ctx", None)
    command_path = context.command_path if context is not None else "pylog"
    return f"{message} (see: {command_path} --help)"


def _kafka_error_message(exc: BaseException) -> str | None:
    """Return the text of a KafkaException, without importing pylog for it."""
    errors = sys.modules.get("pylog.errors")
    if errors is None or not isinstance(exc, errors.KafkaException):
        return None
    error = exc.args[0] if exc.args else None
    if isinstance(error, errors.KafkaError):
        # The names that begin with _ are librdkafka's own and tell a reader nothing.
        return error.str() if error.name().startswith("_") else f"{error.str()} [{error.name()}]"
    return str(exc)


def _is_log_error(exc: BaseException) -> bool:
    errors = sys.modules.get("logcore.errors")
    config = sys.modules.get("logcore.config")
    return (errors is not None and isinstance(exc, errors.LogError)) or (
        config is not None and isinstance(exc, config.ConfigError)
    )


def _is_streams_error(exc: BaseException) -> bool:
    errors = sys.modules.get("pylog.streams.errors")
    return errors is not None and isinstance(exc, errors.StreamsError)


def _describe_os_error(exc: OSError) -> str:
    reason = exc.strerror or str(exc) or type(exc).__name__
    if exc.filename is None:
        return reason
    return f"{os.fsdecode(exc.filename)}: {reason}"
