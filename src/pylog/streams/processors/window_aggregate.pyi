from collections.abc import Callable
from typing import Any, final

from pylog.streams.node import Node
from pylog.streams.processors.aggregation import Aggregation
from pylog.streams.processors.value_getters import KTableValueGetterSupplier
from pylog.streams.record import Record
from pylog.streams.windows import EmitStrategy, Windows

class _WindowAggregateSupplier:
    windows: Windows
    store_name: str
    emit_strategy: EmitStrategy
    sends_old_values: bool
    def __init__(self, windows: Windows, store_name: str, emit_strategy: EmitStrategy) -> None: ...
    def enable_sending_old_values(self, force_materialization: bool = True) -> bool: ...
    def view(self) -> KTableValueGetterSupplier: ...
    def aggregation(self) -> Aggregation: ...
    def __call__(self) -> KStreamWindowAggregateNode: ...

class KStreamWindowAggregateSupplier(_WindowAggregateSupplier):
    initializer: Callable[[], Any]
    aggregator: Callable[[Any, Any, Any], Any]
    def __init__(
        self,
        windows: Windows,
        store_name: str,
        emit_strategy: EmitStrategy,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
    ) -> None: ...

class KStreamWindowCountSupplier(_WindowAggregateSupplier): ...

@final
class KStreamWindowAggregateNode(Node):
    def __init__(
        self,
        windows: Windows,
        store_name: str,
        emit_strategy: EmitStrategy,
        aggregation: Aggregation,
        sends_old_values: bool,
    ) -> None: ...
    def forward_flushed(self, record: Record) -> None: ...
