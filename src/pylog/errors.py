"""Errors of the clients, with confluent_kafka's names and behaviour.

```
KafkaException(Exception)     args[0] is the KafkaError
KafkaError                    a code with a text; an event too, as in Message.error()
```
A program tests `error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART`, or `error ==` the number.
The codes are in error_codes.py. What the storage core raises becomes a KafkaException through
from_log_error, with the original as its `__cause__`.
"""

import builtins

from logcore import errors as log_errors
from logcore.config import ConfigError
from pylog.error_codes import ERROR_CODES, ErrorCodes


class KafkaError(ErrorCodes):
    """An error or event: a code, its text, and what may be done about it.

    Equal to another KafkaError, or to an int, of the same code, whatever the text.

    Args:
        error: the code, one of the class's attributes.
        reason: text in place of the code's description.
        fatal: the client cannot go on.
        retriable: a retry may succeed; None takes what Kafka says of the code. (confluent_kafka
            says False whenever the broker did not say otherwise.)
        txn_requires_abort: the current transaction must be aborted.

    >>> error = KafkaError(KafkaError._QUEUE_FULL)
    >>> error
    KafkaError{code=_QUEUE_FULL,val=-184,str="Local: Queue full"}
    >>> error == KafkaError._QUEUE_FULL, error.retriable()
    (True, True)
    """

    __slots__ = ("_code", "_fatal", "_reason", "_retriable", "_txn_requires_abort")

    def __init__(
        self,
        error: int,
        reason: str | None = None,
        fatal: bool = False,
        retriable: bool | None = None,
        txn_requires_abort: bool = False,
    ) -> None:
        if not isinstance(error, int):
            raise TypeError(f"error code must be an int, not {type(error).__name__}")
        if reason is not None and not isinstance(reason, str):
            raise TypeError(f"reason must be a str or None, not {type(reason).__name__}")
        row = ERROR_CODES.get(error)
        self._code = int(error)
        self._reason = reason
        self._fatal = bool(fatal)
        self._retriable = (
            bool(retriable) if retriable is not None else row is not None and row.is_retriable
        )
        self._txn_requires_abort = bool(txn_requires_abort)

    def code(self) -> int:
        """Return the code, to compare with the class's attributes."""
        return self._code

    def name(self) -> str:
        """Return the code's name."""
        row = ERROR_CODES.get(self._code)
        return row.name if row is not None else f"ERR_{self._code}?"

    def str(self) -> str:
        """Return the text: the reason if there is one, else the code's description."""
        if self._reason is not None:
            return self._reason
        row = ERROR_CODES.get(self._code)
        return row.description if row is not None else f"Err-{self._code}?"

    def retriable(self) -> bool:
        """Return whether the operation may succeed when it is tried again."""
        return self._retriable

    def fatal(self) -> bool:
        """Return whether the client cannot go on."""
        return self._fatal

    def txn_requires_abort(self) -> bool:
        """Return whether the current transaction must be aborted."""
        return self._txn_requires_abort

    def __repr__(self) -> builtins.str:
        mark = "FATAL," if self._fatal else ""
        return f'KafkaError{{{mark}code={self.name()},val={self._code},str="{self.str()}"}}'

    def __hash__(self) -> int:
        return self._code

    def __eq__(self, other: object) -> bool:
        code = _code_of(other)
        return NotImplemented if code is None else self._code == code

    def __lt__(self, other: object) -> bool:
        code = _code_of(other)
        return NotImplemented if code is None else self._code < code

    def __le__(self, other: object) -> bool:
        code = _code_of(other)
        return NotImplemented if code is None else self._code <= code

    def __gt__(self, other: object) -> bool:
        code = _code_of(other)
        return NotImplemented if code is None else self._code > code

    def __ge__(self, other: object) -> bool:
        code = _code_of(other)
        return NotImplemented if code is None else self._code >= code


class KafkaException(Exception):  # noqa: N818 (confluent_kafka's name)
    """Raised by the clients; `args[0]` is the KafkaError.

    >>> try:
    ...     raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    ... except KafkaException as exception:
    ...     print(exception.args[0].name())
    _TIMED_OUT
    """


def _code_of(other: object) -> int | None:
    if isinstance(other, KafkaError):
        return other._code
    return other if isinstance(other, int) else None


# What a storage error is to a client; a subclass takes its nearest base's.
_FROM_LOG_ERROR: dict[type[log_errors.LogError], int] = {
    log_errors.LogError: KafkaError._FAIL,
    log_errors.CorruptRecordError: KafkaError._BAD_MSG,
    log_errors.OffsetOutOfRangeError: KafkaError.OFFSET_OUT_OF_RANGE,
    log_errors.OffsetMismatchError: KafkaError._CONFLICT,
    log_errors.RecordTooLargeError: KafkaError.MSG_SIZE_TOO_LARGE,
    log_errors.InvalidRecordError: KafkaError.INVALID_RECORD,
    log_errors.DiskFullError: KafkaError.KAFKA_STORAGE_ERROR,
    log_errors.FsyncError: KafkaError.KAFKA_STORAGE_ERROR,
    log_errors.LogIOError: KafkaError._FS,
    log_errors.LockTimeoutError: KafkaError._TIMED_OUT,
    log_errors.ProducerError: KafkaError.UNKNOWN_PRODUCER_ID,
    log_errors.OutOfOrderSequenceError: KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    log_errors.InvalidProducerEpochError: KafkaError.INVALID_PRODUCER_EPOCH,
    log_errors.InvalidTxnStateError: KafkaError.INVALID_TXN_STATE,
    log_errors.UnsupportedFormatError: KafkaError.UNSUPPORTED_VERSION,
    log_errors.UnsupportedFileSystemError: KafkaError._UNSUPPORTED_FEATURE,
    log_errors.ReadOnlyError: KafkaError._READ_ONLY,
    log_errors.LogClosedError: KafkaError._STATE,
}


def from_log_error(error: log_errors.LogError | ConfigError) -> KafkaException:
    """Return the KafkaException for what the storage core raised, with it as the cause.

    The text is the storage core's own: it names the place and the operator's action. A full disk
    may be retried once there is room; a failed fsync may not, in this process or another.

    >>> from_log_error(log_errors.LogClosedError("the log is closed")).args[0]
    KafkaError{code=_STATE,val=-172,str="the log is closed"}
    """
    if isinstance(error, ConfigError):
        code = KafkaError.INVALID_CONFIG
    else:
        kinds = type(error).__mro__
        code = next(_FROM_LOG_ERROR[kind] for kind in kinds if kind in _FROM_LOG_ERROR)
    can_retry = False if isinstance(error, log_errors.FsyncError) else None
    exception = KafkaException(KafkaError(code, str(error), retriable=can_retry))
    exception.__cause__ = error
    return exception
