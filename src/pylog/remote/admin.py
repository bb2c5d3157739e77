"""RemoteAdminClient: pylog.AdminClient on a cluster, over confluent_kafka.admin.AdminClient.

Every call goes to the peer under the same name; arguments, the keys of answers and what futures
hold are translated. Futures are done when the cluster has answered.
"""

from collections.abc import Callable, Mapping
from typing import Any

import confluent_kafka.admin

from pylog.admin_client import AdminClient
from pylog.remote.peer import make_peer, refuses_the_rest, translates_errors
from pylog.remote.translate import from_peer, to_peer


class RemoteAdminClient(AdminClient):
    """Administers a cluster; made by `pylog.AdminClient` with bootstrap.servers."""

    _peer: Any = None

    def _connect(self, conf: Mapping[str, Any]) -> None:
        self._peer = make_peer(confluent_kafka.admin.AdminClient, "admin", conf)
        self._is_closed = False

    def close(self) -> None:
        """Let go of the cluster. Idempotent; without it the object's end does."""
        self._is_closed = True
        self._peer = None


def _handing_on(name: str) -> Callable[..., Any]:
    @translates_errors
    def call(self: RemoteAdminClient, *args: Any, **options: Any) -> Any:
        self._check_open()
        theirs = getattr(self._peer, name)(
            *(to_peer(argument) for argument in args),
            **{option: to_peer(value) for option, value in options.items()},
        )
        return from_peer(theirs)

    call.__name__ = name
    call.__doc__ = f"See confluent_kafka.admin.AdminClient.{name}."
    return call


for _name in dir(confluent_kafka.admin.AdminClient):
    if not _name.startswith("_"):
        setattr(RemoteAdminClient, _name, _handing_on(_name))
refuses_the_rest(RemoteAdminClient)
