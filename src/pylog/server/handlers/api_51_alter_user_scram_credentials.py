"""AlterUserScramCredentials, version 0: users with a password that the client has salted.

Needs ALTER on the cluster. What is kept is StoredKey and ServerKey (credentials.py). A user counts
from the response on; who is connected stays so. Each user may be named once. Unlike Kafka's, an
empty salt is refused, and a salted password must have the size of the mechanism's hash.

Source: Kafka ScramControlManager.
"""

from collections import Counter

from logcore.errors import LogError
from pylog.errors import KafkaError
from pylog.server import scram
from pylog.server.credentials import MAX_USERS, Change
from pylog.server.errors import error_of
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_51_alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)

API_KEY = 51
MAX_NAME_CHARS = 255

_Error = tuple[int, str | None]
_Wanted = ScramCredentialDeletion | ScramCredentialUpsertion


async def handle(
    request: AlterUserScramCredentialsRequest, context: RequestContext
) -> AlterUserScramCredentialsResponse:
    """Change what can be changed, all of it at once, and say so for each user."""
    if not context.authorize(Operation.ALTER, ResourceType.CLUSTER):
        code = KafkaError.CLUSTER_AUTHORIZATION_FAILED
        return refuse(request, context, code, KafkaError(code).str())
    credentials = context.broker.credentials
    counts = Counter(_users_of(request))
    errors: dict[str, _Error] = {}
    changes: list[Change] = []
    for each in _wanted_by(request):
        if counts[each.name] > 1:
            code = KafkaError.DUPLICATE_RESOURCE
            text = "A user credential cannot be altered twice in the same request"
            errors[each.name] = code, text
            continue
        known = credentials.users.get(each.name, {})
        error = _problem_of(each, set(known))
        if (
            error is None
            and each.name not in credentials.users
            and len(credentials.users) >= MAX_USERS
        ):
            error = KafkaError.UNACCEPTABLE_CREDENTIAL, f"There are {MAX_USERS} users already"
        if error is None:
            changes.append(_change_of(each))
        errors[each.name] = error or (0, None)
    try:
        await context.broker.run_blocking(credentials.change, changes)
    except (OSError, LogError) as failure:
        text_of = error_of(failure)
        errors |= {user: text_of for user, _, _ in changes}
    return _response(errors)


def refuse(
    request: AlterUserScramCredentialsRequest,
    context: RequestContext,
    error_code: int,
    message: str,
) -> AlterUserScramCredentialsResponse:
    """Say what is wrong with all of it."""
    return _response({user: (error_code, message) for user in _users_of(request)})


def _wanted_by(request: AlterUserScramCredentialsRequest) -> list[_Wanted]:
    wanted: list[_Wanted] = list(request.deletions)
    wanted += request.upsertions
    return wanted


def _users_of(request: AlterUserScramCredentialsRequest) -> list[str]:
    return [each.name for each in _wanted_by(request)]


def _response(errors: dict[str, _Error]) -> AlterUserScramCredentialsResponse:
    return AlterUserScramCredentialsResponse(
        results=[
            AlterUserScramCredentialsResult(user=user, error_code=code, error_message=message)
            for user, (code, message) in errors.items()
        ]
    )


def _problem_of(wanted: _Wanted, known: set[str]) -> _Error | None:
    if not wanted.name:
        return KafkaError.UNACCEPTABLE_CREDENTIAL, "Username must not be empty"
    mechanism = scram.BY_NUMBER.get(wanted.mechanism)
    if mechanism is None:
        return KafkaError.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"
    if isinstance(wanted, ScramCredentialDeletion):
        if mechanism.name in known:
            return None
        text = "Attempt to delete a user credential that does not exist"
        return KafkaError.RESOURCE_NOT_FOUND, text
    problem = ""
    if wanted.iterations < scram.MIN_ITERATIONS:
        problem = "Too few iterations"
    elif wanted.iterations > scram.MAX_ITERATIONS:
        problem = "Too many iterations"
    elif not 1 <= len(wanted.salt) <= scram.MAX_SALT_BYTES:
        problem = f"A salt of 1 to {scram.MAX_SALT_BYTES} bytes is needed"
    elif len(wanted.salted_password) != mechanism.key_bytes:
        problem = f"A salted password has {mechanism.key_bytes} bytes"
    elif len(wanted.name) > MAX_NAME_CHARS or "\0" in wanted.name:
        problem = f"A username has at most {MAX_NAME_CHARS} characters, and none that is 0"
    return (KafkaError.UNACCEPTABLE_CREDENTIAL, problem) if problem else None


def _change_of(wanted: _Wanted) -> Change:
    mechanism = scram.BY_NUMBER[wanted.mechanism]
    if isinstance(wanted, ScramCredentialDeletion):
        return wanted.name, mechanism, None
    credential = scram.credential_of(
        mechanism, bytes(wanted.salt), bytes(wanted.salted_password), wanted.iterations
    )
    return wanted.name, mechanism, credential
