"""DescribeConfigs, versions 1-4: every config of topics, brokers, groups, loggers.

All configs are named, those at their defaults too, with where their values come from. What clients
measure cannot be subscribed to here: such a subscription has no configs.

Source: Kafka ConfigHelper.describeConfigs.
"""

from pylog.server import config_resources, errors
from pylog.server.config_entries import Entry
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_32_describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

API_KEY = 32


def handle(request: DescribeConfigsRequest, context: RequestContext) -> DescribeConfigsResponse:
    """Describe each resource."""
    for resource in request.resources:
        config_resources.check_kind(resource.resource_type)
    return DescribeConfigsResponse(
        results=[_describe(resource, request, context) for resource in request.resources]
    )


def _describe(
    resource: DescribeConfigsResource, request: DescribeConfigsRequest, context: RequestContext
) -> DescribeConfigsResult:
    kind = config_resources.check_kind(resource.resource_type)
    name = resource.resource_name
    result = DescribeConfigsResult(resource_type=kind, resource_name=name, error_message=None)
    if not config_resources.is_allowed(context, kind, name, Operation.DESCRIBE_CONFIGS):
        result.error_code = config_resources.refusal_code(kind)
        return result
    try:
        entries = config_resources.describe(context.broker, kind, name)
    except Exception as error:
        result.error_code, result.error_message = errors.error_of(error)
        return result
    wanted = resource.configuration_keys
    result.configs = [
        _to_wire(entry, request) for entry in entries if not wanted or entry.name in wanted
    ]
    return result


def _to_wire(entry: Entry, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    described = DescribeConfigsResourceResult(
        name=entry.name,
        value=entry.value,
        read_only=entry.is_read_only,
        config_source=entry.source,
        is_sensitive=entry.is_sensitive,
        config_type=entry.kind,
        documentation=entry.documentation if request.include_documentation else None,
    )
    if request.include_synonyms:
        described.synonyms = [
            DescribeConfigsSynonym(name=name, value=value, source=source)
            for name, value, source in entry.synonyms
        ]
    return described
