"""IncrementalAlterConfigs, versions 0-1: configs are set, deleted, and their lists edited.

Configs of a broker that is named, or of all (an empty name), count at once and are kept in the
folder; levels of loggers are forgotten when the server ends.

Source: Kafka ConfigAdminManager, ConfigurationControlManager.incrementalAlterConfigs.
"""

from collections import Counter
from collections.abc import Sequence

from pylog.errors import KafkaError
from pylog.server import config_resources, errors
from pylog.server.config_changes import ConfigChanges
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_44_incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

API_KEY = 44


async def handle(
    request: IncrementalAlterConfigsRequest, context: RequestContext
) -> IncrementalAlterConfigsResponse:
    """Change each resource, or not."""
    asked = [
        (
            resource.resource_type,
            resource.resource_name,
            [(config.name, config.config_operation, config.value) for config in resource.configs],
        )
        for resource in request.resources
    ]
    results = await alter(context, asked, validate_only=request.validate_only, is_whole=False)
    return IncrementalAlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                resource_type=kind, resource_name=name, error_code=code, error_message=message
            )
            for kind, name, code, message in results
        ]
    )


async def alter(
    context: RequestContext,
    asked: Sequence[tuple[int, str, ConfigChanges]],
    *,
    validate_only: bool,
    is_whole: bool,
) -> list[tuple[int, str, int, str | None]]:
    """Change resources, each or not.

    Args:
        context: of the request.
        asked: kind and name of each resource, and what to change.
        validate_only: only say whether it could be.
        is_whole: what is not named is taken back.

    Returns:
        Kind, name, error code and text of each.
    """
    counts = Counter((kind, name) for kind, name, _ in asked)
    results: dict[tuple[int, str], tuple[int, str, int, str | None]] = {}
    for kind, name, changes in asked:
        if (kind, name) in results:
            continue
        if counts[kind, name] > 1:
            code, message = KafkaError.INVALID_REQUEST, "Each resource must appear at most once."
            results[kind, name] = kind, name, code, message
            continue
        try:
            known = config_resources.check_kind(kind)
            if not config_resources.is_allowed(context, known, name, Operation.ALTER_CONFIGS):
                results[kind, name] = kind, name, config_resources.refusal_code(known), None
                continue
            then = await context.broker.run_blocking(
                lambda known=known, name=name, changes=changes: config_resources.change(
                    context.broker, known, name, changes,
                    validate_only=validate_only, is_whole=is_whole,
                )
            )  # fmt: skip
            if then is not None:
                then()
            results[kind, name] = kind, name, KafkaError.NO_ERROR, None
        except Exception as error:
            results[kind, name] = kind, name, *errors.error_of(error)
    return list(results.values())
