from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, final

from typing_extensions import disjoint_base

from pylog.streams.keyed_function import WithKey
from pylog.streams.node import Node

_OfRecord: TypeAlias = Callable[[Any, Any], Any]
_OfValue: TypeAlias = Callable[[Any], Any] | WithKey

@disjoint_base
class _FunctionNode(Node):
    def __init__(self, function: Any) -> None: ...

@final
class FilterNode(_FunctionNode):
    def __init__(self, predicate: _OfRecord, is_negated: bool = False) -> None: ...

@final
class MapNode(_FunctionNode):
    def __init__(self, function: Callable[[Any, Any], tuple[Any, Any]]) -> None: ...

@final
class SelectKeyNode(_FunctionNode):
    def __init__(self, function: _OfRecord) -> None: ...

@final
class MapValuesNode(_FunctionNode):
    def __init__(self, function: _OfValue) -> None: ...

@final
class FlatMapNode(_FunctionNode):
    def __init__(self, function: Callable[[Any, Any], Iterable[tuple[Any, Any]]]) -> None: ...

@final
class FlatMapValuesNode(_FunctionNode):
    def __init__(self, function: _OfValue) -> None: ...

@final
class PeekNode(_FunctionNode):
    def __init__(self, function: _OfRecord) -> None: ...

@final
class ForeachNode(_FunctionNode):
    def __init__(self, function: _OfRecord) -> None: ...

@final
class PassThroughNode(Node): ...

@final
class BranchNode(Node):
    def __init__(self, predicates: Sequence[_OfRecord], child_names: Sequence[str]) -> None: ...

@final
class KTableToStreamNode(Node): ...

@final
class NullKeyFilterNode(Node):
    def __init__(self) -> None: ...
