"""RequestContext: what a handler is told about a request beside its message."""

from typing import TYPE_CHECKING

from pylog.server.operations import CLUSTER_NAME, SUPPORTED_OPERATIONS, Operation, ResourceType

if TYPE_CHECKING:
    from pylog.server.broker import Broker, Node
    from pylog.server.connection import Connection

__all__ = ["ANONYMOUS", "Operation", "RequestContext", "ResourceType"]

ANONYMOUS = "User:ANONYMOUS"


class RequestContext:
    """One request: who asks whom for what.

    Attributes:
        broker: what is asked; the same for every node.
        connection: it came over; SaslAuthenticate says there who the client is.
        node_id: the virtual broker that was asked.
        api_key, version, correlation_id, client_id: as in the request's header.
        client_host: the client's address, without the port.
        principal: who the client proved to be, such as `User:alice`.
        listener: name of the listener, such as `PLAINTEXT`.
        received_ns: when it was taken up, of time.monotonic_ns().
        request_bytes: size of its frame.
        has_fault: whether fault injection holds it up; then the next one waits for its response.
        spent_ns: how long it was worked on, -1 while it has not waited; see request_time.py.
        throttle_time_ms: how long the connection rests after the response; see `throttle`.
    """

    __slots__ = (
        "api_key",
        "broker",
        "client_host",
        "client_id",
        "connection",
        "correlation_id",
        "has_fault",
        "listener",
        "node_id",
        "principal",
        "received_ns",
        "request_bytes",
        "spent_ns",
        "throttle_time_ms",
        "version",
    )

    def __init__(
        self,
        broker: "Broker",
        connection: "Connection",
        api_key: int,
        version: int,
        correlation_id: int,
        client_id: str | None,
        received_ns: int,
        request_bytes: int,
    ) -> None:
        self.broker = broker
        self.connection = connection
        self.node_id = connection.node_id
        self.api_key = api_key
        self.version = version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.client_host = connection.client_host
        self.principal = connection.principal
        self.listener = connection.listener_name
        self.received_ns = received_ns
        self.request_bytes = request_bytes
        self.has_fault = False
        self.spent_ns = -1
        self.throttle_time_ms = 0

    def authorize(
        self, operation: Operation, resource_type: ResourceType, name: str = CLUSTER_NAME
    ) -> bool:
        """Whether the client may do something to something; all may be done without an authorizer.

        Args:
            operation: what.
            resource_type: to which kind of thing.
            name: to which one; for the cluster there is one.
        """
        authorizer = self.broker.authorizer
        return authorizer is None or authorizer.allows(
            self.principal, self.client_host, operation, resource_type, name
        )

    def authorize_any(self, operation: Operation, resource_type: ResourceType) -> bool:
        """Whether there is anything of a kind that the client may do something to."""
        authorizer = self.broker.authorizer
        return authorizer is None or authorizer.allows_any(
            self.principal, self.client_host, operation, resource_type
        )

    def authorized_operations(self, resource_type: ResourceType, name: str = CLUSTER_NAME) -> int:
        """What the client may do to something, as the bits that responses carry."""
        return sum(
            1 << operation
            for operation in SUPPORTED_OPERATIONS[resource_type]
            if self.authorize(operation, resource_type, name)
        )

    def nodes(self) -> "list[Node]":
        """The virtual brokers, as this client reaches them.

        Where the server listens on all addresses and was not told its name, it is the address that
        the client came by.
        """
        nodes = self.broker.nodes[self.listener]
        if nodes[0].host:
            return nodes
        return [node._replace(host=self.connection.local_host) for node in nodes]

    def throttle(self, throttle_time_ms: int) -> None:
        """Let the connection rest after this response; its throttle_time_ms is the handler's."""
        self.throttle_time_ms = max(self.throttle_time_ms, throttle_time_ms)
