from typing import Any

from pylog.wire.fields import Buffer
from pylog.wire.plan import Plan

# The class that the plan is of.
def decode(plan: Plan, data: Buffer) -> Any: ...
