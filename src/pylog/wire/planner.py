"""From the fields of a class to the plan that the codec walks, one for each version asked for."""

from pylog.wire.errors import WireError
from pylog.wire.fields import Field, MessageType, Versions
from pylog.wire.plan import Plan

_PlanField = tuple[str, "str | Plan", bool, bool, bool, int, object]

_plans: dict[tuple[MessageType, int], Plan] = {}


def plan_of(message: MessageType, version: int) -> Plan:
    """Return the plan of a message's class at a version, made when first asked for.

    Raises:
        WireError: the message has no such version.
    """
    plan = _plans.get((message, version))
    if plan is None:
        layout = message.layout
        if version not in layout.versions:
            first, last = layout.versions.first, layout.versions.last
            raise WireError(f"{message.__name__} has versions {first} to {last}, not {version}")
        label = f"{message.__name__} v{version}"
        plan = _make_plan(message, version, label, layout.flexible)
        _plans[message, version] = plan
    return plan


def _make_plan(struct: MessageType, version: int, label: str, flexible: Versions) -> Plan:
    present: list[_PlanField] = []
    tagged: list[_PlanField] = []
    absent: list[_PlanField] = []
    for name, field in struct.layout.fields.items():
        if version not in field.versions:
            # Not looked at by the codec but for its default: any kind does.
            absent.append((name, "int8", False, False, field.is_ignorable, 0, field.default))
            continue
        is_tagged = version in field.tagged
        (tagged if is_tagged else present).append(
            _plan_field(name, field, version, label, flexible)
        )
    tagged.sort(key=lambda field: field[5])
    is_flexible = version in flexible
    return Plan(struct.layout.shape, label, is_flexible, present, tagged, absent)


def _plan_field(
    name: str, field: Field, version: int, label: str, flexible: Versions
) -> _PlanField:
    kind = field.kind
    if isinstance(kind, MessageType):
        kind = _make_plan(kind, version, label, flexible)
    is_nullable = version in field.nullable
    return name, kind, field.is_array, is_nullable, field.is_ignorable, field.tag, field.default
