"""Plain models of the stores: lists and dicts, gone through from end to end."""

from typing import Any

from pylog.streams.state.versioned_store import NOT_PUT, VALID_TO_UNDEFINED, VersionedRecord


def within(key: bytes, from_key: bytes | None, to_key: bytes | None) -> bool:
    return (from_key is None or key >= from_key) and (to_key is None or key <= to_key)


def number(time: int) -> bytes:
    return time.to_bytes(8, "big")


class KeyValueModel:
    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        self.entries.pop(key, None)
        if value is not None:
            self.entries[key] = value

    def put_if_absent(self, key: bytes, value: bytes | None) -> bytes | None:
        found = self.get(key)
        if found is None:
            self.put(key, value)
        return found

    def delete(self, key: bytes) -> bytes | None:
        return self.entries.pop(key, None)

    def range(self, from_key: bytes | None, to_key: bytes | None) -> list[tuple[bytes, bytes]]:
        return [item for item in sorted(self.entries.items()) if within(item[0], from_key, to_key)]

    def reverse_range(self, from_key: bytes | None, to_key: bytes | None) -> list[Any]:
        return self.range(from_key, to_key)[::-1]

    def prefix_scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        return [item for item in sorted(self.entries.items()) if item[0].startswith(prefix)]


class Expiry:
    """Stream time, and what it leaves."""

    def __init__(self, retention: int, segment: int):
        self.retention = retention
        self.segment = segment
        self.stream_time = -1

    def segment_of(self, time: int) -> int:
        return max(0, time) // self.segment

    def is_kept(self, time: int) -> bool:
        return self.segment_of(time) >= self.segment_of(self.stream_time - self.retention)

    def is_visible(self, time: int, extra_ms: int = 0) -> bool:
        return time > self.stream_time - self.retention - extra_ms


class WindowModel(Expiry):
    def __init__(
        self, retention: int, segment: int, retain_duplicates: bool, is_time_ordered: bool
    ):
        super().__init__(retention, segment)
        self.retain_duplicates = retain_duplicates
        self.is_time_ordered = is_time_ordered
        self.entries: list[tuple[bytes, int, bytes]] = []

    def put(self, key: bytes, value: bytes | None, start: int) -> None:
        if value is None and self.retain_duplicates:
            return
        self.stream_time = max(self.stream_time, start)
        if not self.is_kept(start):
            return
        if not self.retain_duplicates:
            self.entries = [entry for entry in self.entries if entry[:2] != (key, start)]
        if value is not None:
            self.entries.append((key, start, value))

    def sort_key(self, entry: tuple[bytes, int, bytes]) -> Any:
        key, start, _ = entry
        if self.is_time_ordered:
            return start, key
        return self.segment_of(start), key + number(start)

    def visible(self, first: int, last: int) -> list[tuple[bytes, int, bytes]]:
        return [
            entry
            for entry in self.entries
            if first <= entry[1] <= last and self.is_visible(entry[1], self.is_time_ordered)
        ]

    def fetch_at(self, key: bytes, start: int) -> bytes | None:
        found = [entry[2] for entry in self.visible(start, start) if entry[0] == key]
        return found[0] if found else None

    def fetch(self, key: bytes, first: int, last: int) -> list[tuple[int, bytes]]:
        found = sorted(self.visible(first, last), key=lambda entry: entry[1])
        return [(start, value) for found_key, start, value in found if found_key == key]

    def backward_fetch(self, key: bytes, first: int, last: int) -> list[tuple[int, bytes]]:
        return self.fetch(key, first, last)[::-1]

    def fetch_range(
        self, from_key: bytes | None, to_key: bytes | None, first: int, last: int
    ) -> list[tuple[bytes, int, bytes]]:
        found = sorted(self.visible(first, last), key=self.sort_key)
        return [entry for entry in found if within(entry[0], from_key, to_key)]

    def backward_fetch_range(
        self, from_key: bytes | None, to_key: bytes | None, first: int, last: int
    ) -> list[tuple[bytes, int, bytes]]:
        return self.fetch_range(from_key, to_key, first, last)[::-1]


class SessionModel(Expiry):
    def __init__(self, retention: int, segment: int, is_time_ordered: bool):
        super().__init__(retention, segment)
        self.is_time_ordered = is_time_ordered
        self.entries: dict[tuple[bytes, int, int], bytes] = {}

    def put(self, key: bytes, start: int, end: int, value: bytes | None) -> None:
        self.stream_time = max(self.stream_time, end)
        self.entries.pop((key, start, end), None)
        if value is not None:
            self.entries[key, start, end] = value
        self.entries = {kept: self.entries[kept] for kept in self.entries if self.is_kept(kept[2])}

    def find_sessions_range(
        self, from_key: bytes | None, to_key: bytes | None, earliest_end: int, latest_start: int
    ) -> list[tuple[bytes, int, int, bytes]]:
        found = [
            (key, start, end, value)
            for (key, start, end), value in self.entries.items()
            if end >= earliest_end and start <= latest_start
            if self.is_visible(end) and within(key, from_key, to_key)
        ]
        return sorted(
            found,
            key=lambda entry: (
                self.segment_of(entry[2]),
                entry[0] + number(entry[2]) + number(entry[1]),
            ),
        )

    def backward_find_sessions_range(self, *arguments: Any) -> list[Any]:
        return self.find_sessions_range(*arguments)[::-1]

    def find_sessions(self, key: bytes, earliest_end: int, latest_start: int) -> list[Any]:
        return self.find_sessions_range(key, key, earliest_end, latest_start)

    def backward_find_sessions(self, key: bytes, earliest_end: int, latest_start: int) -> list[Any]:
        return self.find_sessions(key, earliest_end, latest_start)[::-1]

    def find_sessions_by_end(self, earliest: int, latest: int) -> list[Any]:
        found = [
            (key, start, end, value)
            for (key, start, end), value in self.entries.items()
            if earliest <= end <= latest and (self.is_time_ordered or self.is_visible(end))
        ]
        return sorted(found, key=lambda entry: (entry[2], entry[1], entry[0]))


class VersionedModel(Expiry):
    """Versions by key: the times that they begin at, a deletion being None.

    What is older than the retention stays here; it is never shown but for the newest value, and it
    never is what a put that is accepted comes before.
    """

    def __init__(self, retention: int, segment: int):
        super().__init__(retention, segment)
        self.versions: dict[bytes, dict[int, bytes | None]] = {}

    def put(self, key: bytes, value: bytes | None, time: int) -> int:
        if time < self.stream_time - self.retention:
            return int(NOT_PUT)
        self.stream_time = max(self.stream_time, time)
        versions = self.versions.setdefault(key, {})
        later = [begin for begin in versions if begin > time]
        if value is None and not later and versions.get(time) is not None:
            # A newest value that is deleted at its own time: only the end of the value before it
            # is remembered, if that is there still.
            before = [begin for begin in versions if begin < time]
            if (
                not before
                or versions[max(before)] is None
                or not self.is_kept(time)
            ):  # fmt: skip
                del versions[time]
                return int(VALID_TO_UNDEFINED)
        versions[time] = value
        return min(later) if later else int(VALID_TO_UNDEFINED)

    def delete(self, key: bytes, time: int) -> VersionedRecord | None:
        if time < self.stream_time - self.retention:
            return None
        found = self.get_as_of(key, time)
        self.put(key, None, time)
        return found

    def get(self, key: bytes) -> VersionedRecord | None:
        versions = self.versions.get(key, {})
        newest = max(versions, default=-1)
        value = versions.get(newest)
        return None if value is None else VersionedRecord(value, newest)

    def ended(self, key: bytes) -> list[tuple[int, bytes | None, int | None]]:
        versions = sorted(self.versions.get(key, {}).items())
        ends = [begin for begin, _ in versions[1:]]
        return [(*version, end) for version, end in zip(versions, [*ends, None], strict=False)]

    def get_as_of(self, key: bytes, time: int) -> VersionedRecord | None:
        for begin, value, end in self.ended(key):
            if begin <= time and (end is None or time < end):
                if value is None or (
                    end is not None and time < self.stream_time - self.retention
                ):  # fmt: skip
                    return None
                return VersionedRecord(value, begin, end)
        return None

    def get_range(self, key: bytes, first: int, last: int) -> list[VersionedRecord]:
        found = []
        for begin, value, end in self.ended(key):
            if value is None or begin > last:
                continue
            if end is None:
                found.append(VersionedRecord(value, begin))
            elif end > first and last >= self.stream_time - self.retention and self.is_kept(end):
                found.append(VersionedRecord(value, begin, end))
        return found
