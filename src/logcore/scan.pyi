import os
from typing import Any, Final

from logcore.batch import STATUS_TEXT as STATUS_TEXT

WRONG_OFFSET: Final = 100
WRONG_EPOCH: Final = 101
INCOMPLETE_TEXT: Final[str]

def scan_segment(
    path: str | os.PathLike[str],
    base_offset: int,
    commit: dict[str, int],
    allows_gaps: bool = False,
) -> dict[str, Any]: ...
def search_batch(
    path: str | os.PathLike[str], position: int, least_offset: int
) -> tuple[int | None, bool]: ...
