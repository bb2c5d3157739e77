"""What must hold of a group: its offsets go forward, and a partition has one owner."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from tests.model.facts import NEVER, Anomaly, Facts, OffsetCommit
from tests.model.history import Kind, Result


def check_groups(facts: Facts) -> Iterator[Anomaly]:
    """Yield what is wrong with the offsets and the members of all groups."""
    for group in facts.groups():
        commits = facts.offset_commits(group)
        yield from _check_forward(facts, group, commits)
        yield from _check_invented(facts, group, commits)
        yield from _check_owners(facts, group, commits)
        yield from _check_skipped(facts, group)
        yield from _check_resumed(facts, group, commits)


class _Floors:
    """The highest offset that was certainly committed before a time, by partition."""

    def __init__(self, commits: list[OffsetCommit]):
        self._times: defaultdict[int, list[int]] = defaultdict(list)
        self._highest: defaultdict[int, list[int]] = defaultdict(list)
        for commit in sorted(commits, key=lambda commit: commit.ok_ns):
            if commit.ok_ns != NEVER:
                highest = self._highest[commit.key]
                highest.append(max(commit.offset, highest[-1] if highest else -1))
                self._times[commit.key].append(commit.ok_ns)

    def at(self, key: int, time_ns: int) -> int:
        """The floor of a partition at a time, -1 for none."""
        index = bisect_left(self._times[key], time_ns)
        return self._highest[key][index - 1] if index else -1


def _check_forward(facts: Facts, group: str, commits: list[OffsetCommit]) -> Iterator[Anomaly]:
    floors = _Floors(commits)
    for commit in commits:
        floor = floors.at(commit.key, commit.invoke_ns)
        if commit.ok_ns != NEVER and commit.offset < floor:
            yield Anomaly(
                "offset-back",
                f"group {group}: process {commit.process} committed {commit.key}:{commit.offset} "
                f"after {floor}",
            )
    for read in facts.offset_reads(group):
        floor = floors.at(read.key, read.invoke_ns)
        if read.offset < floor:
            yield Anomaly(
                "offset-back",
                f"group {group}: process {read.process} was told {read.key}:{read.offset}, "
                f"{floor} had been committed",
            )


def _check_invented(facts: Facts, group: str, commits: list[OffsetCommit]) -> Iterator[Anomaly]:
    begun: dict[tuple[int, int], int] = {}
    for commit in commits:
        place = (commit.key, commit.offset)
        begun[place] = min(commit.invoke_ns, begun.get(place, NEVER))
    for read in facts.offset_reads(group):
        if read.offset >= 0 and begun.get((read.key, read.offset), NEVER) > read.ok_ns:
            yield Anomaly(
                "stranger",
                f"group {group}: process {read.process} was told {read.key}:{read.offset}, which "
                "nobody had committed",
            )


def _check_owners(facts: Facts, group: str, commits: list[OffsetCommit]) -> Iterator[Anomaly]:
    """A partition of a generation has one owner, and older generations commit nothing.

    The number of an OWN's entry, and of a COMMIT's, is the generation. Who comes up with the
    group.instance.id of another takes its place in the same generation, and fences it.
    """
    members = {history.process: history for history in facts.histories if history.group == group}
    instances = {process: found.facts.get("instance") for process, found in members.items()}
    owners: dict[tuple[int, int], int] = {}
    since: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    given_ns: dict[tuple[int, int, int], int] = {}
    for process, history in members.items():
        for event in history.events:
            if event.kind != Kind.OWN or event.result != Result.OK:
                continue
            for key, _, generation, _ in event.entries:
                owner = owners.setdefault((key, generation), process)
                is_successor = instances[owner] is not None and (
                    instances[owner] == instances[process]
                )
                if owner != process and not is_successor:
                    yield Anomaly(
                        "two-owners",
                        f"group {group}: {key} was given to {owner} and to {process} in "
                        f"generation {generation}",
                    )
                since[key].append((event.time_ns, generation, process))
                given_ns[process, key, generation] = event.time_ns
    for commit in commits:
        if commit.ok_ns == NEVER or not commit.generation:
            continue
        for time_ns, generation, owner in since[commit.key]:
            if owner == commit.process or time_ns > commit.invoke_ns:
                continue
            own_ns = given_ns.get((commit.process, commit.key, generation), 0)
            is_successor = generation == commit.generation and time_ns > own_ns
            if generation > commit.generation or is_successor:
                yield Anomaly(
                    "two-owners",
                    f"group {group}: process {commit.process} of generation {commit.generation} "
                    f"committed {commit.key}:{commit.offset} when {owner} had it in {generation}",
                )


def _check_skipped(facts: Facts, group: str) -> Iterator[Anomaly]:
    """What a group is past was polled by one of its members."""
    members = [h for h in facts.histories if h.group == group and not h.is_final]
    polled: defaultdict[int, set[int]] = defaultdict(set)
    for history in members:
        for event in history.events:
            if event.kind == Kind.POLL:
                for entry in event.entries:
                    polled[entry.key].add(entry.offset)
    if not members:
        return
    orders = facts.order_for(members[0])
    for key, committed in facts.final_offsets(group).items():
        for offset, value in orders[key]:
            if offset < committed and offset not in polled[key]:
                yield Anomaly(
                    "poll-skip",
                    f"group {group} is at {key}:{committed}, none of its members read {value} at "
                    f"{offset}",
                )


def _check_resumed(facts: Facts, group: str, commits: list[OffsetCommit]) -> Iterator[Anomaly]:
    """Who is given a partition goes on where the group has committed, not before."""
    floors = _Floors(commits)
    for history in facts.histories:
        if history.group != group:
            continue
        given: dict[int, int] = {}
        for event in history.events:
            if event.kind == Kind.OWN:
                given.update((entry.key, event.time_ns) for entry in event.entries)
            elif event.kind in (Kind.DISOWN, Kind.SEEK):
                for entry in event.entries:
                    given.pop(entry.key, None)
            elif event.kind == Kind.POLL:
                for entry in event.entries:
                    floor = floors.at(entry.key, given.pop(entry.key, 0))
                    if entry.offset < floor:
                        yield Anomaly(
                            "offset-back",
                            f"group {group}: process {history.process} was given {entry.key} and "
                            f"read {entry.offset}, {floor} had been committed",
                        )
