"""The transaction state machine against a model that knows only who may do what.

The model: a transactional id is at rest, open, or being ended; one identity (producer id, epoch)
may act; an end that was decided may be asked for again by the identity that it was decided for.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pylog.errors import KafkaError, KafkaException
from pylog.txn import states
from pylog.txn.records import decode_value, encode_value
from pylog.txn.states import MAX_PRODUCER_EPOCH, TransactionMetadata, TransactionState

TIMEOUT_MS = 1000


def code_of(step, *args, **kwargs):
    """(metadata, None) or (None, the error's code)."""
    try:
        return step(*args, **kwargs), None
    except KafkaException as error:
        return None, error.args[0].code()


class TransactionMachine(RuleBasedStateMachine):
    """One transactional id, any number of producers, requests of living and dead ones."""

    @initialize(first_epoch=st.sampled_from([-1, 0, MAX_PRODUCER_EPOCH - 4]))
    def begin(self, first_epoch):
        self.now_ms = 1_000_000
        self.next_id = 1
        metadata = states.create("t", self.new_id(), TIMEOUT_MS)
        self.metadata = TransactionMetadata("t", metadata.producer_id, first_epoch, TIMEOUT_MS)
        # The model.
        self.phase = "rest"
        self.current = (metadata.producer_id, first_epoch)
        self.given = set()  # identities that a producer was given
        self.known = [(77, 3)]  # identities that requests come from; the first is nobody's
        self.partitions = set()
        self.began_ms = None
        self.is_commit = None
        self.repeatable = None  # (identity, is_commit) of the end that was decided last
        self.was_initialized = False

    def new_id(self):
        self.next_id += 1
        return self.next_id - 1

    def give(self, identity):
        assert identity not in self.given, "two producers with one identity"
        assert identity[1] < MAX_PRODUCER_EPOCH, "no epoch is left for fencing"
        self.given.add(identity)
        self.known.append(identity)
        self.current = identity

    def step(self, function, *args, **kwargs):
        answer, code = code_of(function, *args, **kwargs)
        if answer is not None:
            # The log is what the others see: nothing that counts may be lost on the way.
            written = decode_value("t", encode_value(answer))
            assert written.producer_epoch == answer.producer_epoch
            assert written.partitions == answer.partitions
            assert written.next_producer_id == answer.next_producer_id
            self.metadata = answer
        return code

    @rule(ms=st.integers(1, 2 * TIMEOUT_MS))
    def time_passes(self, ms):
        self.now_ms += ms

    @rule(always_new_id=st.booleans())
    def producer_comes_up(self, always_new_id):
        before = self.metadata
        new_id = -1
        if always_new_id or states.needs_producer_id(before):
            new_id = self.new_id()
        code = self.step(states.initialize, before, TIMEOUT_MS, self.now_ms, new_id)
        if self.phase != "rest":
            assert code == KafkaError.CONCURRENT_TRANSACTIONS
            return
        assert code is None
        assert self.metadata.state == TransactionState.EMPTY
        self.give((self.metadata.producer_id, self.metadata.producer_epoch))
        self.repeatable = None
        self.was_initialized = True

    @rule(who=st.integers(0, 100), number=st.integers(0, 3))
    def partition_is_added(self, who, number):
        identity = self.known[-1 - who % len(self.known)]
        code = self.step(
            states.add_partitions, self.metadata, *identity, [("topic", number)], self.now_ms
        )
        if identity[0] != self.metadata.producer_id:
            assert code == KafkaError.INVALID_PRODUCER_ID_MAPPING
        elif identity[1] != self.metadata.producer_epoch:
            assert code == KafkaError.PRODUCER_FENCED
        elif self.phase == "ending":
            assert code == KafkaError.CONCURRENT_TRANSACTIONS
        else:
            assert code is None
            assert identity == self.current
            if self.phase == "rest":
                self.phase, self.began_ms, self.partitions = "open", self.now_ms, set()
            self.partitions.add(("topic", number))

    @rule(who=st.integers(0, 100), is_commit=st.booleans())
    def end_is_asked_for(self, who, is_commit):
        identity = self.known[-1 - who % len(self.known)]
        before = self.metadata
        next_id = self.new_id() if before.is_epoch_exhausted else -1
        code = self.step(states.end, before, *identity, is_commit, self.now_ms, next_id)
        if identity == self.current and self.phase == "open":
            assert code is None
            self.decided(identity, is_commit)
        elif identity == self.current and self.phase == "rest" and self.was_initialized:
            if is_commit:
                assert code == KafkaError.INVALID_TXN_STATE
            else:
                assert code is None
                self.decided(identity, False)
        elif self.repeatable is not None and identity == self.repeatable[0]:
            if self.phase == "open":  # the next one: what is over is no longer answered
                assert code == KafkaError.PRODUCER_FENCED
            elif is_commit != self.repeatable[1]:
                assert code == KafkaError.INVALID_TXN_STATE
            elif self.phase == "ending":
                assert code == KafkaError.CONCURRENT_TRANSACTIONS
            else:
                assert code is None and self.metadata is before
        else:
            assert code in (KafkaError.INVALID_PRODUCER_ID_MAPPING, KafkaError.PRODUCER_FENCED)
            assert self.metadata is before

    def decided(self, identity, is_commit):
        self.phase, self.is_commit = "ending", is_commit
        self.repeatable = (identity, is_commit)
        assert self.metadata.state in states.PREPARED
        # The markers' identity is above that of every batch that was written.
        assert self.metadata.producer_id == identity[0]
        assert self.metadata.producer_epoch == identity[1] + 1 <= MAX_PRODUCER_EPOCH

    @precondition(lambda self: self.phase == "open")
    @rule()
    def coordinator_aborts_what_timed_out(self):
        is_late = self.now_ms - self.began_ms >= TIMEOUT_MS
        assert states.has_timed_out(self.metadata, self.now_ms) == is_late
        if is_late:
            next_id = self.new_id() if self.metadata.is_epoch_exhausted else -1
            assert self.step(states.fence, self.metadata, self.now_ms, next_id) is None
            self.decided(self.current, False)

    @precondition(lambda self: self.phase == "ending")
    @rule()
    def markers_are_written(self):
        assert self.step(states.complete, self.metadata, self.now_ms) is None
        done = (
            TransactionState.COMPLETE_COMMIT if self.is_commit else TransactionState.COMPLETE_ABORT
        )
        assert self.metadata.state == done
        self.phase, self.partitions = "rest", set()
        self.give((self.metadata.producer_id, self.metadata.producer_epoch))

    @invariant()
    def metadata_says_what_the_model_says(self):
        if not hasattr(self, "phase"):
            return
        metadata = self.metadata
        assert metadata.is_open == (self.phase != "rest")
        assert (metadata.state == TransactionState.ONGOING) == (self.phase == "open")
        assert metadata.partitions == self.partitions
        if self.phase == "open":
            assert metadata.start_timestamp_ms == self.began_ms
        assert metadata.last_update_timestamp_ms <= self.now_ms
        assert states.has_expired(metadata, self.now_ms) == (
            self.phase == "rest"
            and self.now_ms - metadata.last_update_timestamp_ms >= states.EXPIRATION_MS
        )


TestTransactionMachine = TransactionMachine.TestCase
TestTransactionMachine.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)


def resting(epoch=5, **fields):
    return TransactionMetadata("t", 10, epoch, TIMEOUT_MS, **fields)


@pytest.mark.parametrize(
    ("transactional_id", "timeout_ms", "code"),
    [
        ("", 1000, KafkaError.INVALID_REQUEST),
        ("t", 0, KafkaError.INVALID_TRANSACTION_TIMEOUT),
        ("t", states.MAX_TIMEOUT_MS + 1, KafkaError.INVALID_TRANSACTION_TIMEOUT),
        ("t", states.MAX_TIMEOUT_MS, None),
    ],
)
def test_what_a_producer_comes_up_with_is_checked(transactional_id, timeout_ms, code):
    assert code_of(states.check_initialize, transactional_id, timeout_ms)[1] == code


def test_producer_that_goes_on_after_an_error_keeps_its_place():
    raised = states.initialize(resting(), TIMEOUT_MS, 1, expected=(10, 5))
    assert (raised.producer_epoch, raised.last_producer_epoch) == (6, 5)
    again = states.initialize(raised, TIMEOUT_MS, 2, expected=(10, 5))
    assert again.producer_epoch == 6  # the answer was lost: the same epoch again
    taken = states.initialize(raised, TIMEOUT_MS, 3)
    for stale in ((10, 5), (10, 6), (11, 7)):
        code = code_of(states.initialize, taken, TIMEOUT_MS, 4, expected=stale)[1]
        assert code == KafkaError.PRODUCER_FENCED


def test_used_up_epochs_go_on_with_a_new_producer_id():
    last = resting(MAX_PRODUCER_EPOCH - 1)
    ongoing = states.add_partitions(last, 10, last.producer_epoch, [("a", 0)], 5)
    prepared = states.end(ongoing, 10, ongoing.producer_epoch, True, 6, next_producer_id=99)
    assert (prepared.producer_id, prepared.producer_epoch) == (10, MAX_PRODUCER_EPOCH)
    done = states.complete(prepared, 7)
    assert (done.producer_id, done.producer_epoch, done.previous_producer_id) == (99, 0, 10)
    assert states.end(done, 10, MAX_PRODUCER_EPOCH - 1, True, 8) is done  # asked for again


def test_producer_of_a_timed_out_transaction_may_learn_of_the_abort():
    ongoing = states.add_partitions(resting(), 10, 5, [("a", 0)], 0)
    aborted = states.complete(states.fence(ongoing, TIMEOUT_MS), TIMEOUT_MS)
    assert code_of(states.end, aborted, 10, 5, True, 0)[1] == KafkaError.INVALID_TXN_STATE
    assert states.end(aborted, 10, 5, False, 0) is aborted
    taken = states.initialize(aborted, TIMEOUT_MS, 2000)
    assert code_of(states.end, taken, 10, 5, False, 0)[1] == KafkaError.PRODUCER_FENCED


def test_a_client_that_keeps_its_epoch_ends_transaction_after_transaction_with_it():
    metadata = resting()
    for is_commit, other in ((True, False), (False, True)):
        ongoing = states.add_partitions(metadata, 10, 5, [("a", 0)], 1, 0)
        prepared = states.end_classic(ongoing, 10, 5, is_commit, 2)
        assert prepared.state in states.PREPARED
        assert (prepared.producer_epoch, prepared.batch_epoch) == (5, 5)
        for again, code in (
            (is_commit, KafkaError.CONCURRENT_TRANSACTIONS),
            (other, KafkaError.INVALID_TXN_STATE),
        ):
            assert code_of(states.end_classic, prepared, 10, 5, again, 3)[1] == code
        metadata = states.complete(prepared, 4)
        assert metadata.producer_epoch == 5
        assert states.end_classic(metadata, 10, 5, is_commit, 5) is metadata
        code = code_of(states.end_classic, metadata, 10, 5, other, 5)[1]
        assert code == KafkaError.INVALID_TXN_STATE


def test_a_client_that_keeps_its_epoch_is_told_when_it_was_fenced_or_began_nothing():
    ongoing = states.add_partitions(resting(), 10, 5, [("a", 0)], 0, 0)
    fenced = states.fence(ongoing, TIMEOUT_MS)
    assert (fenced.producer_epoch, fenced.batch_epoch) == (6, 5)
    aborted = states.complete(fenced, TIMEOUT_MS)
    assert code_of(states.end_classic, aborted, 10, 5, False, 0)[1] == KafkaError.PRODUCER_FENCED
    went_on = states.initialize(aborted, TIMEOUT_MS, 1, expected=(10, 5), is_remote=True)
    assert (went_on.producer_epoch, went_on.is_remote) == (6, True)
    for is_commit in (True, False):
        code = code_of(states.end_classic, resting(), 10, 5, is_commit, 0)[1]
        assert code == KafkaError.INVALID_TXN_STATE


def test_names_are_kafkas():
    assert [state.title for state in TransactionState] == [
        "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort",
        "Dead", "PrepareEpochFence",
    ]  # fmt: skip
