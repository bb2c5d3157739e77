"""Tables read from a topic, filtered, mapped and transformed: what they send, and what is found.

Cases of Kafka Streams' KTableSourceTest, KTableFilterTest, KTableMapValuesTest,
KTableTransformValuesTest and KTableRepartitionMap's.
"""

from collections.abc import Callable
from typing import Any

import pytest
from tests.streams.processors.harness import Harness
from tests.streams.processors.join_driver import Changes, JoinDriver, text

from pylog.streams import serdes
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import ProcessingError, StreamsError, TopologyError
from pylog.streams.keyed_function import with_key
from pylog.streams.processors.repartition_map import KTableRepartitionMapSupplier
from pylog.streams.record import Change, ValueAndTimestamp
from pylog.streams.state import stores

INTEGERS = {"default.value.serde": serdes.int}
STEPS = [("A", 1, 5), ("B", 1, 10), ("C", 1, 15)], [("A", 2, 15), ("B", 2, 8)], [("A", 3, 20)]
DELETES = [("A", None, 10), ("B", None, 20)]


def _is_even(key: str, value: int) -> bool:
    return value % 2 == 0


def _kept(name: str) -> Materialized:
    return Materialized.as_(name)


def _versioned(name: str) -> Materialized:
    return Materialized.as_(stores.persistent_versioned_key_value_store(name, "5m"))


class TableDriver(JoinDriver):
    """A topology of tables over one topic, and what they send."""

    def __init__(
        self,
        define: Callable[[Any], list[Any]],
        config: dict[str, Any] | None = None,
        value_serdes: dict[str, Any] | None = None,
    ):
        """Build it.

        Args:
            define: adds to a builder; returns the tables to look at.
            config: over the defaults.
            value_serdes: of topics whose values are not of the default serde.
        """
        tables: list[Any] = []

        def remember(builder: Any) -> None:
            tables.extend(define(builder))

        self.changes: list[Changes] = []

        def extend(topology: Any) -> None:
            for number, table in enumerate(tables):
                self.changes.append(Changes())
                topology.add_processor(f"changes {number}", self.changes[-1], table.name)

        super().__init__(remember, config, ("topic",), extend, value_serdes)

    def feed(self, records: list[tuple[Any, Any, int]]) -> list[list[tuple[Any, Any, Any, int]]]:
        """Put records in; what each table has sent."""
        for key, value, timestamp in records:
            self.pipe("topic", key, value, timestamp)
        return [changes.take() for changes in self.changes]


# A table of a topic.


@pytest.mark.parametrize("materialized", [None, _kept("store")], ids=["not kept", "kept"])
def test_a_topic_becomes_a_table(materialized: Materialized | None) -> None:
    records = [("A", 1, 10), ("B", 2, 11), ("C", 3, 12), ("D", 4, 13), ("A", None, 14)]

    def define(builder: Any) -> Any:
        return builder.table("topic", materialized=materialized).to_stream()

    with JoinDriver(define, INTEGERS, ("topic",)) as driver:
        assert [driver.pipe("topic", *record)[0] for record in records] == records


def test_a_record_without_key_is_dropped_and_counted() -> None:
    with TableDriver(lambda builder: [builder.table("topic")]) as driver:
        assert driver.feed([(None, "value", 0)]) == [[]]
        assert driver.drops == {"null key": 1}


def test_old_values_are_sent_when_asked_for() -> None:
    def define(builder: Any) -> list[Any]:
        table = builder.table("topic")
        assert table.enable_sending_old_values(True)
        return [table]

    with TableDriver(define) as driver:
        driver.feed([("A", "01", 10), ("B", "01", 20)])
        assert driver.feed([("A", "02", 8), ("B", "02", 22), ("A", "03", 12)]) == [
            [("A", "02", "01", 8), ("B", "02", "01", 22), ("A", "03", "02", 12)]
        ]
        assert driver.feed([("A", None, 15), ("B", None, 20)]) == [
            [("A", None, "03", 15), ("B", None, "02", 20)]
        ]


def test_old_values_are_not_sent_by_default() -> None:
    with TableDriver(lambda builder: [builder.table("topic")]) as driver:
        driver.feed([("A", "01", 10)])
        assert driver.feed([("A", "02", 8), ("A", None, 15)]) == [
            [("A", "02", None, 8), ("A", None, None, 15)]
        ]


def test_a_table_that_is_not_kept_sends_old_values_only_if_it_is_forced_to_be_kept() -> None:
    def define(builder: Any) -> list[Any]:
        table = builder.table("topic")
        assert not table.enable_sending_old_values(False)
        return [table]

    with TableDriver(define) as driver:
        driver.feed([("A", "01", 10)])
        assert driver.feed([("A", "02", 11)]) == [[("A", "02", None, 11)]]
        assert driver.driver.get_all_state_stores() == {}


def test_a_versioned_table_says_which_records_are_old_and_leaves_out_what_is_too_old() -> None:
    latest = []

    class IsLatest:
        def process(self, record: Any) -> None:
            latest.append((record.value.new_value, record.value.is_latest))

    tables = []

    def define(builder: Any) -> None:
        supplier = stores.persistent_versioned_key_value_store("store", 10)
        tables.append(builder.table("topic", materialized=Materialized.as_(supplier)))

    def extend(topology: Any) -> None:
        topology.add_processor("is latest", IsLatest, tables[0].name)

    with JoinDriver(define, None, ("topic",), extend) as driver:
        for value, timestamp in (("a", 20), ("b", 15), ("c", 25), ("d", 14)):
            driver.pipe("topic", "A", value, timestamp)
        assert latest == [("a", True), ("b", False), ("c", True)]
        assert driver.drops == {"expired": 1}


def _found(define: Callable[[Any], Any]) -> JoinDriver:
    """A topology whose stream "ask" is joined with a table, so that the table is looked up."""

    def ask(builder: Any) -> Any:
        table = define(builder)
        return builder.stream("ask", value_serde=serdes.string).left_join(
            table, lambda asked, value: value
        )

    return JoinDriver(ask, INTEGERS, ("topic", "ask"), value_serdes={"ask": serdes.string})


def _look_up(driver: JoinDriver, keys: str = "ABC") -> list[Any]:
    answers = []
    for key in keys:
        ((_, value, _),) = driver.pipe("ask", key, "", 0)
        answers.append(value)
    return answers


# filter


def test_filter_and_filter_not() -> None:
    records = [("A", 1, 10), ("B", 2, 5), ("C", 3, 8), ("D", 4, 14), ("A", None, 18)]
    records += [("B", None, 15)]
    even = [None, 2, None, 4, None, None]
    odd = [1, None, 3, None, None, None]
    for materialized in (None, _kept("store")):

        def define(builder: Any, materialized: Any = materialized) -> list[Any]:
            table = builder.table("topic")
            return [
                table.filter(_is_even, materialized=materialized),
                table.filter_not(_is_even),
            ]

        with TableDriver(define, INTEGERS) as driver:
            outputs = driver.feed(records)
            assert [[value for _, value, _, _ in each] for each in outputs] == [even, odd]
            assert [each[3] for each in outputs[0]] == [10, 5, 8, 14, 18, 15]


@pytest.mark.parametrize("materialized", [None, _kept("store2")], ids=["computed", "kept"])
def test_filter_without_old_values_sends_deletes_of_what_was_never_there(
    materialized: Materialized | None,
) -> None:
    def define(builder: Any) -> list[Any]:
        table = builder.table("topic")
        return [table, table.filter(_is_even, materialized=materialized)]

    with TableDriver(define, INTEGERS) as driver:
        sent = [driver.feed(records)[1] for records in (*STEPS, DELETES)]
        assert sent == [
            [("A", None, None, 5), ("B", None, None, 10), ("C", None, None, 15)],
            [("A", 2, None, 15), ("B", 2, None, 8)],
            [("A", None, None, 20)],
            [("A", None, None, 10), ("B", None, None, 20)],
        ]


FILTERS_WITH_OLD_VALUES = {
    "forced to be kept": (None, None, True, True),
    "kept": (None, _kept("store2"), True, False),
    "below a kept table": (_kept("store"), None, False, True),
}


@pytest.mark.parametrize(
    ("of_table", "of_filter", "is_forced", "parent_sends_old"),
    FILTERS_WITH_OLD_VALUES.values(),
    ids=FILTERS_WITH_OLD_VALUES,
)
def test_filter_with_old_values_sends_deletes_of_what_was_there(
    of_table: Materialized | None,
    of_filter: Materialized | None,
    is_forced: bool,
    parent_sends_old: bool,
) -> None:
    def define(builder: Any) -> list[Any]:
        table = builder.table("topic", materialized=of_table)
        filtered = table.filter(_is_even, materialized=of_filter)
        assert filtered.enable_sending_old_values(is_forced)
        return [table, filtered]

    with TableDriver(define, INTEGERS) as driver:
        outputs = [driver.feed(records) for records in (*STEPS, DELETES)]
        assert [each[1] for each in outputs] == [
            [],
            [("A", 2, None, 15), ("B", 2, None, 8)],
            [("A", None, 2, 20)],
            [("B", None, 2, 20)],
        ]
        old = [each[2] for output in outputs[1:] for each in output[0]]
        assert old == ([1, 1, 2, 3, 2] if parent_sends_old else [None] * 5)


SKIPS = {
    "before a group": (None, None, True),
    "before a group, kept": (None, _kept("store2"), True),
    "of a versioned table": (_versioned("versioned"), None, False),
    "kept with versions": (_kept("store"), _versioned("versioned"), True),
}


@pytest.mark.parametrize(("of_table", "of_filter", "skips"), SKIPS.values(), ids=SKIPS)
def test_deletes_of_what_was_never_there_go_to_a_repartition_only_from_versioned_tables(
    of_table: Materialized | None, of_filter: Materialized | None, skips: bool
) -> None:
    def define(builder: Any) -> list[Any]:
        table = builder.table("topic", materialized=of_table)
        filtered = table.filter(lambda key, value: value == "accept", materialized=of_filter)
        filtered.group_by(lambda key, value: (key, value)).reduce(
            lambda aggregate, value: aggregate + value,
            lambda aggregate, value: aggregate.removesuffix(value),
        )
        return [table, filtered]

    with TableDriver(define) as driver:
        sent = driver.feed([("A", "reject", 5), ("B", "reject", 10), ("C", "reject", 20)])
        assert [each[:3] for each in sent[0]] == [(key, "reject", None) for key in "ABC"]
        deletes = [("A", None, None, 5), ("B", None, None, 10), ("C", None, None, 20)]
        assert sent[1] == ([] if skips else deletes)


@pytest.mark.parametrize("materialized", [None, _kept("store2")], ids=["computed", "kept"])
def test_a_filtered_table_is_looked_up(materialized: Materialized | None) -> None:
    def define(builder: Any) -> Any:
        return builder.table("topic").filter(_is_even, materialized=materialized)

    with _found(define) as driver:
        found = []
        for records in (*STEPS, DELETES):
            for record in records:
                driver.pipe("topic", *record)
            found.append(_look_up(driver))
        assert found == [[None] * 3, [2, 2, None], [None, 2, None], [None] * 3]


# map_values


@pytest.mark.parametrize("materialized", [None, _kept("anyName")], ids=["computed", "kept"])
def test_map_values(materialized: Materialized | None) -> None:
    def define(builder: Any) -> list[Any]:
        table = builder.table("topic", value_serde=serdes.string)
        return [table.map_values(int, materialized=materialized)]

    with TableDriver(define, INTEGERS, {"topic": serdes.string}) as driver:
        assert driver.feed([("A", "1", 5), ("B", "2", 25), ("C", "3", 20), ("D", "4", 10)]) == [
            [("A", 1, None, 5), ("B", 2, None, 25), ("C", 3, None, 20), ("D", 4, None, 10)]
        ]
        assert driver.feed([("A", "02", 10), ("A", None, 30)]) == [
            [("A", 2, None, 10), ("A", None, None, 30)]
        ]


@pytest.mark.parametrize("materialized", [None, _kept("bob")], ids=["computed", "kept"])
def test_map_values_with_old_values(materialized: Materialized | None) -> None:
    parents = []

    def define(builder: Any) -> list[Any]:
        table = builder.table("topic")
        mapped = table.map_values(lambda value: value * 10, materialized=materialized)
        assert mapped.enable_sending_old_values(True)
        parents.append(table)
        return [table, mapped]

    with TableDriver(define, INTEGERS) as driver:
        driver.feed(STEPS[0])
        sent = driver.feed([("A", 2, 10), ("B", 2, 8), ("A", 3, 20), ("A", None, 30)])
        assert sent[1] == [
            ("A", 20, 10, 10),
            ("B", 20, 10, 8),
            ("A", 30, 20, 20),
            ("A", None, 30, 30),
        ]
        # A table that is kept has old values of its own and does not ask its parent.
        assert [each[2] for each in sent[0]] == (
            [1, 1, 2, 3] if materialized is None else [None] * 4
        )


@pytest.mark.parametrize("materialized", [None, _kept("store2")], ids=["computed", "kept"])
def test_a_mapped_table_is_looked_up(materialized: Materialized | None) -> None:
    def define(builder: Any) -> Any:
        table = builder.table("topic")
        return table.map_values(
            with_key(lambda key, value: -value if key != "B" or value > 1 else None),
            materialized=materialized,
        )

    with _found(define) as driver:
        found = []
        for records in (*STEPS, [("A", None, 1)]):
            for record in records:
                driver.pipe("topic", *record)
            found.append(_look_up(driver))
        assert found == [[-1, None, -1], [-2, -2, -1], [-3, -2, -1], [None, -2, -1]]


# transform_values


class Exclaim:
    """Says a key and its value."""

    def transform(self, key: str, value: str | None) -> str:
        return f"{key}->{text(value)}!"


class Count:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def transform(self, key: str, value: str | None) -> int:
        self.calls += 1
        return self.calls


class Length:
    """The length of a value."""

    def transform(self, key: str, value: str | None) -> int | None:
        return None if value is None else len(value)


@pytest.mark.parametrize("materialized", [None, _kept("queryable")], ids=["computed", "kept"])
def test_transform_values_is_asked_about_deletes_too(materialized: Materialized | None) -> None:
    def define(builder: Any) -> list[Any]:
        return [builder.table("topic").transform_values(Exclaim, materialized=materialized)]

    with TableDriver(define) as driver:
        assert driver.feed([("A", "a", 5), ("B", "b", 10), ("D", None, 15)]) == [
            [("A", "A->a!", None, 5), ("B", "B->b!", None, 10), ("D", "D->null!", None, 15)]
        ]
        if materialized is not None:
            store = driver.driver.get_timestamped_key_value_store("queryable")
            assert list(store.all()) == [
                ("A", ValueAndTimestamp("A->a!", 5)),
                ("B", ValueAndTimestamp("B->b!", 10)),
                ("D", ValueAndTimestamp("D->null!", 15)),
            ]


def _sum_of(table: Any) -> Any:
    """The sum of a table's values by key: it is right only if old values are."""
    grouped = table.group_by(lambda key, value: (key, value), value_serde=serdes.int)
    return grouped.reduce(
        lambda aggregate, value: aggregate + value,
        lambda aggregate, value: aggregate - value,
        materialized=Materialized(value_serde=serdes.int),
    )


@pytest.mark.parametrize(
    ("transformer", "materialized"),
    [
        (Count, Materialized.as_("queryable").with_value_serde(serdes.int)),
        (Length, None),
        (Length, Materialized.as_("queryable").with_value_serde(serdes.int)),
    ],
    ids=["with state and kept", "computed", "kept"],
)
def test_old_values_of_a_transformed_table_are_right(
    transformer: Any, materialized: Materialized | None
) -> None:
    def define(builder: Any) -> list[Any]:
        table = builder.table("topic")
        return [_sum_of(table.transform_values(transformer, materialized=materialized))]

    with TableDriver(define) as driver:
        (sent,) = driver.feed([("A", "a", 5), ("A", "aa", 15), ("A", "aaa", 10)])
        assert [(new, timestamp) for _, new, _, timestamp in sent] == [(1, 5), (2, 15), (3, 15)]


def test_a_transformer_sees_its_stores_and_where_its_record_is() -> None:
    seen: list[Any] = []

    class Look:
        def init(self, context: Any) -> None:
            self.context = context
            self.store = context.get_state_store("memory")

        def transform(self, key: str, value: str) -> str:
            seen.append((value, self.context.record_metadata))
            self.store.put(key, value)
            return value

        def close(self) -> None:
            seen.append("closed")

    def define(builder: Any) -> Any:
        memory = stores.in_memory_key_value_store("memory")
        builder.add_state_store(
            stores.key_value_store_builder(memory, serdes.string, serdes.string)
        )
        table = builder.table("topic").transform_values(Look, stores=["memory"])
        return table.to_stream()

    with JoinDriver(define, None, ("topic",)) as driver:
        driver.pipe("topic", "A", "a", 1)
        assert driver.driver.get_key_value_store("memory").get("A") == "a"
    assert seen[0][0] == "a" and seen[0][1].topic == "topic"
    assert seen[1] == "closed"


def test_a_transformed_table_is_looked_up_at_the_time_of_the_row() -> None:
    times: list[Any] = []

    class Look:
        def init(self, context: Any) -> None:
            self.context = context

        def transform(self, key: str, value: int | None) -> int | None:
            times.append((self.context.task.record_timestamp, self.context.record_metadata))
            return None if value is None else -value

    with _found(lambda builder: builder.table("topic").transform_values(Look)) as driver:
        driver.pipe("topic", "A", 1, 73)
        del times[:]
        assert _look_up(driver, "AB") == [-1, None]
        assert times == [(73, None), (-1, None)]


def test_a_transformer_cannot_forward() -> None:
    class Forward:
        def init(self, context: Any) -> None:
            self.context = context

        def transform(self, key: str, value: str) -> str:
            self.context.forward(None)
            return value

    with (
        TableDriver(lambda builder: [builder.table("topic").transform_values(Forward)]) as driver,
        pytest.raises((StreamsError, ProcessingError), match="cannot forward"),
    ):
        driver.feed([("A", "a", 1)])


# group_by


def _map(changes: list[Change], settings: dict[str, Any] | None = None) -> list[Any]:
    supplier = KTableRepartitionMapSupplier(None, lambda key, value: (value[0], value))  # type: ignore[arg-type]
    harness = Harness(supplier, settings=settings)
    outputs = []
    for change in changes:
        outputs.append(
            [
                (record.key, record.value.new_value, record.value.old_value)
                for record in harness.pipe("key", change, 0)
            ]
        )
    return outputs


def test_old_and_new_value_of_one_group_travel_together() -> None:
    assert _map([Change("a2", "a1")]) == [[("a", "a2", "a1")]]


def test_the_old_value_leaves_its_group_before_the_new_one_enters_another() -> None:
    assert _map([Change("b1", "a1")]) == [[("a", None, "a1"), ("b", "b1", None)]]


def test_inserts_and_deletes_of_a_row_are_one_change_of_a_group() -> None:
    assert _map([Change("a1", None), Change(None, "a1"), Change(None, None)]) == [
        [("a", "a1", None)],
        [("a", None, "a1")],
        [],
    ]


def test_rows_that_the_mapper_gives_no_key_or_no_value_are_left_out() -> None:
    def pairs(key: str, value: str) -> tuple[str | None, str | None]:
        return {"no key": (None, value), "no value": (key, None)}.get(value, (key, value))

    harness = Harness(KTableRepartitionMapSupplier(None, pairs))  # type: ignore[arg-type]
    outputs = [
        [(record.key, record.value.new_value, record.value.old_value) for record in records]
        for records in (
            harness.pipe("k", Change("no key", "v"), 0),
            harness.pipe("k", Change("v", "no value"), 0),
        )
    ]
    assert outputs == [[("k", None, "v")], [("k", "v", None)]]


@pytest.mark.parametrize(("upgrade_from", "count"), [("3.4", 2), ("0.10.2", 2), ("3.5", 1)])
def test_old_and_new_value_travel_apart_while_old_readers_are_there(
    upgrade_from: str, count: int
) -> None:
    (output,) = _map([Change("a2", "a1")], {"upgrade.from": upgrade_from})
    assert len(output) == count


def test_records_that_a_versioned_table_says_are_old_are_left_out_and_counted() -> None:
    supplier = KTableRepartitionMapSupplier(None, lambda key, value: (key, value))  # type: ignore[arg-type]
    supplier.set_use_versioned_semantics(True)
    harness = Harness(supplier)
    assert harness.pipe("k", Change("new", "old", is_latest=False), 0) == []
    assert harness.drops == {"out of order": 1}


def test_a_grouped_table_has_no_stores_to_read() -> None:
    class Parent:
        def value_getter_supplier(self) -> Any:
            return None

    supplier = KTableRepartitionMapSupplier(Parent(), lambda key, value: (key, value))  # type: ignore[arg-type]
    with pytest.raises(StreamsError, match="repartition"):
        assert supplier.view().store_names
    with pytest.raises(StreamsError):
        supplier.enable_sending_old_values(True)


def test_a_transformer_supplier_that_makes_none_is_refused() -> None:
    with pytest.raises((TopologyError, TypeError)):
        TableDriver(lambda builder: [builder.table("topic").transform_values(lambda: None)])
