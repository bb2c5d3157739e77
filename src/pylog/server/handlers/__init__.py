"""One module an API: `api_NN_name.py`.

```
API_KEY = 3
PIPELINED = False          optional: the connection's next request need not wait for this response

def handle(request, context):
    '''The response, an awaitable of it, or None for none; an exception becomes its error code.'''

def refuse(request, context, error_code, message):
    '''Optional: the response that says nothing but an error; errors.refusal() is the rule.'''
```
A module is imported when its API is first asked for: a server starts at once, and a client pays for
what it uses.
"""

import os
import re
from collections.abc import Mapping

from pylog.wire import APIS, Versions

_NAME = re.compile(r"(api_(\d+)_\w+)\.py")


def _find_modules() -> dict[int, str]:
    matches = map(_NAME.fullmatch, sorted(os.listdir(os.path.dirname(__file__))))
    return {int(match[2]): f"{__name__}.{match[1]}" for match in matches if match is not None}


HANDLER_MODULES = _find_modules()
"""Modules by API key. What is not here is not offered."""

NARROWED: Mapping[int, Versions] = {}
"""Versions of APIs that are served in fewer than pylog.wire has."""


def offered_versions(api_key: int) -> Versions:
    """What ApiVersions says of an API."""
    return NARROWED.get(api_key) or APIS[api_key].offered
