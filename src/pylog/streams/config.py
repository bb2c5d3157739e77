"""StreamsConfig: Kafka Streams' property names to typed, checked values.

Values may be text or Python values: a serde, a function, a timedelta or "10s" for a duration. An
unknown name is an error that names the nearest known one. `log.dir` (a folder) stands where a
cluster has `bootstrap.servers`; with neither the folder is that of pylog: `$PYLOG_DIR`, else
./pylog-data. Properties of the clients may stand among them, for all clients that know them, or
with a prefix for one kind: `consumer.`, `main.consumer.`, `restore.consumer.`, `global.consumer.`,
`producer.`, `admin.`; `topic.` is for the configuration of internal topics.

The properties are in config_table.py, those of the clients in pylog.config.
"""

import difflib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pylog.config import PROPERTIES
from pylog.config_table import ALIASES as CLIENT_ALIASES
from pylog.streams import config_table, serdes
from pylog.streams.client_configs import client_config, client_property
from pylog.streams.config_values import SETTINGS
from pylog.streams.errors import StreamsConfigError

if TYPE_CHECKING:
    from pylog.streams.serde import Serde

EXACTLY_ONCE_V2 = "exactly_once_v2"
AT_LEAST_ONCE = "at_least_once"
_EXACTLY_ONCE_COMMIT_INTERVAL_MS = 100
_APPLICATION_ID = re.compile(r"[a-zA-Z0-9._-]+")
AT_ONCE = {
    "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": 0,
    "__emit.interval.ms.kstreams.windowed.aggregation__": 0,
}
_WHERE = ("log.dir", "bootstrap.servers")


class StreamsConfig(Mapping[str, Any]):
    """A checked configuration: every property by name, with its default when not set.

    Iterating gives the names that were set, those of clients and with prefixes among them.

    Args:
        values: by dotted name; what is None counts as not set.

    Raises:
        StreamsConfigError: a name that is unknown, a value that is not allowed, no
            `application.id`, or a folder and a cluster at once.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        if isinstance(values, StreamsConfig):
            values = values._values
        if not isinstance(values, Mapping):
            raise StreamsConfigError(
                f"the configuration is a dict, not of type {type(values).__name__}"
            )
        self._values: dict[str, Any] = {}
        for given, value in values.items():
            if value is not None:
                self._set(str(given), value)
        self._check()

    def _set(self, given: str, value: Any) -> None:
        name = config_table.ALIASES.get(given, given)
        if name in SETTINGS:
            self._values[name] = SETTINGS[name].parse(value)
        elif name in config_table.NOT_HERE:
            raise StreamsConfigError(f"{name} is Java's: {config_table.NOT_HERE[name]}")
        elif name in config_table.WITHOUT_EFFECT or name.startswith("client.tag."):
            self._values[name] = value
        elif (prop := client_property(name)) is not None:
            self._values[prop] = value
        elif name.startswith("topic."):
            self._values[name] = value
        else:
            raise StreamsConfigError(_describe_unknown(given))

    def _check(self) -> None:
        if not self._values.get("application.id"):
            raise StreamsConfigError(
                "application.id is missing: it names the group, the internal topics and the state"
            )
        if not _APPLICATION_ID.fullmatch(self.application_id) or self.application_id in (".", ".."):
            raise StreamsConfigError(
                "application.id begins the names of topics, so it has ASCII letters, digits, "
                f"'.', '_' and '-' alone, and is not '.' or '..': {self.application_id!r}"
            )
        if all(name in self._values for name in _WHERE):
            raise StreamsConfigError(
                "log.dir and bootstrap.servers are both set: is it the folder or the cluster?"
            )
        if self.is_exactly_once and "producer.transactional.id" in self._values:
            raise StreamsConfigError(
                "producer.transactional.id: with exactly_once_v2 each thread has one of its own"
            )

    def __getitem__(self, name: str) -> Any:
        name = config_table.ALIASES.get(name, name)
        if name in self._values:
            return self._values[name]
        if name == "state.dir":
            return self._default_state_dir()
        if name == "commit.interval.ms" and self.is_exactly_once:
            return _EXACTLY_ONCE_COMMIT_INTERVAL_MS
        if name in SETTINGS:
            return SETTINGS[name].default
        if name in _WHERE:
            return None
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        """Return whether the property was set."""
        return isinstance(name, str) and config_table.ALIASES.get(name, name) in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = {
            name: "[hidden]" if _is_secret(name) else value for name, value in self._values.items()
        }
        return f"StreamsConfig({shown!r})"

    # ---- what is asked for often ----------------------------------------------------------------

    @property
    def application_id(self) -> str:
        """`application.id`."""
        return str(self._values["application.id"])

    @property
    def is_exactly_once(self) -> bool:
        """Whether `processing.guarantee` is exactly_once_v2."""
        return self._values.get("processing.guarantee") == EXACTLY_ONCE_V2

    @property
    def is_on_cluster(self) -> bool:
        """Whether it runs on a cluster, not on a folder."""
        return "bootstrap.servers" in self._values

    @property
    def default_key_serde(self) -> "Serde | None":
        """`default.key.serde`, None where it is not set."""
        serde: Serde | None = self["default.key.serde"]
        return serde

    @property
    def default_value_serde(self) -> "Serde | None":
        """`default.value.serde`, None where it is not set."""
        serde: Serde | None = self["default.value.serde"]
        return serde

    @property
    def optimizations(self) -> frozenset[str]:
        """What `topology.optimization` asks for, `all` spelled out."""
        chosen: frozenset[str] = self["topology.optimization"]
        return chosen

    def key_serde_for(self, serde: "Serde | None") -> "Serde":
        """The serde of a key: the one that was said, else the default, else text.

        Args:
            serde: what the program said for it, None for nothing.
        """
        if serde is not None:
            return serde.resolve(self)
        return self.default_key_serde or serdes.assumed_string

    def value_serde_for(self, serde: "Serde | None", where: str) -> "Serde":
        """The serde of a value: the one that was said, else the default.

        Args:
            serde: what the program said for it, None for nothing.
            where: what it is for, for the error.

        Raises:
            StreamsConfigError: nothing was said and there is no default.
        """
        default = self.default_value_serde
        if serde is not None:
            return serde.resolve(self)
        if default is None:
            raise StreamsConfigError(
                f"{where}: no serde of the values was said: say value_serde=, or "
                "default.value.serde in the configuration"
            )
        return default

    # ---- the clients ----------------------------------------------------------------------------

    def client_config(self, kind: str) -> dict[str, Any]:
        """The configuration of a client, as a plain dict.

        Args:
            kind: "main.consumer", "restore.consumer", "global.consumer", "producer" or "admin".
        """
        return client_config(self, kind)

    def topic_config(self) -> dict[str, str]:
        """What was set with `topic.`, for internal topics, without the prefix."""
        return {
            name.removeprefix("topic."): str(value)
            for name, value in self._values.items()
            if name.startswith("topic.") and name not in PROPERTIES
        }

    def _default_state_dir(self) -> str:
        if self.is_on_cluster:
            return os.path.join(tempfile.gettempdir(), "pylog-streams")
        folder = self._values.get("log.dir") or os.environ.get("PYLOG_DIR") or "pylog-data"
        # Beside the log: a broker that takes the folder over stops at folders it does not know.
        return os.path.abspath(os.fspath(folder)) + "-streams"


def _is_secret(name: str) -> bool:
    for prefix in config_table.CLIENT_PREFIXES:
        name = name.removeprefix(prefix)
    prop = PROPERTIES.get(CLIENT_ALIASES.get(name, name))
    return prop is not None and prop.is_secret


def _describe_unknown(name: str) -> str:
    known = [*SETTINGS, *config_table.ALIASES, *PROPERTIES, *CLIENT_ALIASES]
    for prefix in config_table.CLIENT_PREFIXES:
        if name.startswith(prefix):
            known = [prefix + client for client in PROPERTIES]
            break
    spelled = name.strip().lower().replace("_", ".")
    near = difflib.get_close_matches(spelled, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no property {name!r}{hint}"
