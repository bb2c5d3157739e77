"""ListConfigResources, versions 0-1: what has configs: topics, brokers, loggers, groups.

Groups are named that have configs of their own. Version 0 asks for subscriptions to what clients
measure; there are none.

Source: Kafka KafkaApis.handleListConfigResources.
"""

from pylog.errors import KafkaError
from pylog.server import config_resources
from pylog.server.config_entries import ConfigResourceType
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_74_list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

API_KEY = 74

_ALL = tuple(kind for kind in ConfigResourceType if kind != ConfigResourceType.UNKNOWN)


def handle(
    request: ListConfigResourcesRequest, context: RequestContext
) -> ListConfigResourcesResponse:
    """Name the resources of each kind."""
    if not context.authorize(Operation.DESCRIBE_CONFIGS, ResourceType.CLUSTER):
        return ListConfigResourcesResponse(error_code=KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    if context.version == 0:
        return ListConfigResourcesResponse()
    wanted = set(request.resource_types or _ALL)
    if not wanted <= set(_ALL):
        return ListConfigResourcesResponse(error_code=KafkaError.UNSUPPORTED_VERSION)
    broker = context.broker
    nodes = list(map(str, broker.node_ids))
    names: dict[ConfigResourceType, list[str]] = {
        ConfigResourceType.GROUP: broker.kept_configs.names(ConfigResourceType.GROUP),
        ConfigResourceType.BROKER_LOGGER: nodes,
        ConfigResourceType.BROKER: nodes,
        ConfigResourceType.TOPIC: config_resources.topic_names(broker),
    }
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=kind)
            for kind, found in names.items()
            if kind in wanted
            for name in found
        ]
    )
