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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.model.worker import PHASES, Words, Worker, open_journal

_MAX_PROCESSES = 1 << 20
_STUCK_S = 60.0
_AIM_S = 0.05
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Slot:
    """A place that is always taken by one process.

    Args:
        role: what the process does.
        run: does it; called in the process.
        facts: for the history's header.
        aims: phases that kills in this slot are aimed at.
    """

    role: str
    run: Callable[[Worker], None]
    facts: dict[str, object]
    aims: tuple[str, ...] = ("idle",)


class Nemesis:
    """Runs workers under faults.

    Args:
        folder: of the log.
        notes: folder of the histories.
        slots: the processes that run at any time.
        seed: of everything that is drawn.
        interval: operations between two faults, on average.
    """

    def __init__(self, folder: str, notes: str, slots: Sequence[Slot], seed: int, interval: int):
        self._folder, self._notes, self._slots, self._seed = folder, notes, slots, seed
        self._interval = interval
        self._chance = random.Random(f"{seed} nemesis")
        self._memory = mmap.mmap(-1, 16 * _MAX_PROCESSES)
        self._words = memoryview(self._memory).cast("Q")
        self._next_process = 1
        self._living: dict[int, tuple[int, int]] = {}  # slot -> (process id, process)
        self._zombies: list[tuple[int, int]] = []  # stopped, another has their slot
        self._done = 0  # operations of those that have ended
        self.counts: Counter[str] = Counter()

    def run(self, operations: int) -> None:
        """Go on until so many operations were done; then everybody dies."""
        gc.freeze()
        for index in range(len(self._slots)):
            self._start(index)
        due = 0
        while due < operations:
            due = min(operations, due + int(self._chance.expovariate(1 / self._interval)) + 1)
            self._await_operations(due)
            self._fault()
        for index in list(self._living):
            self._kill(index)
        self._end_zombies()

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
            words = Words(self._words, process)
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
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)
        self._done += self._words[2 * process]
        self.counts["kills"] += 1

    def _reap(self) -> None:
        """Start others for those that ended by themselves."""
        for index, (process_id, process) in list(self._living.items()):
            found, status = os.waitpid(process_id, os.WNOHANG)
            if found:
                if status:
                    raise RuntimeError(
                        f"process {process}, {self._slots[index].role}, ended with {status}"
                    )
                del self._living[index]
                self._done += self._words[2 * process]
                self.counts["ends"] += 1
                self._start(index)

    def _operations(self) -> int:
        return self._done + sum(self._words[2 * process] for _, process in self._living.values())

    def _await_operations(self, due: int) -> None:
        seen, deadline_s = -1, 0.0
        while (now := self._operations()) < due:
            if now != seen:
                seen, deadline_s = now, time.monotonic() + _STUCK_S
            elif time.monotonic() > deadline_s:
                self._dump_stacks()
                raise RuntimeError(f"nobody did anything for {_STUCK_S} s, after {now} operations")
            self._reap()
            time.sleep(0.001)  # the moment of the fault is what is random here

    def _dump_stacks(self) -> None:
        for process_id, _ in self._living.values():
            os.kill(process_id, signal.SIGUSR1)
        time.sleep(0.5)

    # ---- faults ----

    def _fault(self) -> None:
        """One fault, at one of the slots."""
        index = self._chance.randrange(len(self._slots))
        kind = self._chance.choices(
            ["kill", "aimed-kill", "stop", "stop-kill", "kill-all"], [40, 30, 20, 8, 2]
        )[0]
        pause_s = self._chance.expovariate(1 / 0.005)
        aim = self._chance.choice(self._slots[index].aims)
        if index not in self._living:  # it ends by itself just now
            self._reap()
        if kind == "kill-all":
            for other in list(self._living):
                self._kill(other)
            for other in range(len(self._slots)):
                self._start(other)
            return
        if kind == "aimed-kill":
            self._await_phase(index, aim)
        if kind.startswith("stop"):
            os.kill(self._living[index][0], signal.SIGSTOP)
            time.sleep(pause_s)
            self.counts["stops"] += 1
        if kind == "stop":
            os.kill(self._living[index][0], signal.SIGCONT)
        else:
            self._kill(index)
            self._start(index)

    def _await_phase(self, index: int, phase: str) -> None:
        """Wait until a worker is there, but not for long."""
        word, wanted = 2 * self._living[index][1] + 1, PHASES.index(phase)
        deadline_s = time.monotonic() + _AIM_S
        while self._words[word] != wanted and time.monotonic() < deadline_s:
            time.sleep(0.0001)
        self.counts["aimed"] += self._words[word] == wanted

    def _end_zombies(self) -> None:
        for process_id, process in self._zombies:
            os.kill(process_id, signal.SIGKILL)
            os.waitpid(process_id, 0)
            self._done += self._words[2 * process]
        self._zombies.clear()


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
