"""DescribeUserScramCredentials, version 0: users, their mechanisms and iterations; no secrets.

Needs DESCRIBE on the cluster.

Source: Kafka ScramImage.describe.
"""

from collections import Counter

from pylog.errors import KafkaError
from pylog.server import scram
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_50_describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)

API_KEY = 50


def handle(
    request: DescribeUserScramCredentialsRequest, context: RequestContext
) -> DescribeUserScramCredentialsResponse:
    """Describe the users that are named, or all."""
    if not context.authorize(Operation.DESCRIBE, ResourceType.CLUSTER):
        return refuse(request, context, KafkaError.CLUSTER_AUTHORIZATION_FAILED, "")
    known = context.broker.credentials.users
    counts = Counter([user.name for user in request.users] if request.users else sorted(known))
    results = []
    for name, count in counts.items():
        result = DescribeUserScramCredentialsResult(user=name)
        if count > 1:
            result.error_code = KafkaError.DUPLICATE_RESOURCE
            result.error_message = (
                "Cannot describe SCRAM credentials for the same user twice in a single request: "
                f"{name}"
            )
        elif name not in known:
            result.error_code = KafkaError.RESOURCE_NOT_FOUND
            result.error_message = (
                f"Attempt to describe a user credential that does not exist: {name}"
            )
        else:
            result.credential_infos = [
                CredentialInfo(
                    mechanism=scram.MECHANISMS[mechanism].number, iterations=credential.iterations
                )
                for mechanism, credential in sorted(known[name].items())
            ]
        results.append(result)
    return DescribeUserScramCredentialsResponse(results=results)


def refuse(
    request: DescribeUserScramCredentialsRequest,
    context: RequestContext,
    error_code: int,
    message: str,
) -> DescribeUserScramCredentialsResponse:
    """Say what is wrong with all of it."""
    return DescribeUserScramCredentialsResponse(
        error_code=error_code, error_message=message or KafkaError(error_code).str()
    )
