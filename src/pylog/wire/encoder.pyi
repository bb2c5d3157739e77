from pylog.wire.fields import Buffer, Message
from pylog.wire.plan import Plan

def encode(plan: Plan, message: Message) -> list[Buffer]: ...
