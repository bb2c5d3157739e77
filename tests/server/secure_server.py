"""Servers that ask who their clients are, and what the tests of that share."""

import subprocess
from pathlib import Path

from pylog.testing import Server

PASSWORDS = {"admin": "admin-secret", "alice": "alice's; secret", "bob": "böb"}
JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    + " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
    + ";"
)
PROPERTIES = {
    "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
    "super.users": "User:admin",
    "listener.name.sasl_plaintext.plain.sasl.jaas.config": JAAS,
    "connection.failed.authentication.delay.ms": "1",
}


def sasl_server(folder=":memory:", *, metrics=False, **properties):
    """A server with users of PLAIN, of whom admin may do everything."""
    return Server(folder, properties=PROPERTIES | properties, metrics=metrics)


def client_config(server, user, password=None, mechanism="PLAIN", **more):
    """The configuration of confluent_kafka's clients."""
    return {
        "bootstrap.servers": server.bootstrap_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": PASSWORDS.get(user, "") if password is None else password,
        "socket.timeout.ms": 20000,
        **more,
    }


def make_certificates(folder: Path) -> Path:
    """An authority, a certificate of localhost and one of a client, each with its key, as PEM."""

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=folder)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
    openssl("req", "-x509", *key, "ca.key", "-out", "ca.pem", "-days", 2, "-subj", "/CN=Test CA")
    for name, subject in (("server", "/CN=localhost"), ("client", "/O=Acme, Inc/OU=ops/CN=carol")):
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", *key, f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", 2,
            "-CAcreateserial", "-extfile", "names", "-out", f"{name}.crt",
        )  # fmt: skip
        both = (folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text()
        (folder / f"{name}.pem").write_text(both)
    return folder
