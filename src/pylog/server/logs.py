"""Logs: one line an event, as text or as JSON.

    {"time": "2026-11-29T14:07:11.204Z", "level": "WARNING", "client": "10.0.0.7", "user": "alice",
     "logger": "pylog.server.authentication", "message": "authentication of 10.0.0.7 failed: ..."}

What an event carries beside its text (logging's `extra`) is a field of its own. Loggers:
pylog.server, pylog.server.authentication, pylog.server.authorizer.
"""

import json
import logging
import time

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Writes an event as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def configure(*, as_json: bool, level: str) -> None:
    """Let events of a level and above go to stderr.

    Raises:
        ValueError: there is no such level.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(TEXT_FORMAT))
    logging.basicConfig(handlers=[handler], level=level.upper())
