from typing import final

from pylog.wire.shape import Shape

_Field = tuple[str, str | Plan, bool, bool, bool, int, object]

@final
class Plan:
    label: str
    least: int
    def __init__(
        self,
        shape: Shape,
        label: str,
        is_flexible: bool,
        present: list[_Field],
        tagged: list[_Field],
        absent: list[_Field],
    ) -> None: ...
