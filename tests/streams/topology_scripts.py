"""Topologies written as lines of calls: tests/golden/streams/README.md tells how they read.

Kafka Streams made the goldens from the very same lines; here they call the DSL of pylog.streams.
"""

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.streams import script_functions, script_processors

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.state import stores
from pylog.streams.suppressed import BufferConfig, Suppressed
from pylog.streams.topology import Topology
from pylog.streams.windows import (
    EmitStrategy,
    JoinWindows,
    SessionWindows,
    SlidingWindows,
    TimeWindows,
    UnlimitedWindows,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "streams"
APPLICATION_ID = "app"
DEFAULTS = {
    "application.id": APPLICATION_ID,
    "default.key.serde": serdes.string,
    "default.value.serde": serdes.string,
    "statestore.cache.max.bytes": 0,
}


def topologies(name: str) -> dict[str, dict[str, Any]]:
    """The scripts of a file: by name spec, calls and configs."""
    with (GOLDEN / "topologies" / f"{name}.json").open() as file:
        read: dict[str, dict[str, Any]] = json.load(file)
        return read


def config_of(script: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The configuration that a script is to run with."""
    return {**DEFAULTS, **script.get("configs", {}), **more}


def build(script: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> Topology:
    """Run a script."""
    config = config_of(script) if config is None else config
    builder, topology = StreamsBuilder(), Topology()
    names: dict[str, Any] = {"builder": builder, "topology": topology}
    for line in script["calls"]:
        statement = ast.parse(line).body[0]
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
            assert isinstance(target, ast.Name)
            names[target.id] = _evaluate(statement.value, names)
        else:
            assert isinstance(statement, ast.Expr)
            _evaluate(statement.value, names)
    if any("topology." in line for line in script["calls"]):
        return topology
    return builder.build(config)


class Options(dict[str, Any]):
    """What an object of Kafka Streams' such as Named or Materialized is here: keyword arguments."""


def _evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List):
        return [_evaluate(each, names) for each in node.elts]
    if isinstance(node, ast.Name):
        return names[node.id] if node.id in names else getattr(script_functions, node.id)
    if isinstance(node, ast.Subscript):
        return _evaluate(node.value, names)[_evaluate(node.slice, names)]
    assert isinstance(node, ast.Call), ast.dump(node)
    target = None
    if isinstance(node.func, ast.Attribute):
        target = _evaluate(node.func.value, names)
    arguments = [_evaluate(each, names) for each in node.args]
    if isinstance(node.func, ast.Attribute):
        return _call(target, node.func.attr, arguments)
    assert isinstance(node.func, ast.Name)
    named = {str(each.arg): _evaluate(each.value, names) for each in node.keywords}
    return WORDS[node.func.id](*arguments, **named)


def _call(target: Any, method: str, arguments: list[Any]) -> Any:
    named: dict[str, Any] = {}
    plain = []
    for argument in arguments:
        if isinstance(argument, Options):
            named |= argument
        else:
            plain.append(argument)
    name = re.sub("[A-Z]", lambda letter: f"_{letter.group().lower()}", method)
    special = SPECIAL.get((type(target).__name__, name)) or SPECIAL.get(("", name))
    if special is not None:
        return special(target, name, plain, named)
    return getattr(target, name)(*plain, **named)


# Methods whose arguments stand differently.


def _with_store_names(target: Any, name: str, plain: list[Any], named: dict[str, Any]) -> Any:
    supplier, *store_names = plain
    return getattr(target, name)(supplier, stores=store_names, **named)


def _join_by_key(target: Any, name: str, plain: list[Any], named: dict[str, Any]) -> Any:
    if len(plain) == 3 and callable(plain[1]) and callable(plain[2]):
        other, selector, joiner = plain
        is_table = type(target).__name__ == "KTable"
        named["foreign_key_extractor" if is_table else "key_selector"] = selector
        plain = [other, joiner]
    return getattr(target, name)(*plain, **named)


def _add_global_store(target: Any, name: str, plain: list[Any], named: dict[str, Any]) -> Any:
    builder, source, key_serde, value_serde, topic, processor, supplier = plain
    return target.add_global_store(
        builder, source, topic, processor, supplier, key_serde=key_serde, value_serde=value_serde
    )


def _print(target: Any, name: str, plain: list[Any], named: dict[str, Any]) -> Any:
    return target.print()


SPECIAL: dict[tuple[str, str], Callable[[Any, str, list[Any], dict[str, Any]], Any]] = {
    ("", "process"): _with_store_names,
    ("", "process_values"): _with_store_names,
    ("", "transform_values"): _with_store_names,
    ("", "join"): _join_by_key,
    ("", "left_join"): _join_by_key,
    ("Topology", "add_global_store"): _add_global_store,
    ("", "print"): _print,
}


# The words.


def _named(name: str | None = None, **more: Any) -> Options:
    return Options({"name": name, **more})


def _consumed(name: str | None = None, reset: str | None = None) -> Options:
    return Options({"name": name, **({"auto_offset_reset": reset} if reset else {})})


def _repartitioned(name: str | None = None, partitions: int | None = None) -> Options:
    return Options({"name": name, "number_of_partitions": partitions})


def _stream_joined(name: str | None = None, store: str | None = None) -> Options:
    return Options({"name": name, "store_name": store})


def _joined(name: str | None = None, grace: int | None = None) -> Options:
    return Options({"name": name, "grace": grace})


def _materialized(name: str | None = None, **more: Any) -> Options:
    return Options({"materialized": Materialized(name, **more)})


def _versioned(name: str, history: int) -> Options:
    supplier = stores.persistent_versioned_key_value_store(name, history)
    return Options({"materialized": Materialized.as_(supplier)})


def _time_windows(size: int, grace: int = 0, advance: int | None = None) -> TimeWindows:
    windows = TimeWindows.of_size_and_grace(size, grace)
    return windows if advance is None else windows.advance_by(advance)


def _join_windows(
    difference: int, grace: int = 0, before: int | None = None, after: int | None = None
) -> JoinWindows:
    windows = JoinWindows.of_time_difference_and_grace(difference, grace)
    windows = windows if before is None else windows.before(before)
    return windows if after is None else windows.after(after)


def _until_window_closes(name: str | None = None) -> Suppressed:
    suppressed = Suppressed.until_window_closes(BufferConfig.unbounded())
    return suppressed if name is None else suppressed.with_name(name)


def _until_time_limit(
    limit: int,
    maxRecords: int | None = None,  # noqa: N803
    maxBytes: int | None = None,  # noqa: N803
    name: str | None = None,
) -> Suppressed:
    buffer = BufferConfig.unbounded()
    if maxRecords is not None:
        buffer = buffer.with_max_records(maxRecords)
    if maxBytes is not None:
        buffer = buffer.with_max_bytes(maxBytes)
    if maxRecords is not None or maxBytes is not None:
        buffer = buffer.emit_early_when_full()
    suppressed = Suppressed.until_time_limit(limit, buffer)
    return suppressed if name is None else suppressed.with_name(name)


WORDS: dict[str, Callable[..., Any]] = {
    "Named": _named,
    "Grouped": _named,
    "TableJoined": _named,
    "Branched": _named,
    "Produced": _named,
    "Consumed": _consumed,
    "Joined": _joined,
    "StreamJoined": _stream_joined,
    "Repartitioned": _repartitioned,
    "Printed": Options,
    "Materialized": _materialized,
    "Versioned": _versioned,
    "Pattern": re.compile,
    "TimeWindows": _time_windows,
    "SlidingWindows": lambda size, grace=0: SlidingWindows.of_time_difference_and_grace(
        size, grace
    ),
    "SessionWindows": lambda gap, grace=0: SessionWindows.of_inactivity_gap_and_grace(gap, grace),
    "UnlimitedWindows": UnlimitedWindows.of,
    "JoinWindows": _join_windows,
    "onWindowClose": EmitStrategy.on_window_close,
    "untilWindowCloses": _until_window_closes,
    "untilTimeLimit": _until_time_limit,
    **script_processors.WORDS,
}


def names_of(lines: Iterable[str]) -> list[str]:
    """The words and functions that scripts use, for a look at what is not known here."""
    return sorted({name for line in lines for name in re.findall(r"\b([A-Za-z]\w*)\(", line)})
