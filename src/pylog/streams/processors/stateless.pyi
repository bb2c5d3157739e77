from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, final

from pylog.streams.node import Node
from pylog.streams.with_key import WithKey

OfRecord: TypeAlias = Callable[[Any, Any], Any]
OfValue: TypeAlias = Callable[[Any], Any] | WithKey

class _FunctionNode(Node):
    def __init__(self, function: Any) -> None: ...

@final
class FilterNode(_FunctionNode):
    def __init__(self, predicate: OfRecord, is_negated: bool = False) -> None: ...

@final
class MapNode(_FunctionNode):
    def __init__(self, function: Callable[[Any, Any], tuple[Any, Any]]) -> None: ...

@final
class SelectKeyNode(_FunctionNode):
    def __init__(self, function: OfRecord) -> None: ...

@final
class MapValuesNode(_FunctionNode):
    def __init__(self, function: OfValue) -> None: ...

@final
class FlatMapNode(_FunctionNode):
    def __init__(self, function: Callable[[Any, Any], Iterable[tuple[Any, Any]]]) -> None: ...

@final
class FlatMapValuesNode(_FunctionNode):
    def __init__(self, function: OfValue) -> None: ...

@final
class PeekNode(_FunctionNode):
    def __init__(self, function: OfRecord) -> None: ...

@final
class ForeachNode(_FunctionNode):
    def __init__(self, function: OfRecord) -> None: ...

@final
class PassThroughNode(Node): ...

@final
class BranchNode(Node):
    def __init__(self, predicates: Sequence[OfRecord], child_names: Sequence[str]) -> None: ...

@final
class KTableToStreamNode(Node): ...

class NullKeyFilterNode(Node):
    def __init__(self) -> None: ...
