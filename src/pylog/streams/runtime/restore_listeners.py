"""Listeners of restoring and of standbys: objects with these methods; the base does nothing.

Source: Kafka StateRestoreListener, StandbyUpdateListener.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pylog import TopicPartition
from pylog.streams.errors import StreamsError


class SuspendReason(StrEnum):
    """Why a standby task stopped following its changelog."""

    MIGRATED = "migrated"
    PROMOTED = "promoted"


class StateRestoreListener:
    """Hears how stores are filled from their changelogs before their tasks run.

    Called in stream threads, by several at once.
    """

    def on_restore_start(
        self,
        topic_partition: TopicPartition,
        store_name: str,
        starting_offset: int,
        ending_offset: int,
    ) -> None:
        """A store is about to be restored from `starting_offset` up to `ending_offset`."""

    def on_batch_restored(
        self,
        topic_partition: TopicPartition,
        store_name: str,
        batch_end_offset: int,
        num_restored: int,
    ) -> None:
        """So many records were put into the store; the last one has `batch_end_offset`."""

    def on_restore_end(
        self, topic_partition: TopicPartition, store_name: str, total_restored: int
    ) -> None:
        """The store is complete."""

    def on_restore_suspended(
        self, topic_partition: TopicPartition, store_name: str, total_restored: int
    ) -> None:
        """The task went elsewhere before its store was complete."""


class StandbyUpdateListener:
    """Hears how the stores of standby tasks follow their changelogs. Called in stream threads."""

    def on_update_start(
        self, topic_partition: TopicPartition, store_name: str, starting_offset: int
    ) -> None:
        """A standby's store begins to follow at this offset."""

    def on_batch_loaded(
        self,
        topic_partition: TopicPartition,
        store_name: str,
        task_id: Any,
        batch_end_offset: int,
        batch_size: int,
        current_end_offset: int,
    ) -> None:
        """A batch was put into the store."""

    def on_update_suspended(
        self,
        topic_partition: TopicPartition,
        store_name: str,
        store_offset: int,
        current_end_offset: int,
        reason: SuspendReason,
    ) -> None:
        """The standby stopped: its task went elsewhere, or runs here from now on."""


def tell(call: Callable[..., object], *args: object) -> None:
    """Call a listener; what it raises is the program's error.

    Raises:
        StreamsError: the listener raised.
    """
    try:
        call(*args)
    except Exception as error:
        name = getattr(call, "__qualname__", repr(call))
        raise StreamsError(f"listener {name} raised {type(error).__name__}: {error}") from error
