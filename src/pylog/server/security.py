"""What a server's security is made of, put together at its start.

Once a listener asks its clients who they are, there is an authorizer, and it denies what no ACL
allows: super.users (`User:admin;User:other`) may do everything. A configuration with
authorizer.class.name has one too.
"""

from typing import TYPE_CHECKING

from logcore.config_def import ConfigError
from pylog.server.credentials import Credentials
from pylog.server.quota_store import QuotaStore
from pylog.server.quotas import Quotas

if TYPE_CHECKING:
    from pylog.server.broker import Broker
    from pylog.server.config import ServerConfig
    from pylog.server.listener_config import ListenerConfig


def install(broker: "Broker") -> None:
    """Give a broker its credentials, its quotas and its authorizer.

    Raises:
        ConfigError: clients of a listener could not, or not safely, say who they are.
        OSError: what is kept of them cannot be read.
    """
    config, folder = broker.config, broker.log_dir.path
    broker.credentials = Credentials(folder)
    broker.credentials.take_plain_users(config)
    broker.on_stop.append(broker.credentials.close)
    broker.on_second.append(broker.credentials.refresh)
    quotas = QuotaStore(folder)
    broker.on_second.append(quotas.refresh)
    broker.quotas = Quotas(
        quotas, config.integer("quota.window.size.seconds"), config.integer("quota.window.num")
    )
    asks_for_certificates = False
    for listener in config.listeners:
        if listener.has_sasl:
            _check_mechanisms(config, listener)
        if listener.has_tls:
            from pylog.server import tls

            asks_for_certificates |= tls.asks_for_certificates(config, listener)
    if asks_for_certificates:
        from pylog.server import tls

        broker.certificate_principal = tls.principal_finder(config)
    if has_authorizer(config, asks_for_certificates):
        from pylog.server.acls import AclAuthorizer, AclStore

        store = AclStore(folder)
        broker.on_second.append(store.refresh)
        broker.authorizer = AclAuthorizer(
            store, super_users(config), config.flag("allow.everyone.if.no.acl.found")
        )


def _check_mechanisms(config: "ServerConfig", listener: "ListenerConfig") -> None:
    from pylog.server.sasl import PLAIN, enabled_mechanisms

    if not enabled_mechanisms(config, listener):
        raise ConfigError(
            "sasl.enabled.mechanisms",
            config.text("sasl.enabled.mechanisms"),
            f"None of these can be used on {listener.protocol}://{listener.host}: {PLAIN} needs "
            "TLS, the loopback interface or --insecure; SCRAM-SHA-256 and -512 do not",
        )


def has_authorizer(config: "ServerConfig", asks_for_certificates: bool) -> bool:
    """Whether rights are asked for."""
    return bool(
        config.text("authorizer.class.name")
        or asks_for_certificates
        or any(listener.has_sasl for listener in config.listeners)
    )


def super_users(config: "ServerConfig") -> list[str]:
    """Those who may do everything.

    Raises:
        ConfigError: one of them is no principal.
    """
    names = [name.strip() for name in config.text("super.users").split(";") if name.strip()]
    for name in names:
        if ":" not in name:
            raise ConfigError("super.users", name, "Expected TYPE:NAME, such as User:admin")
    return names
