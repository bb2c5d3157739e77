from collections.abc import Callable
from typing import Any, final

from pylog.streams.node import Node
from pylog.streams.processors.aggregation import Aggregation
from pylog.streams.processors.value_getters import KTableValueGetterSupplier
from pylog.streams.record import Record

class _StreamAggregateSupplier:
    store_name: str
    sends_old_values: bool
    def __init__(self, store_name: str) -> None: ...
    def enable_sending_old_values(self, force_materialization: bool = True) -> bool: ...
    def view(self) -> KTableValueGetterSupplier: ...
    def aggregation(self) -> Aggregation: ...
    def __call__(self) -> KStreamAggregateNode: ...

class KStreamAggregateSupplier(_StreamAggregateSupplier):
    initializer: Callable[[], Any]
    aggregator: Callable[[Any, Any, Any], Any]
    def __init__(
        self,
        store_name: str,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
    ) -> None: ...

class KStreamReduceSupplier(_StreamAggregateSupplier):
    reducer: Callable[[Any, Any], Any]
    def __init__(self, store_name: str, reducer: Callable[[Any, Any], Any]) -> None: ...

class KStreamCountSupplier(_StreamAggregateSupplier): ...

@final
class KStreamAggregateNode(Node):
    def __init__(
        self, store_name: str, aggregation: Aggregation, sends_old_values: bool
    ) -> None: ...
    def forward_flushed(self, record: Record) -> None: ...
