"""DescribeAcls, versions 1-3: the ACLs that a filter means.

Needs DESCRIBE on the cluster. Without an authorizer the answer is SECURITY_DISABLED. A filter that
says UNKNOWN is INVALID_REQUEST, where Kafka closes the connection.

Source: Kafka AclApis.handleDescribeAcls.
"""

from pylog.errors import KafkaError
from pylog.folder_errors import refuse as refuse_with
from pylog.server.acls import AclAuthorizer, AclFilter, AclStore, group_by_resource
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_29_describe_acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)

API_KEY = 29


def handle(request: DescribeAclsRequest, context: RequestContext) -> DescribeAclsResponse:
    """Find them, by what they are about."""
    store = store_for(context, Operation.DESCRIBE)
    wanted = AclFilter(
        request.resource_type_filter,
        request.resource_name_filter,
        request.pattern_type_filter,
        request.principal_filter,
        request.host_filter,
        request.operation,
        request.permission_type,
    )
    wanted.check()
    resources = [
        DescribeAclsResource(
            resource_type=kind,
            resource_name=name,
            pattern_type=pattern,
            acls=[
                AclDescription(
                    principal=acl.principal,
                    host=acl.host,
                    operation=acl.operation,
                    permission_type=acl.permission,
                )
                for acl in acls
            ],
        )
        for (kind, name, pattern), acls in group_by_resource(store.find(wanted)).items()
    ]
    return DescribeAclsResponse(resources=resources)


def store_for(context: RequestContext, operation: Operation) -> AclStore:
    """The ACLs, for one who may see or change them.

    Raises:
        KafkaException: CLUSTER_AUTHORIZATION_FAILED, or SECURITY_DISABLED where there are none.
    """
    if not context.authorize(operation, ResourceType.CLUSTER):
        refuse_with(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")
    authorizer = context.broker.authorizer
    if not isinstance(authorizer, AclAuthorizer):
        refuse_with(KafkaError.SECURITY_DISABLED, "No Authorizer is configured.")
    return authorizer.store
