from typing import final

from logcore.config import LogConfig

@final
class SegmentWriter:
    def configure(self, config: LogConfig, roll_jitter_ms: int) -> None: ...
