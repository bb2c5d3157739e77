"""AlterClientQuotas, versions 0-1: quotas are set and taken away, all of an entity or none.

Needs ALTER_CONFIGS on the cluster. They count from the response on. An entity with the same type
twice is refused, where Kafka takes the last one.

Source: Kafka ClientQuotaControlManager, QuotaConfig.
"""

import ipaddress
import math

from pylog.errors import KafkaError
from pylog.folder_errors import refuse as refuse_with
from pylog.server.errors import error_of
from pylog.server.handlers.api_48_describe_client_quotas import store_of
from pylog.server.quota_store import (
    CLIENT_ID,
    FRACTIONAL,
    IP,
    KEYS,
    MAX_QUOTAS,
    USER,
    Change,
    Entity,
    QuotaStore,
)
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_49_alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    OpData,
    RequestEntryData,
    ResponseEntityData,
    ResponseEntryData,
)

API_KEY = 49
MAX_NAME_CHARS = 1000


async def handle(
    request: AlterClientQuotasRequest, context: RequestContext
) -> AlterClientQuotasResponse:
    """Change what can be changed, and say so for each entity."""
    if not context.authorize(Operation.ALTER_CONFIGS, ResourceType.CLUSTER):
        refuse_with(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")
    store = store_of(context)
    answers = []
    seen: set[Entity] = set()
    for entry in request.entries:
        answer = _answer(entry, 0, None)
        try:
            changes = _read(entry, seen, store)
            if not request.validate_only:
                await context.broker.run_blocking(store.change, changes)
        except Exception as error:
            answer.error_code, answer.error_message = error_of(error)
        answers.append(answer)
    return AlterClientQuotasResponse(entries=answers)


def refuse(
    request: AlterClientQuotasRequest, context: RequestContext, error_code: int, message: str
) -> AlterClientQuotasResponse:
    """Say of each entity what is wrong with all."""
    return AlterClientQuotasResponse(
        entries=[_answer(entry, error_code, message) for entry in request.entries]
    )


def _answer(entry: RequestEntryData, code: int, message: str | None) -> ResponseEntryData:
    return ResponseEntryData(
        error_code=code,
        error_message=message,
        entity=[
            ResponseEntityData(entity_type=part.entity_type, entity_name=part.entity_name)
            for part in entry.entity
        ],
    )


def _read(entry: RequestEntryData, seen: set[Entity], store: QuotaStore) -> list[Change]:
    """What an entry changes.

    Raises:
        KafkaException: INVALID_REQUEST.
    """
    entity = _entity_of(entry)
    if entity in seen:
        refuse_with(KafkaError.INVALID_REQUEST, f"Ignoring duplicate entity {sorted(entity)}")
    seen.add(entity)
    if entity not in store.quotas and len(store.quotas) >= MAX_QUOTAS:
        refuse_with(KafkaError.INVALID_REQUEST, f"There are {MAX_QUOTAS} quotas already")
    keys = KEYS[IP if any(kind == IP for kind, _ in entity) else USER]
    named = [change.key for change in entry.ops]
    if len(set(named)) != len(named):
        refuse_with(KafkaError.INVALID_REQUEST, "A quota cannot be altered twice")
    return [
        (entity, change.key, None if change.remove else _value_of(change, keys))
        for change in entry.ops
        if not change.remove or change.key in keys
    ]


def _entity_of(entry: RequestEntryData) -> Entity:
    if not entry.entity:
        refuse_with(KafkaError.INVALID_REQUEST, "Invalid empty client quota entity")
    names: dict[str, str | None] = {}
    for part in entry.entity:
        kind, name = part.entity_type, part.entity_name
        if kind not in (USER, CLIENT_ID, IP):
            refuse_with(KafkaError.INVALID_REQUEST, f"Unhandled client quota entity type: {kind}")
        if kind in names:
            refuse_with(KafkaError.INVALID_REQUEST, f"{kind} appears more than once")
        if name == "":
            refuse_with(KafkaError.INVALID_REQUEST, f"Empty {kind} not supported")
        if name is not None and len(name) > MAX_NAME_CHARS:
            refuse_with(KafkaError.INVALID_REQUEST, f"{kind} has more than {MAX_NAME_CHARS} chars")
        if kind == IP and name is not None:
            _check_address(name)
        names[kind] = name
    if IP in names and len(names) > 1:
        refuse_with(
            KafkaError.INVALID_REQUEST,
            "Invalid quota entity combination, IP entity should not be combined with User or "
            "ClientId",
        )
    return frozenset(names.items())


def _check_address(name: str) -> None:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        refuse_with(KafkaError.INVALID_REQUEST, f"{name} is not a valid IP or resolvable host.")


def _value_of(change: OpData, keys: frozenset[str]) -> float:
    key, value = change.key, change.value
    if key not in keys:
        refuse_with(KafkaError.INVALID_REQUEST, f"Invalid configuration key {key}")
    if not value > 0 or math.isinf(value):
        refuse_with(KafkaError.INVALID_REQUEST, f"Quota {key} must be greater than 0")
    if key not in FRACTIONAL and value != int(value):
        refuse_with(KafkaError.INVALID_REQUEST, f"{key} cannot be a fractional value.")
    return value
