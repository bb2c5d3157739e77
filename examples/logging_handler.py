"""A logging.Handler that writes to a topic.

Any number of processes may log into the same folder; each line is one append, whole or not there.
With acks=1, the default here, a line survives the death of its process at once and a power cut
after a second at most; "all" waits for the disk with each line.

    python examples/logging_handler.py FOLDER       # logs three lines, then prints the topic
"""

import json
import logging
import sys

import pylog


class TopicHandler(logging.Handler):
    """Writes each log record as JSON; the logger's name is the key, so its lines keep their order.

    Args:
        folder: of the log.
        topic: made when there is none.
        acks: 1 or "all".
        level: as every Handler.
    """

    def __init__(
        self,
        folder: str,
        topic: str = "logs",
        acks: int | str = 1,
        level: int = logging.NOTSET,
    ) -> None:
        super().__init__(level)
        self._log = pylog.open(folder, acks=acks)
        self._topic = self._log.topic(topic)

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        """Leave out what pylog says of its own files: its trouble would come back as new lines."""
        return not record.name.startswith("pylog.") and super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record; trouble goes to `handleError`, as with every Handler."""
        try:
            line = {
                "level": record.levelname,
                "message": record.getMessage(),
                "process": record.process,
                "thread": record.threadName,
            }
            if record.exc_info:
                line["exception"] = logging.Formatter().formatException(record.exc_info)
            self._topic.append(
                json.dumps(line, default=str),
                key=record.name,
                headers={"level": record.levelname},
                timestamp_ms=int(record.created * 1000),
            )
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Give up the folder; what was logged is durable then."""
        self._log.close()
        super().close()


def main(folder: str) -> None:
    """Log three lines and print the topic."""
    handler = TopicHandler(folder)
    logger = logging.getLogger("shop.checkout")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("order %d was placed", 17)
    logger.warning("card of order %d was declined", 17)
    try:
        raise ValueError("no such voucher")
    except ValueError:
        logger.exception("order %d failed", 18)
    logger.removeHandler(handler)
    handler.close()

    with pylog.open(folder) as log:
        for message in log.topic("logs").read():
            line = json.loads(message.value())
            print(message.offset(), message.key().decode(), line["level"], line["message"])


if __name__ == "__main__":
    main(sys.argv[1])
