"""ApiVersions, versions 0-4: which APIs are served, in which versions.

A version that is not known is answered at version 0 with UNSUPPORTED_VERSION and the versions that
this API has, so that the client can ask again. A client may ask before it is authenticated. No
features are finalized: transactions are those before KIP-890.

Source: Kafka KafkaApis.handleApiVersionsRequest, ApiVersionsRequest.isValid.
"""

import re

from pylog.errors import KafkaError
from pylog.server.handlers import HANDLER_MODULES, offered_versions
from pylog.server.request import RequestContext
from pylog.wire.messages.api_18_api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)

API_KEY = 18

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


def handle(request: ApiVersionsRequest, context: RequestContext) -> ApiVersionsResponse:
    """Name every API that has a handler."""
    software = (request.client_software_name, request.client_software_version)
    if context.version >= 3 and not all(map(_SOFTWARE.fullmatch, software)):
        return ApiVersionsResponse(error_code=KafkaError.INVALID_REQUEST)
    return ApiVersionsResponse(api_keys=[_describe(api_key) for api_key in HANDLER_MODULES])


def refuse(
    request: ApiVersionsRequest | None, context: RequestContext, error_code: int, message: str
) -> ApiVersionsResponse:
    """Say what went wrong, and which versions this API has."""
    return ApiVersionsResponse(error_code=error_code, api_keys=[_describe(API_KEY)])


def _describe(api_key: int) -> ApiVersion:
    offered = offered_versions(api_key)
    return ApiVersion(api_key=api_key, min_version=offered.first, max_version=offered.last)
