"""SaslHandshake, versions 0-1: a client asks for a mechanism, and hears which there are.

After version 1 tokens come in SaslAuthenticate, after version 0 in frames of their own. Where there
is no SASL the answer is ILLEGAL_SASL_STATE; one who has proved who it is may do it anew only where
sessions end (connections.max.reauth.ms). A mechanism that there is not ends the connection.

Source: Kafka SaslServerAuthenticator.handleHandshakeRequest, KafkaApis.handleSaslHandshakeRequest.
"""

from collections.abc import Awaitable
from functools import partial

from pylog.errors import KafkaError
from pylog.server import sasl
from pylog.server.request import RequestContext
from pylog.wire.messages.api_17_sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse

API_KEY = 17


def handle(
    request: SaslHandshakeRequest, context: RequestContext
) -> SaslHandshakeResponse | Awaitable[SaslHandshakeResponse]:
    """Agree on a mechanism, or not."""
    connection = context.connection
    config = context.broker.config
    is_again = connection.is_authenticated
    if not connection.listener.has_sasl or (
        is_again and config.integer("connections.max.reauth.ms") <= 0
    ):
        return SaslHandshakeResponse(error_code=KafkaError.ILLEGAL_SASL_STATE)
    enabled = sasl.enabled_mechanisms(config, connection.listener)
    if request.mechanism not in enabled:
        response = SaslHandshakeResponse(
            error_code=KafkaError.UNSUPPORTED_SASL_MECHANISM, mechanisms=enabled
        )
        return _fail(context, response)
    connection.sasl = sasl.Authentication(connection, request.mechanism)
    if context.version == 0:
        connection.take_raw = partial(sasl.take_raw, connection)
    return SaslHandshakeResponse(mechanisms=enabled)


async def _fail(context: RequestContext, response: SaslHandshakeResponse) -> SaslHandshakeResponse:
    await sasl.fail(context.connection)
    return response
