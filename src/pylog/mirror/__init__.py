"""Copies topics from a folder to a cluster and back, or from one folder to another.

Keys, values, headers, timestamps and partitions stay; offsets move, and how they belong together
is recorded at the target (offset_syncs.py). That record, and nothing else, says where a mirror
goes on. So it may be killed at any moment: into a folder every record comes once, because it is
appended at
an expected offset (folder_target.py); into a cluster data and record are one transaction
(cluster_target.py).

    Mirror(Place.parse("pylog-data"), Place.parse("kafka1:9092"), ["orders", "^clicks.*"]).run()
"""

from pylog.mirror.places import Place
from pylog.mirror.run import Mirror

__all__ = ["Mirror", "Place"]
