"""DeleteAcls, versions 1-3: takes away the ACLs that filters mean, and says which those were.

Needs ALTER on the cluster. An ACL that two filters mean is named by both.

Source: Kafka AclApis.handleDeleteAcls, AclControlManager.deleteAcls.
"""

from pylog.errors import KafkaError, KafkaException
from pylog.server.acls import Acl, AclFilter
from pylog.server.handlers.api_29_describe_acls import store_for
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_31_delete_acls import (
    DeleteAclsFilter,
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)

API_KEY = 31


async def handle(request: DeleteAclsRequest, context: RequestContext) -> DeleteAclsResponse:
    """Take them away."""
    store = store_for(context, Operation.ALTER)
    filters = [_filter_of(each) for each in request.filters]
    problems = [_problem_of(each) for each in filters]
    removed = await context.broker.run_blocking(
        store.remove,
        [each for each, problem in zip(filters, problems, strict=True) if not problem],
    )
    results, at = [], iter(removed)
    for problem in problems:
        if problem:
            code = KafkaError.INVALID_REQUEST
            results.append(DeleteAclsFilterResult(error_code=code, error_message=problem))
        else:
            matching = [_matching(acl) for acl in next(at)]
            results.append(DeleteAclsFilterResult(error_message=None, matching_acls=matching))
    return DeleteAclsResponse(filter_results=results)


def refuse(
    request: DeleteAclsRequest, context: RequestContext, error_code: int, message: str
) -> DeleteAclsResponse:
    """Say of each what is wrong with all."""
    return DeleteAclsResponse(
        filter_results=[
            DeleteAclsFilterResult(error_code=error_code, error_message=message)
            for _ in request.filters
        ]
    )


def _filter_of(asked: DeleteAclsFilter) -> AclFilter:
    return AclFilter(
        asked.resource_type_filter,
        asked.resource_name_filter,
        asked.pattern_type_filter,
        asked.principal_filter,
        asked.host_filter,
        asked.operation,
        asked.permission_type,
    )


def _problem_of(wanted: AclFilter) -> str:
    try:
        wanted.check()
    except KafkaException as error:
        return str(error.args[0].str())
    return ""


def _matching(acl: Acl) -> DeleteAclsMatchingAcl:
    return DeleteAclsMatchingAcl(
        error_message=None,
        resource_type=acl.resource_type,
        resource_name=acl.name,
        pattern_type=acl.pattern_type,
        principal=acl.principal,
        host=acl.host,
        operation=acl.operation,
        permission_type=acl.permission,
    )
