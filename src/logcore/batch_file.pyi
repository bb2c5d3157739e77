from typing import final

@final
class BatchFile:
    path: str
    position: int
    end_position: int

    def __init__(self, path: str, end_position: int | None = None) -> None: ...
