"""Materialized, how the state of a table or an aggregation is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pylog.streams.dsl.naming import checked_name
from pylog.streams.durations import Duration, to_ms
from pylog.streams.serde import Serde

# Names of `default.dsl.store`, and what they mean here.
STORE_TYPES = {"in_memory": False, "rocksDB": True, "persistent": True}


@dataclass(frozen=True, slots=True)
class Materialized:
    """Options of a state store. Immutable: the `with_` methods make another.

    >>> Materialized.as_("counts").with_retention("1h").with_caching_disabled().name
    'counts'

    Attributes:
        name: of the store; it can be queried by it, and its changelog topic is
            "<application.id>-<name>-changelog". None for a name made by the builder.
        key_serde: of its keys; None for the one of the stream.
        value_serde: of its values; None for the one that is known, or `default.value.serde`.
        supplier: makes the store itself, see `pylog.streams.state.stores`; has its own name.
        store_type: "in_memory" or "persistent", where there is no supplier; None for
            `default.dsl.store`.
        retention: for how long windows are kept, a duration; None for their size and grace.
        caching_enabled: updates of a key are merged until the next commit, if
            `statestore.cache.max.bytes` has room.
        logging_enabled: each change goes to the changelog topic too, from which the store is
            restored.
        log_config: topic configurations of the changelog.

    Raises:
        TopologyError: the name is not a legal one.
        TypeError: serdes are no Serdes, or the supplier has no name.
        ValueError: the retention is negative, or a type is given beside a supplier.
    """

    name: str | None = None
    key_serde: Serde | None = field(default=None, kw_only=True)
    value_serde: Serde | None = field(default=None, kw_only=True)
    supplier: Any = field(default=None, kw_only=True)
    store_type: str | None = field(default=None, kw_only=True)
    retention: Duration | None = field(default=None, kw_only=True)
    caching_enabled: bool = field(default=True, kw_only=True)
    logging_enabled: bool = field(default=True, kw_only=True)
    log_config: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if self.name is not None:
            checked_name(self.name)
        check_serde(self.key_serde, "key_serde of Materialized")
        check_serde(self.value_serde, "value_serde of Materialized")
        if self.supplier is not None:
            if not isinstance(getattr(self.supplier, "name", None), str):
                raise TypeError(f"a store supplier has a name, unlike {self.supplier!r}")
            if self.name is not None:
                raise ValueError(
                    f"the store supplier has a name, {self.supplier.name!r}; "
                    f"{self.name!r} beside it has no meaning"
                )
            if self.store_type is not None:
                raise ValueError("a store type beside a store supplier has no meaning")
        if self.store_type is not None and self.store_type not in STORE_TYPES:
            raise ValueError(f"store_type is one of {sorted(STORE_TYPES)}, not {self.store_type!r}")
        if self.retention is not None and to_ms(self.retention, "retention") < 0:
            raise ValueError(f"a retention is not negative: {self.retention!r}")

    @classmethod
    def as_(cls, name_or_supplier: Any) -> "Materialized":
        """A store of this name, or the one that a supplier makes."""
        if isinstance(name_or_supplier, str):
            return cls(name_or_supplier)
        return cls(supplier=name_or_supplier)

    @classmethod
    def with_serdes(cls, key_serde: Serde | None, value_serde: Serde | None) -> "Materialized":
        """A store without a name, of these serdes."""
        return cls(key_serde=key_serde, value_serde=value_serde)

    def with_key_serde(self, key_serde: Serde | None) -> "Materialized":
        """The same with another serde of keys."""
        return replace(self, key_serde=key_serde)

    def with_value_serde(self, value_serde: Serde | None) -> "Materialized":
        """The same with another serde of values."""
        return replace(self, value_serde=value_serde)

    def with_caching_enabled(self) -> "Materialized":
        """Updates of a key are merged until the next commit."""
        return replace(self, caching_enabled=True)

    def with_caching_disabled(self) -> "Materialized":
        """Each update goes on at once."""
        return replace(self, caching_enabled=False)

    def with_logging_enabled(self, log_config: Mapping[str, str] | None = None) -> "Materialized":
        """With a changelog topic, and its topic configurations."""
        return replace(self, logging_enabled=True, log_config=dict(log_config or {}))

    def with_logging_disabled(self) -> "Materialized":
        """Without a changelog topic: what the store holds is lost with its folder or process."""
        return replace(self, logging_enabled=False, log_config={})

    def with_retention(self, retention: Duration) -> "Materialized":
        """Windows are kept for this long."""
        return replace(self, retention=retention)

    def with_store_type(self, store_type: str) -> "Materialized":
        """In memory or on disk, whatever `default.dsl.store` says."""
        return replace(self, store_type=store_type)

    @property
    def store_name(self) -> str | None:
        """The supplier's name or the one that was given."""
        return self.name if self.supplier is None else self.supplier.name

    @property
    def retention_ms(self) -> int | None:
        """The retention in ms, None where none is given."""
        return None if self.retention is None else to_ms(self.retention, "retention")

    @property
    def is_versioned(self) -> bool:
        """Whether the store keeps versions of its values."""
        return getattr(self.supplier, "history_retention_ms", None) is not None


def check_serde(serde: Any, where: str) -> None:
    """Refuse what is neither a Serde nor None.

    Raises:
        TypeError: it is something else.
    """
    if serde is not None and not isinstance(serde, Serde):
        raise TypeError(f"{where} is a Serde, such as serdes.string, not {serde!r}")
