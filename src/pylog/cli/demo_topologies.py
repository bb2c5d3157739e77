"""The two stream applications of `pylog demo streams`."""

from collections.abc import Callable
from typing import Any

from pylog.streams import StreamsBuilder, Suppressed, TimeWindows, Topology, serdes

WINDOW_MS = 3_600_000
# Rows are in the order of departure, cancelled flights at the end of their day; and the partitions
# are read side by side.
GRACE = "7d"

Totals = dict[str, Any]


def count_topology() -> Topology:
    """How many times each value came: the deck's example."""
    builder = StreamsBuilder()
    (
        builder.stream("input-stream", key_serde=serdes.string, value_serde=serdes.string)
        .group_by(lambda key, value: value)
        .count()
        .to_stream()
        .to("counts", value_serde=serdes.long)
    )
    return builder.build()


def delay_topology(on_flight: Callable[[], object]) -> Topology:
    """Flights, planes, flights' planes, by airport, by hour, final results.

    Args:
        on_flight: called for each flight that is read.
    """
    builder = StreamsBuilder()
    planes = builder.table("planes", key_serde=serdes.string, value_serde=serdes.json)
    flights = builder.stream("flights", key_serde=serdes.string, value_serde=serdes.json)
    (
        flights.peek(lambda tail_number, flight: on_flight())
        .join(planes, with_plane)
        .group_by(lambda tail_number, flight: flight["origin"], value_serde=serdes.json)
        .windowed_by(TimeWindows.of_size_and_grace(WINDOW_MS, GRACE))
        .aggregate(no_flights, add_flight, materialized=_json_store("delays-by-hour"))
        .suppress(Suppressed.until_window_closes())
        .to_stream()
        .map(lambda windowed, totals: (windowed.key, totals | {"hour": windowed.window.start_ms}))
        .to("delays", key_serde=serdes.string, value_serde=serdes.json)
    )
    return builder.build()


def _json_store(name: str) -> Any:
    from pylog.streams import Materialized

    return Materialized.as_(name).with_value_serde(serdes.json)


def with_plane(flight: dict[str, Any], plane: dict[str, Any]) -> dict[str, Any]:
    """What the aggregation needs of a flight and its plane."""
    return {"origin": flight["origin"], "delay": flight["dep_delay"], "seats": plane["seats"]}


def no_flights() -> Totals:
    """The totals of an hour without flights."""
    return {"flights": 0, "cancelled": 0, "delay_minutes": 0, "seats": 0, "seat_minutes": 0}


def add_flight(airport: str, flight: dict[str, Any], totals: Totals) -> Totals:
    """The totals with one flight more; a flight without a delay was cancelled."""
    totals["flights"] += 1
    if flight["delay"] is None:
        totals["cancelled"] += 1
    else:
        totals["delay_minutes"] += flight["delay"]
        totals["seats"] += flight["seats"] or 0
        totals["seat_minutes"] += flight["delay"] * (flight["seats"] or 0)
    return totals
