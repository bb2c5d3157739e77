from typing import final

from logcore.log import Log
from logcore.producer_snapshots import ProducerInfo

DEFAULT_EXPIRATION_MS: int

@final
class Producers:
    def describe(self, log: Log) -> tuple[list[ProducerInfo], int]: ...

def rebuild_producers(
    folder: str,
    bases: list[int],
    commit: dict[str, int],
    durable_offset: int,
    *,
    is_writable: bool,
) -> None: ...
