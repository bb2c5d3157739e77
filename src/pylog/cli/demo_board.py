"""What `pylog demo streams` shows: final results by airport, as they come."""

import datetime
import sys
from collections.abc import Mapping
from typing import Any

from pylog.cli import console

_LAST_HOUR_MS = 1_388_534_400_000  # 2014-01-01 UTC and a day: what is later closes windows only
_DAY_MS = 86_400_000


class Board:
    """Totals of each airport over all hours that are closed.

    Args:
        airports: names by code.
        total: how many flights there will be.
    """

    def __init__(self, airports: Mapping[str, str], total: int) -> None:
        self._airports = airports
        self._total = total
        self._sums: dict[str, dict[str, Any]] = {
            code: {"hours": 0, "flights": 0, "cancelled": 0, "delay_minutes": 0, "seats": 0,
                   "seat_minutes": 0, "worst": 0.0, "worst_hour": 0, "hour": 0}
            for code in airports
        }  # fmt: skip
        self._closed: set[str] = set()
        self._live: Any = None
        self._state = ""

    def __enter__(self) -> "Board":
        """Show it live if there is a terminal."""
        if console.is_terminal(sys.stdout):
            from rich.live import Live

            self._live = Live(self._table(), refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop showing it."""
        if self._live is not None:
            self._live.stop()

    @property
    def is_complete(self) -> bool:
        """Whether the last window of every airport is closed."""
        return len(self._closed) == len(self._airports)

    def take(self, airport: str, totals: dict[str, Any]) -> None:
        """Add the totals of one airport and hour."""
        if totals["hour"] > _LAST_HOUR_MS + _DAY_MS:
            self._closed.add(airport)
            return
        sums = self._sums[airport]
        sums["hours"] += 1
        for name in ("flights", "cancelled", "delay_minutes", "seats", "seat_minutes"):
            sums[name] += totals[name]
        departed = totals["flights"] - totals["cancelled"]
        mean = totals["delay_minutes"] / departed if departed else 0.0
        if departed >= 10 and mean > sums["worst"]:
            sums["worst"], sums["worst_hour"] = mean, totals["hour"]
        sums["hour"] = totals["hour"]

    def show(self, produced: int, read: int) -> None:
        """Show how far it is."""
        self._state = (
            f"{console.count_text(produced)} of {console.count_text(self._total)} departures "
            f"produced, {console.count_text(read)} read"
        )
        if self._live is not None:
            self._live.update(self._table())

    def _table(self) -> Any:
        from rich import box
        from rich.table import Table

        table = Table(title=self._state, title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("airport")
        for column in ("last closed hour, UTC", "hours", "flights", "mean delay, min"):
            table.add_column(column, justify="right")
        for code, name in self._airports.items():
            sums = self._sums[code]
            table.add_row(
                f"{code} {name}",
                _hour_text(sums["hour"]) if sums["hours"] else "",
                console.count_text(sums["hours"]),
                console.count_text(sums["flights"]),
                _mean_text(sums),
            )
        return table

    def print_totals(self, read: int, planes: int, dropped: Mapping[str, int]) -> None:
        """Print the totals of all airports, and what became of the other flights."""
        rows = []
        for code, sums in self._sums.items():
            worst = f"{_hour_text(sums['worst_hour'])} {sums['worst']:.0f}"
            rows.append(
                (
                    code,
                    console.count_text(sums["hours"]),
                    console.count_text(sums["flights"]),
                    console.count_text(sums["cancelled"]),
                    _mean_text(sums),
                    f"{sums['seat_minutes'] / sums['seats']:.1f}" if sums["seats"] else "-",
                    worst if sums["worst_hour"] else "-",
                )
            )
        console.table(
            (
                "airport",
                "hours",
                "flights",
                "cancelled",
                "delay, min",
                "by seat",
                "worst hour, UTC",
            ),
            rows,
            title="Final results of all hours; mean delay of a flight, and of a seat",
            numbers=(1, 2, 3, 4, 5),
        )
        flights = sum(sums["flights"] for sums in self._sums.values())
        console.out(
            f"Of {console.count_text(read)} departures {console.count_text(flights)} had one of "
            f"the {console.count_text(planes)} planes that are known; dropped, by reason: "
            + (", ".join(f"{reason} {count:,}" for reason, count in sorted(dropped.items())) or "-")
        )


def _mean_text(sums: Mapping[str, Any]) -> str:
    departed = sums["flights"] - sums["cancelled"]
    return f"{sums['delay_minutes'] / departed:.1f}" if departed else "-"


def _hour_text(hour_ms: int) -> str:
    hour = datetime.datetime.fromtimestamp(hour_ms / 1000, datetime.UTC)
    return hour.strftime("%Y-%m-%d %H:00")
