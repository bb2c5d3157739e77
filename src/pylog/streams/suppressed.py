"""Suppressed, how long a table's updates are held back, and BufferConfig, in how much memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pylog.streams.durations import MAX_MS, Duration, to_ms

_NO_BOUND = 2**63 - 1


@dataclass(frozen=True, slots=True)
class BufferConfig:
    """How much a buffer of held-back updates may take, and what happens when it is full.

    Made with `unbounded`, `of_max_records` or `of_max_bytes`; the `with_` methods make another.

    Attributes:
        max_records: most keys in the buffer.
        max_bytes: most bytes in it.
        emits_early_when_full: the oldest updates go on early; otherwise the application stops.
        log_config: of the buffer's changelog topic; None for no changelog.
    """

    max_records: int = _NO_BOUND
    max_bytes: int = _NO_BOUND
    emits_early_when_full: bool = False
    log_config: Mapping[str, str] | None = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_records < 0 or self.max_bytes < 0:
            raise ValueError(
                f"a buffer's bounds are not negative: {self.max_records} records, "
                f"{self.max_bytes} bytes"
            )

    @classmethod
    def unbounded(cls) -> "BufferConfig":
        """As much as it takes; the application stops when memory is at an end."""
        return cls()

    @classmethod
    def of_max_records(cls, max_records: int) -> "BufferConfig":
        """At most so many keys; emits early when full."""
        return cls(max_records=max_records, emits_early_when_full=True)

    @classmethod
    def of_max_bytes(cls, max_bytes: int) -> "BufferConfig":
        """At most so many bytes; emits early when full."""
        return cls(max_bytes=max_bytes, emits_early_when_full=True)

    def with_max_records(self, max_records: int) -> "BufferConfig":
        """The same with another bound on keys."""
        return replace(self, max_records=max_records)

    def with_max_bytes(self, max_bytes: int) -> "BufferConfig":
        """The same with another bound on bytes."""
        return replace(self, max_bytes=max_bytes)

    def with_no_bound(self) -> "BufferConfig":
        """Without bounds; never emits early."""
        return BufferConfig(log_config=self.log_config)

    def shut_down_when_full(self) -> "BufferConfig":
        """The application stops rather than give an update early."""
        return replace(self, emits_early_when_full=False)

    def emit_early_when_full(self) -> "BufferConfig":
        """The oldest updates go on early when it is full."""
        return replace(self, emits_early_when_full=True)

    def with_logging_disabled(self) -> "BufferConfig":
        """No changelog: what is in the buffer is lost with the process."""
        return replace(self, log_config=None)

    def with_logging_enabled(self, log_config: Mapping[str, str] | None = None) -> "BufferConfig":
        """A changelog, with these topic configurations."""
        return replace(self, log_config=dict(log_config or {}))

    @property
    def logging_enabled(self) -> bool:
        """Whether there is a changelog."""
        return self.log_config is not None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """How a table's updates are held back. Made with `until_time_limit` or `until_window_closes`.

    Attributes:
        wait_ms: how long, in stream time; None for a window's grace period until that is known.
        buffer: the bounds of the buffer.
        is_final: only final results of windows: time counts from the window's end, and a deletion
            needs no word.
        name: of the step and, with "-store" behind it, of the buffer.
    """

    wait_ms: int | None
    buffer: BufferConfig
    is_final: bool = False
    name: str | None = None

    @classmethod
    def until_window_closes(
        cls, buffer: BufferConfig | None = None, *, name: str | None = None
    ) -> "Suppressed":
        """One result a window: when the window and its grace period are over in stream time.

        Args:
            buffer: one that does not emit early; unbounded when not given.
            name: of the step.

        Raises:
            ValueError: the buffer would emit early, so that results were not final.
        """
        chosen = BufferConfig.unbounded() if buffer is None else _checked(buffer)
        if chosen.emits_early_when_full:
            raise ValueError(
                "until_window_closes gives final results only; its buffer cannot emit early: "
                "use BufferConfig.unbounded() or .shut_down_when_full()"
            )
        return cls(None, chosen, is_final=True, name=name)

    @classmethod
    def until_time_limit(
        cls, wait: Duration, buffer: BufferConfig, *, name: str | None = None
    ) -> "Suppressed":
        """At most one update a key every `wait` of stream time, the newest.

        Args:
            wait: from the first update held back to when the newest goes on; a duration.
            buffer: its bounds.
            name: of the step.

        Raises:
            ValueError: the wait is negative.
        """
        wait_ms = to_ms(wait, "wait")
        if wait_ms < 0:
            raise ValueError(f"a time limit is not negative: {wait_ms} ms")
        return cls(wait_ms, _checked(buffer), name=name)

    def with_name(self, name: str) -> "Suppressed":
        """The same with another name."""
        return replace(self, name=name)

    def with_grace(self, grace_ms: int) -> "Suppressed":
        """The same where the windows' grace period is known."""
        return replace(self, wait_ms=min(grace_ms, MAX_MS))


def _checked(buffer: BufferConfig) -> BufferConfig:
    if not isinstance(buffer, BufferConfig):
        raise TypeError(f"the buffer is a BufferConfig, not {buffer!r}")
    return buffer
