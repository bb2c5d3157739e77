"""Nemesis: starts the workers of a run, kills and stops them, and starts others in their place.

It is one process that never opens the folder itself and forks the workers, so that a start costs
milliseconds. What it does when is drawn from the seed and counted in operations, not seconds:
a seed replays the same faults at the same places of the run, as near as the scheduling of the
operating system lets it.
"""

import ctypes
import faulthandler
import gc
import mmap
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.model.worker import Words, Worker, open_journal

_MAX_PROCESSES = 1 << 20
_STUCK_S = 60.0
_AIM_S = 0.05
_AIM_DELAY_S = 0.001
_PR_SET_PDEATHSIG = 1
_WEATHER_OPERATIONS = 4000
CALM_INTERVAL = 1500
STORM_INTERVAL = 120
"""Operations between two faults, on average. Calm, in which groups settle and much is committed,
and storms, in which hardly anybody comes to it, take turns."""
_SHORT_S = 0.005
_LONG_S = 0.8

FAULTS = {"kill": 45, "stop": 12, "stop-kill": 8, "sleep": 18, "zombie": 14, "kill-all": 3}
"""Kinds of faults and how often each comes: a stop is short; a sleep is longer than a session, and
a zombie's place is taken meanwhile."""


@dataclass(frozen=True)
class Slot:
    """A place that is always taken by one process.

    Args:
        role: what the process does.
        run: does it; called in the process.
        facts: for the history's header.
        aims: phases that faults in this slot are aimed at.
        weight: its share of the faults.
    """

    role: str
    run: Callable[[Worker], None]
    facts: Mapping[str, object]
    aims: tuple[str, ...] = ("idle",)
    weight: int = 1


@dataclass(frozen=True)
class Zombie:
    """A process that was stopped, and whose slot another has.

    Args:
        process: its number.
        role: what it does.
        end_s: when it is killed, on the monotonic clock.
    """

    process: int
    role: str
    end_s: float


class Nemesis:
    """Runs workers under faults.

    Args:
        folder: of the log.
        notes: folder of the histories.
        slots: the processes that run at any time.
        seed: of everything that is drawn.
    """

    def __init__(self, folder: str, notes: str, slots: Sequence[Slot], seed: int):
        self._folder, self._notes, self._slots, self._seed = folder, notes, slots, seed
        self._chance = random.Random(f"{seed} nemesis")
        self._memory = mmap.mmap(-1, 8 * Words.COUNT * _MAX_PROCESSES)
        self._words = memoryview(self._memory).cast("Q")
        self._next_process = 1
        self._living: dict[int, tuple[int, int]] = {}  # slot -> (process id, process)
        self._asleep: dict[int, float] = {}  # process id -> when it goes on
        self._zombies: dict[int, Zombie] = {}  # by process id
        self._progress: dict[int, tuple[int, float]] = {}  # process -> turns, since when
        self._progress_due_s = 0.0
        self._done = 0  # operations of those that have ended
        self.counts: Counter[str] = Counter()

    def run(self, operations: int) -> None:
        """Go on until so many operations were done; then everybody dies."""
        gc.freeze()
        for index in range(len(self._slots)):
            self._start(index)
        due = 0
        while due < operations:
            is_storm = due // _WEATHER_OPERATIONS % 2 == 1
            interval = STORM_INTERVAL if is_storm else CALM_INTERVAL
            due = min(operations, due + int(self._chance.expovariate(1 / interval)) + 1)
            self._await_operations(due)
            self._fault()
        for index in list(self._living):
            self._kill(index)
        for process_id in list(self._zombies):
            self._end_zombie(process_id)

    # ---- processes ----

    def _start(self, index: int) -> None:
        slot, process = self._slots[index], self._next_process
        self._next_process += 1
        self.counts["starts"] += 1
        process_id = os.fork()
        if process_id == 0:
            self._work(slot, process)
        self._living[index] = (process_id, process)

    def _work(self, slot: Slot, process: int) -> None:
        """In the new process."""
        status = 1
        try:
            _die_with_parent()
            with open(f"{self._notes}/{process:06d}-{slot.role}.stacks", "wb") as file:
                os.dup2(file.fileno(), 2)
            faulthandler.register(signal.SIGUSR1)
            journal = open_journal(self._notes, process, slot.role, **slot.facts)
            words = self._words_of(process)
            slot.run(Worker(self._folder, journal, words, f"{self._seed} {process}"))
            status = 0
        except BaseException:
            Path(f"{self._notes}/{process:06d}-{slot.role}.fault").write_text(
                traceback.format_exc()
            )
        finally:
            os._exit(status)

    def _kill(self, index: int) -> None:
        process_id, process = self._living.pop(index)
        self._asleep.pop(process_id, None)
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)
        self._done += self._words_of(process).operations
        self.counts["kills"] += 1

    def _reap(self) -> None:
        """Start others for those that ended by themselves."""
        for index, (process_id, process) in list(self._living.items()):
            if self._has_ended(process_id, process, self._slots[index].role):
                del self._living[index]
                self._start(index)

    def _has_ended(self, process_id: int, process: int, role: str) -> bool:
        found, status = os.waitpid(process_id, os.WNOHANG)
        if not found:
            return False
        self._asleep.pop(process_id, None)
        if status:
            fault = Path(f"{self._notes}/{process:06d}-{role}.fault")
            text = fault.read_text() if fault.exists() else f"status {status}"
            raise RuntimeError(f"process {process}, {role}, ended: {text}")
        self._done += self._words_of(process).operations
        self.counts["ends"] += 1
        return True

    def _operations(self) -> int:
        living = [process for _, process in self._living.values()]
        living += [zombie.process for zombie in self._zombies.values()]
        return self._done + sum(self._words_of(process).operations for process in living)

    def _words_of(self, process: int) -> Words:
        return Words(self._words, process)

    def _await_operations(self, due: int) -> None:
        while self._operations() < due:
            self._reap()
            self._tend()
            self._check_progress()
            time.sleep(0.001)  # the moment of the fault is what is random here

    def _check_progress(self) -> None:
        """Everybody who is awake must get somewhere, whatever became of the others."""
        now_s = time.monotonic()
        if now_s < self._progress_due_s:
            return
        self._progress_due_s = now_s + 1
        seen = {}
        for index, (process_id, process) in self._living.items():
            turns = self._words_of(process).turns
            before = self._progress.get(process, (-1, now_s))
            is_moving = turns != before[0] or process_id in self._asleep
            seen[process] = (turns, now_s) if is_moving else before
            if now_s - seen[process][1] > _STUCK_S:
                self._dump_stacks()
                role = self._slots[index].role
                raise RuntimeError(f"process {process}, {role}, was stuck for {_STUCK_S} s")
        self._progress = seen

    def _dump_stacks(self) -> None:
        for process_id, _ in self._living.values():
            os.kill(process_id, signal.SIGUSR1)
        time.sleep(0.5)

    # ---- faults ----

    def _fault(self) -> None:
        """One fault, at one of the slots; drawn whole before it begins, for the seed's sake."""
        weights = [slot.weight for slot in self._slots]
        index = self._chance.choices(range(len(self._slots)), weights)[0]
        slot = self._slots[index]
        kind = self._chance.choices(list(FAULTS), list(FAULTS.values()))[0]
        aim = self._chance.choice((None, *slot.aims))
        delay_s = self._chance.choice((0.0, self._chance.expovariate(1 / _AIM_DELAY_S)))
        short_s = self._chance.expovariate(1 / _SHORT_S)
        long_s = self._chance.expovariate(1 / _LONG_S)
        rest_s = self._chance.expovariate(1 / _LONG_S)
        if kind == "kill-all":
            for other in list(self._living):
                self._kill(other)
            for other in range(len(self._slots)):
                self._start(other)
            return
        process_id, process = self._living[index]
        if aim is not None:
            self._await_phase(process, aim)
            time.sleep(delay_s)
        if kind != "kill":
            os.kill(process_id, signal.SIGSTOP)
            self.counts["stops"] += 1
        if kind in ("stop", "stop-kill"):
            time.sleep(short_s)
        if kind == "stop":
            os.kill(process_id, signal.SIGCONT)
        elif kind in ("sleep", "zombie"):
            now_s = time.monotonic()
            self._asleep[process_id] = now_s + long_s
            if kind == "zombie":
                self.counts["zombies"] += 1
                self._zombies[process_id] = Zombie(process, slot.role, now_s + long_s + rest_s)
                self._start(index)
        else:
            self._kill(index)
            self._start(index)

    def _tend(self) -> None:
        """Wake those that have slept long enough, and end zombies."""
        now_s = time.monotonic()
        for process_id, wake_s in list(self._asleep.items()):
            if wake_s <= now_s:
                del self._asleep[process_id]
                os.kill(process_id, signal.SIGCONT)
        for process_id, zombie in list(self._zombies.items()):
            if self._has_ended(process_id, zombie.process, zombie.role):
                del self._zombies[process_id]
            elif zombie.end_s <= now_s:
                self._end_zombie(process_id)

    def _end_zombie(self, process_id: int) -> None:
        zombie = self._zombies.pop(process_id)
        self._asleep.pop(process_id, None)
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)
        self._done += self._words_of(zombie.process).operations

    def _await_phase(self, process: int, phase: str) -> None:
        """Wait until a worker is there, but not for long."""
        words = self._words_of(process)
        deadline_s = time.monotonic() + _AIM_S
        while words.phase != phase and time.monotonic() < deadline_s:
            time.sleep(0.0001)
        self.counts["aimed"] += words.phase == phase


def _die_with_parent() -> None:
    """Nobody outlives a run that was ended from outside."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 and parent != 1:
        os._exit(1)


def in_child(function: Callable[[], None]) -> None:
    """Run something in a forked process and wait for it; it must end well."""
    process_id = os.fork()
    if process_id == 0:
        status = 1
        try:
            _die_with_parent()
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(process_id, 0)
    if status:
        raise RuntimeError(f"{function} ended with {status}")
