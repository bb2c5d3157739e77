"""CreateAcls, versions 1-3: more ACLs, which count from the response on.

Needs ALTER on the cluster. Those that are right are kept, each with its own answer. One that says
ANY or UNKNOWN somewhere is INVALID_REQUEST alone, where Kafka fails all of them.

Source: Kafka AclApis.handleCreateAcls, AclControlManager.validateNewAcl.
"""

from pylog.errors import KafkaError
from pylog.server.acls import Acl, PatternType, Permission
from pylog.server.errors import error_of
from pylog.server.handlers.api_29_describe_acls import store_for
from pylog.server.operations import CLUSTER_NAME
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_30_create_acls import (
    AclCreation,
    AclCreationResult,
    CreateAclsRequest,
    CreateAclsResponse,
)

API_KEY = 30
MAX_TEXT_CHARS = 4096


async def handle(request: CreateAclsRequest, context: RequestContext) -> CreateAclsResponse:
    """Keep those that are right."""
    store = store_for(context, Operation.ALTER)
    problems = [_problem_of(creation) for creation in request.creations]
    acls = [
        _acl_of(creation)
        for creation, problem in zip(request.creations, problems, strict=True)
        if not problem
    ]
    failure = (0, "")
    try:
        if acls:
            await context.broker.run_blocking(store.add, acls)
    except Exception as error:
        failure = error_of(error)
    results = []
    for problem in problems:
        code, message = (KafkaError.INVALID_REQUEST, problem) if problem else failure
        results.append(AclCreationResult(error_code=code, error_message=message))
    return CreateAclsResponse(results=results)


def refuse(
    request: CreateAclsRequest, context: RequestContext, error_code: int, message: str
) -> CreateAclsResponse:
    """Say of each what is wrong with all."""
    return CreateAclsResponse(
        results=[
            AclCreationResult(error_code=error_code, error_message=message)
            for _ in request.creations
        ]
    )


def _problem_of(creation: AclCreation) -> str:
    kind, name = creation.resource_type, creation.resource_name
    if not ResourceType.ANY < kind <= max(ResourceType):
        return "Invalid resource type"
    if creation.resource_pattern_type not in (PatternType.LITERAL, PatternType.PREFIXED):
        return "Invalid pattern type"
    if not Operation.ANY < creation.operation <= max(Operation):
        return "Invalid operation UNKNOWN"
    if creation.permission_type not in (Permission.ALLOW, Permission.DENY):
        return "Invalid permission type"
    if not name:
        return "Invalid empty resource name"
    if kind == ResourceType.CLUSTER and name != CLUSTER_NAME:
        return f"The only valid name for the CLUSTER resource is {CLUSTER_NAME}"
    if ":" not in creation.principal:
        return (
            f"Could not parse principal from `{creation.principal}` (no colon is present "
            "separating the principal type from the principal name)"
        )
    if max(map(len, (name, creation.principal, creation.host))) > MAX_TEXT_CHARS:
        return f"A name has more than {MAX_TEXT_CHARS} characters"
    return ""


def _acl_of(creation: AclCreation) -> Acl:
    return Acl(
        ResourceType(creation.resource_type),
        creation.resource_name,
        PatternType(creation.resource_pattern_type),
        creation.principal,
        creation.host,
        Operation(creation.operation),
        Permission(creation.permission_type),
    )
