"""An event-sourced object: its state is what its events say, and two writers cannot both be right.

An Account keeps no balance anywhere but in a topic. Each change is decided on the events so far
and appended with `expected_offset`: the log takes it only if nobody appended since the decision
was made. Who loses reads what is new, decides again and tries again. Nothing is locked meanwhile,
and it holds between threads and between processes.

    python examples/event_sourced.py FOLDER         # opens an account and moves some money
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import pylog
from pylog.partitioner import partition_for_key

Event = dict[str, Any]

MAX_TRIES = 1000


class NotEnoughMoneyError(Exception):
    """A withdrawal over the balance: the decision was made on the newest state."""


class Account:
    """One account in a topic of accounts.

    Args:
        topic: of an open folder; use acks="all" where money is money.
        account_id: the events' key, which also chooses the partition.
    """

    def __init__(self, topic: pylog.Topic, account_id: str) -> None:
        self.account_id = account_id
        self.balance = 0
        self.conflicts = 0  # how often another writer was first
        self._topic = topic
        self._partition = partition_for_key("consistent", account_id.encode(), topic.partitions)
        self._next_offset = topic.start_offset(self._partition)

    def deposit(self, amount: int) -> int:
        """Pay in; returns the offset of the event."""
        return self._change(lambda: {"type": "deposited", "amount": amount})

    def withdraw(self, amount: int) -> int:
        """Take out; returns the offset of the event.

        Raises:
            NotEnoughMoneyError: the account does not hold so much.
        """

        def decide() -> Event:
            if amount > self.balance:
                raise NotEnoughMoneyError(f"{self.account_id} holds {self.balance}, not {amount}")
            return {"type": "withdrawn", "amount": amount}

        return self._change(decide)

    def refresh(self) -> None:
        """Apply the events that came since the last look, this account's among all others."""
        key = self.account_id.encode()
        for message in self._topic.read(self._partition, self._next_offset):
            self._next_offset = message.offset() + 1
            if message.key() == key:
                self._apply(json.loads(message.value()))

    def _apply(self, event: Event) -> None:
        sign = {"deposited": 1, "withdrawn": -1}[event["type"]]
        self.balance += sign * event["amount"]

    def _change(self, decide: Callable[[], Event]) -> int:
        for _ in range(MAX_TRIES):
            self.refresh()
            event = decide()
            try:
                offset = self._topic.append(
                    json.dumps(event),
                    key=self.account_id,
                    partition=self._partition,
                    expected_offset=self._next_offset,
                )
            except pylog.KafkaException as error:
                if error.args[0].code() != pylog.KafkaError._CONFLICT:
                    raise
                self.conflicts += 1
                continue
            self._apply(event)
            self._next_offset = offset + 1
            return offset
        raise RuntimeError(f"{MAX_TRIES} times another writer was first")


def main(folder: str) -> None:
    """Open an account and move some money."""
    with pylog.open(folder) as log:
        topic = log.topic("accounts", partitions=4)
        account = Account(topic, "alice")
        account.deposit(100)
        account.withdraw(30)
        same_account = Account(topic, "alice")  # as another process would see it
        try:
            same_account.withdraw(100)
        except NotEnoughMoneyError as error:
            print(f"refused: {error}")
        print(f"{account.account_id} holds {same_account.balance}")


if __name__ == "__main__":
    main(sys.argv[1])
