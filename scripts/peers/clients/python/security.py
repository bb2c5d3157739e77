"""How a client of Python is to connect: PYLOG_PEER_SECURITY, as ../README.md has it."""

import json
import os
import ssl


def read():
    """Return the settings as they are given; empty for a server that asks nobody."""
    return json.loads(os.environ.get("PYLOG_PEER_SECURITY", "{}"))


def for_librdkafka():
    """Return the settings as confluent_kafka names them."""
    return _renamed(
        protocol="security.protocol",
        mechanism="sasl.mechanism",
        user="sasl.username",
        password="sasl.password",
        ca="ssl.ca.location",
        certificate="ssl.certificate.location",
        key="ssl.key.location",
    )


def for_kafka_python():
    """Return the settings as kafka-python names them."""
    return _renamed(
        protocol="security_protocol",
        mechanism="sasl_mechanism",
        user="sasl_plain_username",
        password="sasl_plain_password",
        ca="ssl_cafile",
        certificate="ssl_certfile",
        key="ssl_keyfile",
    )


def for_aiokafka():
    """Return the settings as aiokafka names them: kafka-python's, but for TLS."""
    wanted = for_kafka_python()
    files = {name: wanted.pop(name, None) for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    if files["ssl_cafile"]:
        wanted["ssl_context"] = ssl.create_default_context(cafile=files["ssl_cafile"])
        if files["ssl_certfile"]:
            wanted["ssl_context"].load_cert_chain(files["ssl_certfile"], files["ssl_keyfile"])
    return wanted


def _renamed(**names):
    given = read()
    return {theirs: given[ours] for ours, theirs in names.items() if ours in given}
