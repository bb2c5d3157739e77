from typing import final

from pylog.streams.state.cursor import Cursor

@final
class MergedCursor(Cursor): ...
