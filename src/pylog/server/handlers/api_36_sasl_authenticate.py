"""SaslAuthenticate, versions 0-2: a token of the mechanism that SaslHandshake agreed on.

Who fails waits connection.failed.authentication.delay.ms for the answer, then the connection ends.
Versions 1 and later say when the session ends (connections.max.reauth.ms).

Source: Kafka SaslServerAuthenticator.handleSaslToken, KafkaApis.handleSaslAuthenticateRequest.
"""

from pylog.errors import KafkaError
from pylog.server import sasl
from pylog.server.request import RequestContext
from pylog.wire.messages.api_36_sasl_authenticate import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)

API_KEY = 36


async def handle(
    request: SaslAuthenticateRequest, context: RequestContext
) -> SaslAuthenticateResponse:
    """Take the token and answer it."""
    connection = context.connection
    authentication: sasl.Authentication | None = connection.sasl
    if authentication is None:
        if not connection.is_authenticated:
            await sasl.fail(connection)
            message = "SaslAuthenticate request received before a SaslHandshake request"
        else:
            message = "SaslAuthenticate request received after successful authentication"
        return SaslAuthenticateResponse(
            error_code=KafkaError.ILLEGAL_SASL_STATE, error_message=message
        )
    try:
        answer = await authentication.take(bytes(request.auth_bytes))
        lifetime_ms = sasl.accept(connection, authentication) if authentication.principal else 0
    except sasl.SaslError as error:
        await sasl.fail(connection)
        return SaslAuthenticateResponse(
            error_code=KafkaError.SASL_AUTHENTICATION_FAILED, error_message=str(error)
        )
    return SaslAuthenticateResponse(
        error_message=None, auth_bytes=answer, session_lifetime_ms=lifetime_ms
    )
