"""In place of kafka-python's own, which its sdist lacks: a broker that somebody else runs."""


class ExternalService:
    """A broker that is there."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    def stop(self) -> None:
        """Leave it running."""


class SpawnedService:
    """A broker that a test starts: none can."""
