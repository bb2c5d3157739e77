"""A server with users, certificates and three listeners, and how clients connect to it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from secure_server import make_certificates

from pylog.testing.process import ServerProcess

PROTOCOLS = ["SASL_SSL", "SASL_PLAINTEXT", "SSL"]
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
PASSWORDS = {"admin": "admin's secret, =;", "guest": "gäst"}


class SecureServer(NamedTuple):
    """A server with three listeners, and the certificates of it and its clients."""

    addresses: dict[str, str]
    certificates: Path

    def security(self, protocol: str, mechanism: str = "", user: str = "admin") -> dict[str, Any]:
        """How to connect, as the client programs take it."""
        settings: dict[str, Any] = {"protocol": protocol}
        if protocol.endswith("SSL"):
            settings |= {"ca": str(self.certificates / "ca.pem")}
        if mechanism:
            settings |= {"mechanism": mechanism, "user": user, "password": PASSWORDS[user]}
        else:
            settings |= {"certificate": str(self.certificates / "client.crt")}
            settings |= {"key": str(self.certificates / "client.key")}
        return settings

    def allow(self, user: str, kind: ResourceType, prefix: str) -> None:
        """Let a user do everything to what has names that begin so."""
        security = self.security("SASL_SSL", "PLAIN")
        admin = AdminClient(
            {
                "bootstrap.servers": self.addresses["SASL_SSL"],
                "security.protocol": "SASL_SSL",
                "ssl.ca.location": security["ca"],
                "sasl.mechanism": "PLAIN",
                "sasl.username": "admin",
                "sasl.password": security["password"],
            }
        )
        acl = AclBinding(
            *(kind, prefix, ResourcePatternType.PREFIXED, f"User:{user}", "*"),
            *(AclOperation.ALL, AclPermissionType.ALLOW),
        )
        (future,) = admin.create_acls([acl]).values()
        future.result(20)


def free_addresses(count: int) -> list[str]:
    """Addresses of the loopback interface that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]


@contextmanager
def serving(
    tmp_path_factory: pytest.TempPathFactory, more: dict[str, str]
) -> Iterator[SecureServer]:
    """Run a server with users and certificates, and `more` properties."""
    folder = tmp_path_factory.mktemp("secure")
    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    for user, password in PASSWORDS.items():
        command = [sys.executable, "-m", "pylog", "users", "add", user, "--dir", str(folder)]
        subprocess.run(command, input=password, text=True, check=True)
    properties = {
        "num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "super.users": "User:admin;User:carol",
        "ssl.keystore.location": str(certificates / "server.pem"),
        "ssl.truststore.location": str(certificates / "ca.pem"),
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=(.*?),.*$/$1/",
    }
    addresses = dict(zip(PROTOCOLS, free_addresses(len(PROTOCOLS)), strict=True))
    first, *others = [f"{protocol}://{address}" for protocol, address in addresses.items()]
    words = [f"--listen={address}" for address in others]
    with ServerProcess(folder, properties=properties | more, listen=first, arguments=words):
        yield SecureServer(addresses, certificates)


class JavaTools:
    """Apache Kafka's tools, each with a file of how to connect."""

    def __init__(self, kafka: ModuleType, secure: SecureServer, folder: Path) -> None:
        self._kafka = kafka
        self._secure = secure
        self._folder = folder

    def run(
        self,
        main_class: str,
        *arguments: str,
        security: dict[str, Any],
        stdin: str = "",
        server: SecureServer | None = None,
    ) -> str:
        """Run a tool; return what it printed, whatever its status says."""
        path = self._folder / "client.properties"
        lines = (f"{name}={text}\n" for name, text in java_properties(security).items())
        # Java reads such a file as Latin-1.
        text = "".join(lines).encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00")
        path.write_text(text)
        words = ["--bootstrap-server", (server or self._secure).addresses[security["protocol"]]]
        words += ["--command-config", str(path), *arguments]
        try:
            told: str = self._kafka.run_java(main_class, *words, stdin=stdin, with_errors=True)
        except self._kafka.PeerFailedError as error:
            return str(error)
        return told


def java_properties(security: dict[str, Any]) -> dict[str, str]:
    """How to connect, as the Java client has it."""
    found = {"security.protocol": security["protocol"]}
    if "ca" in security:
        found |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": security["ca"]}
    if "certificate" in security:
        pem = str(Path(security["certificate"]).with_suffix(".pem"))
        found |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": pem}
    if "mechanism" in security:
        kind = "plain.Plain" if security["mechanism"] == "PLAIN" else "scram.Scram"
        found |= {
            "sasl.mechanism": security["mechanism"],
            "sasl.jaas.config": f"org.apache.kafka.common.security.{kind}LoginModule required "
            f'username="{security["user"]}" password="{security["password"]}";',
        }
    return found
