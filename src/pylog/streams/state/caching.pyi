from typing import final

from pylog.streams.state.cache import CacheEntry
from pylog.streams.state.cursor import Cursor

@final
class CachingLayer: ...

@final
class EntriesCursor(Cursor):
    def __init__(self, entries: list[CacheEntry], is_reverse: bool) -> None: ...
