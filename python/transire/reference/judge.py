"""The rules: what a target says to what a source states. `docs/targets.md`, from "What the rules do" on."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from transire.reference.target import Accept, Settable, Target


class Absent(Enum):
    """What follows when a side lacks the attribute, where it has no default."""

    IGNORE = "nothing"
    NOTE = "absent"
    WANT = "not-in-profile"
    INSIST = "missing"
    ASK = "needs-assertion"


class Rule(NamedTuple):
    """A row of a vendor's table. A side that lacks the attribute has the default, where `source` or `target` is one."""

    attribute: str
    compare: str
    source: Absent | Value = Absent.WANT
    target: Absent | Value = Absent.WANT
    driver: bool = False
    """The kernel driver itself makes this check."""
    constant: Any = None
    """The value of `is`, the pairs of `not-pair`."""
    ask: bool = False
    """A pair that does not compare is left to an administrator."""
    of_target: str = ""
    """The target's attribute, where it is another one."""


class Vendor(NamedTuple):
    """What belongs to one vendor."""

    attributes: tuple[Known, ...]
    rules: tuple[Rule, ...]
    derive: Callable[[Mapping[str, Value]], dict[str, Value]]
    """The values of attributes that are not there and follow from others."""
    contradiction: Callable[[Mapping[str, Value]], str | None]
    """The second of two attributes that cannot both be true."""
    possible: Callable[[Mapping[str, Value]], bool]
    """Whether there is a device with these attributes."""


def judge(
    source: Mapping[str, Stated], target: Target, vendor: Vendor, now: int | None
) -> Iterator[tuple[Reason, str]]:
    """Every finding, with the name of its rule. `now` in seconds since 1970, or None where the time is not known."""
    derived = vendor.derive({name: stated.value for name, stated in source.items()})
    # What only follows from others has no offset.
    known = {name: Stated(value, None) for name, value in derived.items()} | dict(source)
    named = {name for rule in vendor.rules for name in (rule.attribute, rule.of_target)}
    for rule in (*vendor.rules, *(Rule(name, "ignore") for name in sorted(target.accepts) if name not in named)):
        for reason in _ask(rule, known, target, vendor, now):
            yield reason, rule.attribute


def _ask(rule: Rule, source: Mapping[str, Stated], target: Target, vendor: Vendor, now: int | None) -> Iterator[Reason]:
    name, of_target, comparison = rule.attribute, rule.of_target or rule.attribute, rule.compare
    operand, newer, ask = None, 0, rule.ask
    device = vendor.derive(target.attributes) | target.attributes
    accept = target.accepts.get(name) or target.accepts.get(of_target)
    if accept and _in_scope(accept, rule.driver, device.get("driver_version")):
        yield Reason(f"{name}.accepted-by-target", Outcome.COMPATIBLE)
        comparison, operand, newer, ask = accept.rule, accept.operand, accept.newer, False
    elif accept:
        yield Reason(f"{name}.accept-out-of-scope", Outcome.COMPATIBLE)
    if comparison == "ignore":
        return
    one, offset = source.get(name) or (None, None)
    other: Value | None = device.get(of_target)
    one = rule.source if one is None and isinstance(rule.source, Value) else one
    other = rule.target if other is None and isinstance(rule.target, Value) else other
    sides = [(one, rule.source)] if operand is not None else [(one, rule.source), (other, rule.target)]
    lacking = [(value, absent) for value, absent in sides if _lacks(value)]
    if any(absent == Absent.ASK for _, absent in lacking):
        yield from _ask_administrator(name, one, other, None, target, now)
    elif not any(absent == Absent.IGNORE for _, absent in lacking):
        # Once, where both sides lack it in the same way.
        yield from sorted({_lacking(name, value, absent) for value, absent in lacking})
    if lacking:
        return

    assert one is not None
    if compare(comparison, one, other if operand is None else operand, newer, rule.constant):
        return
    if (
        operand is None
        and of_target in target.settable
        and _settable(one, target.settable[of_target])
        and vendor.possible(target.attributes | {of_target: one})
        and compare(comparison, one, one, newer, rule.constant)
    ):
        yield Reason(f"{name}.set", Outcome.FIXABLE, offset, set=one)
    elif ask:
        yield from _ask_administrator(name, one, other, offset, target, now)
    else:
        yield Reason(f"{name}.{MISMATCH[comparison]}", Outcome.INCOMPATIBLE, offset)


def _in_scope(accept: Accept, driver: bool, version: Any) -> bool:
    if accept.scope is None:
        return not driver
    oldest, newest = accept.scope
    known = version is not None and version.type == a.VERSION
    return known and oldest <= version.plain and (newest is None or version.plain <= newest)


def _lacks(value: Value | None) -> bool:
    return value is None or value.type == a.UNKNOWN


def _lacking(name: str, value: Value | None, absent: Absent | Value) -> Reason:
    """What follows from one side that lacks a value."""
    if absent == Absent.NOTE:
        return Reason(f"{name}.absent", Outcome.COMPATIBLE)
    if value is not None:
        return Reason(f"{name}.not-reported-yet", Outcome.UNKNOWN)
    if absent == Absent.INSIST:
        return Reason(f"{name}.missing", Outcome.INCOMPATIBLE)
    return Reason(f"{name}.not-in-profile", Outcome.UNKNOWN)


def _settable(value: Value, settable: Settable) -> bool:
    if settable.range is not None:
        return value.type == a.UINT and settable.range[0] <= value.plain <= settable.range[1]
    return settable.values is None or value in settable.values


def _ask_administrator(
    name: str, one: Value | None, other: Value | None, offset: int | None, target: Target, now: int | None
) -> Iterator[Reason]:
    pair = tuple(None if _lacks(value) else value for value in (one, other))
    matching = [found for found in target.assertions if (found.attribute, found.source, found.target) == (name, *pair)]
    if any(found.until is None or (now is not None and now <= found.until) for found in matching):
        yield Reason(f"{name}.asserted", Outcome.COMPATIBLE)
        return
    if matching:
        yield Reason(f"{name}.assertion-expired", Outcome.COMPATIBLE)
    yield Reason(f"{name}.needs-assertion", Outcome.UNKNOWN, offset)


MISMATCH = {
    "equal": "not-equal",
    "one-of": "not-one-of",
    "in-range": "not-in-range",
    "subset": "not-subset",
    "at-least": "not-at-least",
    "version": "version",
    "branch": "branch",
    "is": "not-is",
    "not-pair": "excluded-pair",
}
"""What a comparison that does not hold is called."""


def compare(comparison: str, source: Value, target: Any, newer: int, constant: Any) -> bool:
    """Whether the source's value goes with the target's."""
    if comparison == "one-of":
        # Several values that the rule names, or the members of the target's own set.
        return source in (target if not isinstance(target, Value) else target.plain if target.type == a.SET else ())
    x, y = source.plain, target.plain
    match comparison:
        case "equal":
            return bool(source == target)
        case "is":
            return bool(source == target == constant)
        case "not-pair":
            return (source, target) not in constant
        case "in-range":
            low, high = x if source.type == a.RANGE else (x, x)
            return target.type == a.RANGE and bool(y[0] <= low and high <= y[1])
        case "subset" if source.type == a.MASK:
            return not x & ~y
        case "subset":
            return bool(x.items() <= y.items() if source.type == a.MAP else x <= y)
        case "at-least":
            return bool(y >= x)
        case "version":
            return bool(x[0] == y[0] and y[1] >= x[1])
        case "branch":
            return bool(0 <= y[0] - x[0] <= newer)
    raise ValueError(comparison)
