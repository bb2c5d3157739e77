from typing import final

@final
class Timeline: ...
