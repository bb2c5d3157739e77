from typing import final

@final
class Flusher: ...
