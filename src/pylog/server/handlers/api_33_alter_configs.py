"""AlterConfigs, versions 0-2: a resource gets these configs, and no others.

Source: Kafka ConfigAdminManager, ConfigurationControlManager.legacyAlterConfigs.
"""

from pylog.server.config_changes import Change
from pylog.server.handlers.api_44_incremental_alter_configs import alter
from pylog.server.request import RequestContext
from pylog.wire.messages.api_33_alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

API_KEY = 33


async def handle(request: AlterConfigsRequest, context: RequestContext) -> AlterConfigsResponse:
    """Change each resource, or not."""
    asked = [
        (
            resource.resource_type,
            resource.resource_name,
            [(config.name, int(Change.SET), config.value) for config in resource.configs],
        )
        for resource in request.resources
    ]
    results = await alter(context, asked, validate_only=request.validate_only, is_whole=True)
    return AlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                resource_type=kind,
                resource_name=name,
                error_code=code,
                error_message=message,
            )
            for kind, name, code, message in results
        ]
    )
