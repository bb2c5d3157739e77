"""ListTransactions, versions 0-2: transactional ids, by state, producer, age and name.

A pattern is a regular expression for the whole id. Kafka takes RE2's, which are never slow; these
are Python's, so only those are taken that have few repetitions, and none of a group.

Source: Kafka KafkaApis.handleListTransactionsRequest, TransactionStateManager.
"""

import re
from collections.abc import Awaitable

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.transactions import ERRORS, transaction_error_of
from pylog.txn.states import NO_TIMESTAMP, TransactionMetadata
from pylog.txn.states import TransactionState as State
from pylog.wire.messages.api_66_list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
    TransactionState,
)

API_KEY = 66

_STATES = {state.title: state for state in State}
_MAX_LENGTH = 1000  # of a pattern, and of what is held against it
_MAX_REPETITIONS = 2


def handle(
    request: ListTransactionsRequest, context: RequestContext
) -> ListTransactionsResponse | Awaitable[ListTransactionsResponse]:
    """List transactional ids."""
    pattern = None
    if request.transactional_id_pattern:
        pattern = _compile(request.transactional_id_pattern)
        if pattern is None:
            return ListTransactionsResponse(error_code=KafkaError.INVALID_REGULAR_EXPRESSION)
    return context.broker.run_blocking(_list, request, context, pattern)


def _compile(text: str) -> re.Pattern[str] | None:
    """The pattern, None for one that is none, or could take forever."""
    repetitions = re.findall(r"[*+{]", text)
    if (
        len(text) > _MAX_LENGTH
        or len(repetitions) > _MAX_REPETITIONS
        or re.search(r"\)[*+{]", text)
    ):
        return None
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return None


def _list(
    request: ListTransactionsRequest, context: RequestContext, pattern: re.Pattern[str] | None
) -> ListTransactionsResponse:
    response = ListTransactionsResponse(
        unknown_state_filters=[name for name in request.state_filters if name not in _STATES]
    )
    coordinator = context.broker.transactions
    try:
        known = coordinator.transactions()
    except ERRORS as error:
        response.error_code = transaction_error_of(error, context, 0)
        return response
    now_ms = coordinator.now_ms()
    response.transaction_states = [
        TransactionState(
            transactional_id=transactional_id,
            producer_id=metadata.producer_id,
            transaction_state=metadata.state.title,
        )
        for transactional_id, metadata in sorted(known.items())
        if context.broker.coordinator_of(transactional_id) == context.node_id
        and _is_wanted(metadata, request, now_ms)
        and (pattern is None or pattern.fullmatch(transactional_id[:_MAX_LENGTH]))
        and context.authorize(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transactional_id)
    ]
    return response


def _is_wanted(
    metadata: TransactionMetadata, request: ListTransactionsRequest, now_ms: int
) -> bool:
    states = request.state_filters
    if states and metadata.state.title not in states:
        return False
    if request.producer_id_filters and metadata.producer_id not in request.producer_id_filters:
        return False
    if request.duration_filter < 0:
        return True
    began_ms = metadata.start_timestamp_ms
    return began_ms == NO_TIMESTAMP or now_ms - began_ms > request.duration_filter
