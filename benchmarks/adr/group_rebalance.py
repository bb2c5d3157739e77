"""How long a group of processes takes: ADR 0015.

python benchmarks/adr/group_rebalance.py [--members 8] [--partitions 64] [--rounds 10]

Each member is a process that prints when its callbacks run, on the machine's monotonic clock.
`leave`: a member is told to close. `kill`: SIGKILL. `join`: one more member subscribes. Taken from
there until the last member has its new assignment.
"""

import argparse
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import pylog

MEMBER = """
import json, os, select, sys, time
import pylog
conf = json.loads(sys.argv[1])
def say(kind):
    def callback(consumer, given):
        line = json.dumps([kind, len(given), time.monotonic()])
        os.write(1, line.encode() + b"\\n")
    return callback
consumer = pylog.Consumer(conf)
select.select([sys.stdin], [], [])
sys.stdin.readline()
os.write(1, json.dumps(["start", 0, time.monotonic()]).encode() + b"\\n")
consumer.subscribe(["wide"], on_assign=say("assign"), on_revoke=say("revoke"))
while not select.select([sys.stdin], [], [], 0)[0]:
    consumer.poll(0.5)
os.write(1, json.dumps(["close", 0, time.monotonic()]).encode() + b"\\n")
consumer.close()
"""


class Member:
    """One process of the group."""

    def __init__(self, conf):
        self.process = subprocess.Popen(
            [sys.executable, "-c", MEMBER, json.dumps(conf)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self.share = 0
        self.assigned_s = 0.0
        self.told_s = 0.0
        self._rest = b""

    def tell(self):
        self.process.stdin.write(b"\n")

    def hear(self):
        self._rest += os.read(self.process.stdout.fileno(), 65536)
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            kind, count, at_s = json.loads(line)
            if kind in ("start", "close"):
                self.told_s = at_s
            elif kind == "assign":
                self.share += count
                self.assigned_s = at_s
            else:
                self.share -= count


def settle(members, partitions):
    """Read what they say until they share everything evenly."""
    while sum(m.share for m in members) != partitions or not all(m.share for m in members):
        ready, _, _ = select.select([m.process.stdout for m in members], [], [], 30)
        assert ready, [m.share for m in members]
        for member in members:
            if member.process.stdout in ready:
                member.hear()
    time.sleep(0.3)  # what is still on its way: cooperative members hear a last empty assignment


def measure(strategy, count, partitions, rounds):
    folder = tempfile.mkdtemp(prefix="pylog-groups-")
    with pylog.open(folder, acks=1) as log:
        log.topic("wide", partitions=partitions)
    conf = {"log.dir": folder, "group.id": "g", "partition.assignment.strategy": strategy}
    members = [Member(conf) for _ in range(count)]
    for member in members:
        member.tell()
    settle(members, partitions)
    times = {"leave": [], "kill": [], "join": []}
    for number in range(rounds):
        how = ("leave", "kill")[number % 2]
        gone = members.pop(number % count)
        time.sleep(0.05)
        began_s = time.monotonic()
        if how == "kill":
            gone.process.send_signal(signal.SIGKILL)
        else:
            gone.tell()
            gone.told_s = 0.0
            while not gone.told_s:
                gone.hear()
            began_s = gone.told_s
        settle(members, partitions)
        times[how].append(max(m.assigned_s for m in members) - began_s)
        gone.process.wait()
        new = Member(conf)
        time.sleep(0.5)  # until it has imported everything
        members.append(new)
        new.tell()
        settle(members, partitions)
        times["join"].append(max(m.assigned_s for m in members) - new.told_s)
    for member in members:
        member.process.kill()
        member.process.wait()
    for how, taken in times.items():
        ms = sorted(1000 * second for second in taken)
        print(
            f"{strategy:20} {how:6} median {statistics.median(ms):6.1f} ms, "
            f"worst {ms[-1]:6.1f} ms of {len(ms)}"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--partitions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    for strategy in ("range", "sticky", "cooperative-sticky"):
        measure(strategy, arguments.members, arguments.partitions, arguments.rounds)


if __name__ == "__main__":
    main()
