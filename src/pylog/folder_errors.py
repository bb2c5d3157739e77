"""What the operating system refuses about a folder, as a KafkaException with what to do."""

import errno
import os
import resource
from typing import NoReturn

from logcore.errors import LogError, error_from_errno
from pylog.errors import KafkaError, KafkaException, from_log_error

_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def refuse(code: int, reason: str) -> NoReturn:
    """Raise the KafkaException of a code, with a text."""
    raise KafkaException(KafkaError(code, reason))


def as_kafka_exception(
    error: LogError | OSError, path: str, is_opening: bool = False
) -> KafkaException:
    """The KafkaException for what went wrong with a folder, with the operator's action.

    Args:
        error: from the storage core or the operating system.
        path: of the folder, for an error that names no file.
        is_opening: the folder was being opened for writing.
    """
    if isinstance(error, OSError):
        error = error_from_errno(error.errno or 0, "use", os.fsdecode(error.filename or path))
    number = getattr(error, "errno", None)
    hint = ""
    if number in _NO_DESCRIPTORS:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        hint = (
            f"; this process may have {limit} files open, and each partition in use takes up to 8: "
            "raise the limit (ulimit -n), or use fewer partitions in one process"
        )
    elif number in _NOT_WRITABLE and is_opening:
        hint = "; a folder that this program may not write to can be opened read-only"
    exception = from_log_error(error)
    if hint:
        known = exception.args[0]
        exception = KafkaException(KafkaError(known.code(), known.str() + hint))
        exception.__cause__ = error
    return exception
