"""Makes the outer join stores of a topology, in memory or on disk.

Source: Kafka Streams' OuterStreamJoinStoreFactory, ListValueStoreBuilder.
"""

from collections.abc import Mapping
from typing import Any, Self

from pylog.streams import serdes
from pylog.streams.serde import Serde
from pylog.streams.state import stores
from pylog.streams.state.outer_join_store import OuterJoinStore


class OuterJoinStoreBuilder:
    """Makes the outer join stores of a join.

    Args:
        name: of the store.
        is_persistent: whether it is on disk.
        key_serde: None for the default of the application.
        left_value_serde: None for the default of the application.
        right_value_serde: None for the default of the application.
    """

    caching_enabled = False
    changelog_kind = "compact"
    retention_ms = None
    history_retention_ms = None

    def __init__(
        self,
        name: str,
        is_persistent: bool,
        key_serde: Serde | None,
        left_value_serde: Serde | None,
        right_value_serde: Serde | None,
    ):
        supplier: Any
        if is_persistent:
            supplier = stores.persistent_key_value_store(name)
        else:
            supplier = stores.in_memory_key_value_store(name)
        # To the layers below, entries are bytes like any others.
        self._entries: Any = stores.key_value_store_builder(supplier, serdes.bytes, serdes.bytes)
        self._serdes = (key_serde, left_value_serde, right_value_serde)
        self.name = name

    @property
    def logging_enabled(self) -> bool:
        """Whether there is a changelog."""
        enabled: bool = self._entries.logging_enabled
        return enabled

    @property
    def log_config(self) -> Mapping[str, str]:
        """Configs of the changelog's topic."""
        config: Mapping[str, str] = self._entries.log_config
        return config

    def with_caching_enabled(self) -> Self:
        """Change nothing: it is never cached."""
        return self

    def with_caching_disabled(self) -> Self:
        """Change nothing: it is never cached."""
        return self

    def with_logging_enabled(self, config: Mapping[str, str] | None = None) -> Self:
        """Keep a changelog, with these configs of its topic."""
        self._entries.with_logging_enabled(dict(config or {}))
        return self

    def with_logging_disabled(self) -> Self:
        """Keep no changelog."""
        self._entries.with_logging_disabled()
        return self

    def build(self) -> OuterJoinStore:
        """Make a store."""
        return OuterJoinStore(self._entries.build(), *self._serdes)


def outer_join_store_builder(
    name: str,
    is_persistent: bool,
    key_serde: Serde | None,
    left_value_serde: Serde | None,
    right_value_serde: Serde | None,
) -> OuterJoinStoreBuilder:
    """Return what makes the outer join stores of a join."""
    return OuterJoinStoreBuilder(
        name, is_persistent, key_serde, left_value_serde, right_value_serde
    )
