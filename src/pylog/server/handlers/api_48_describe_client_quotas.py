"""DescribeClientQuotas, versions 0-1: the quotas of the users, client ids and addresses meant.

Needs DESCRIBE_CONFIGS on the cluster.

Source: Kafka ClientQuotasImage.describe.
"""

from pylog.errors import KafkaError
from pylog.folder_errors import refuse as refuse_with
from pylog.server.quota_store import CLIENT_ID, IP, USER, Entity, QuotaStore
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_48_describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)

API_KEY = 48

EXACT, DEFAULT, ANY = 0, 1, 2


def handle(
    request: DescribeClientQuotasRequest, context: RequestContext
) -> DescribeClientQuotasResponse:
    """Find them."""
    if not context.authorize(Operation.DESCRIBE_CONFIGS, ResourceType.CLUSTER):
        refuse_with(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")
    _check(request.components)
    entries = [
        EntryData(
            entity=[
                EntityData(entity_type=kind, entity_name=name)
                for kind, name in sorted(entity, key=lambda part: part[0], reverse=True)
            ],
            values=[ValueData(key=key, value=value) for key, value in sorted(values.items())],
        )
        for entity, values in store_of(context).quotas.items()
        if values and _is_meant(entity, request)
    ]
    return DescribeClientQuotasResponse(entries=entries)


def store_of(context: RequestContext) -> QuotaStore:
    """The quotas of the folder."""
    quotas = context.broker.quotas
    assert quotas is not None, "set at the start"
    return quotas.store


def refuse(
    request: DescribeClientQuotasRequest, context: RequestContext, error_code: int, message: str
) -> DescribeClientQuotasResponse:
    """Say what is wrong."""
    return DescribeClientQuotasResponse(error_code=error_code, error_message=message, entries=None)


def _check(components: list[ComponentData]) -> None:
    """Refuse a filter that makes no sense.

    Raises:
        KafkaException: INVALID_REQUEST, UNSUPPORTED_VERSION.
    """
    seen = set()
    for part in components:
        if not part.entity_type:
            refuse_with(KafkaError.INVALID_REQUEST, "Invalid empty entity type.")
        if part.entity_type in seen:
            refuse_with(
                KafkaError.INVALID_REQUEST,
                f"Entity type {part.entity_type} cannot appear more than once in the filter.",
            )
        if part.entity_type not in (USER, CLIENT_ID, IP):
            refuse_with(
                KafkaError.UNSUPPORTED_VERSION, f"Unsupported entity type {part.entity_type}"
            )
        seen.add(part.entity_type)
        _check_match(part)
    if IP in seen and len(seen) > 1:
        refuse_with(
            KafkaError.INVALID_REQUEST,
            "Invalid entity filter component combination. IP filter component should not be used "
            "with user or clientId filter component.",
        )


def _check_match(part: ComponentData) -> None:
    if part.match_type not in (EXACT, DEFAULT, ANY):
        refuse_with(KafkaError.INVALID_REQUEST, f"Unknown match type {part.match_type}")
    if part.match_type == EXACT and part.match is None:
        refuse_with(
            KafkaError.INVALID_REQUEST,
            "Request specified MATCH_TYPE_EXACT, but set match string to null.",
        )
    if part.match_type != EXACT and part.match is not None:
        name = "MATCH_TYPE_DEFAULT" if part.match_type == DEFAULT else "MATCH_TYPE_SPECIFIED"
        refuse_with(
            KafkaError.INVALID_REQUEST,
            f"Request specified {name}, but also specified a match string.",
        )


def _is_meant(entity: Entity, request: DescribeClientQuotasRequest) -> bool:
    names = dict(entity)
    if request.strict and len(names) != len(request.components):
        return False
    for part in request.components:
        if part.entity_type not in names:
            return False
        name = names[part.entity_type]
        if part.match_type == EXACT and name != part.match:
            return False
        if part.match_type == DEFAULT and name is not None:
            return False
    return True
