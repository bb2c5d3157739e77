"""Whether this application is being upgraded from a release that understands less.

Source: Kafka Streams' UpgradeFromValues.
"""

from collections.abc import Mapping
from typing import Any


def is_upgrading_from(config: Mapping[str, Any], last_release: tuple[int, int]) -> bool:
    """Whether instances of a release up to this one take part still.

    Args:
        config: `upgrade.from` names the release, such as "3.4" or "0.10.2".
        last_release: the last one that counts.
    """
    upgrade_from = config.get("upgrade.from")
    if not upgrade_from:
        return False
    release = tuple(int(part) for part in str(upgrade_from).split("."))
    return release[:2] <= last_release
