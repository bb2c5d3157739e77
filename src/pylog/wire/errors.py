"""WireError: the one error of the wire protocol."""


class WireError(ValueError):
    """Bytes that are no message, or a message that its version cannot carry.

    Attributes:
        reason: what is wrong, with the numbers found and expected.
        where: the field, as a path: `topic_data[0].name`; empty outside of fields.
        position: byte of the frame at which it was found; -1 when a message was being written.
        message_name: of the message and its version, empty for a frame or a header.
    """

    def __init__(
        self, reason: str, where: str = "", position: int = -1, message_name: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where
        self.position = position
        self.message_name = message_name

    def __str__(self) -> str:
        place = " ".join(part for part in (self.message_name, self.where) if part)
        at = f" at byte {self.position}" if self.position >= 0 else ""
        return f"{place}{at}: {self.reason}".lstrip(": ")
