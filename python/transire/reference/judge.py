"""The rules: what a target says to what a source states. `docs/targets.md`, from "What the rules do" on."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.compare import MISMATCH, Both, Finding, compare
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
    compare: str | Callable[[Value, Value, Both], Finding]
    """One of the guide's comparisons, or the vendor's own."""
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
    when: Callable[[Both], bool] = lambda _: True
    """Whether the row is for this pair at all. A rule of the target's own is asked in any case."""


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
    lacking = {name: stated for name, stated in source.items() if not stated.value.type}
    source = {name: stated for name, stated in source.items() if stated.value.type}
    derived = vendor.derive({name: stated.value for name, stated in source.items()})
    known = {name: Stated(value, None) for name, value in derived.items()} | dict(source)  # what follows has no place
    device = vendor.derive(target.attributes) | target.attributes
    version = device.get("driver_version")
    replaced = frozenset(rule.attribute for rule in vendor.rules if _in_force(rule, target, version))
    both = Both({name: stated.value for name, stated in known.items()}, device, target, replaced)
    named = {name for rule in vendor.rules for name in (rule.attribute, rule.of_target)}
    noted, asked = set[str](), set[str]()
    for rule in (*vendor.rules, *(Rule(name, "ignore") for name in sorted(target.accepts) if name not in named)):
        name = rule.attribute
        meant = _in_force(rule, target, version)
        own = target.accepts[meant[0]] if meant else None
        for one in (one for one in _named(rule, target) if one not in noted):
            note = "accepted-by-target" if one in meant else "accept-out-of-scope"
            yield Reason(f"{one}.{note}", Outcome.COMPATIBLE), name
        noted.update(_named(rule, target))
        # A rule of the target's own is asked once, however many rows it stands for.
        is_asked = not asked.intersection(meant[:1]) if own else rule.when(both)
        asked.update(meant[:1])
        if not is_asked or lacking.get(name) == a.AWAITED or (own.rule if own else rule.compare) == "ignore":
            continue
        if lacking.get(name) == a.UNSAID and rule.source == Absent.WANT:
            yield Reason(f"{name}.absent", Outcome.COMPATIBLE), name
        else:
            yield from ((reason, name) for reason in _ask(rule, own, known, both, vendor, now))


def _ask(
    rule: Rule, accept: Accept | None, source: Mapping[str, Stated], both: Both, vendor: Vendor, now: int | None
) -> Iterator[Reason]:
    name, of_target, target = rule.attribute, rule.of_target or rule.attribute, both.target
    comparison, operand, newer, ask = rule.compare, None, 0, rule.ask
    if accept:
        comparison, operand, newer, ask = accept.rule, accept.operand, accept.newer, False
    one, offset = source.get(name) or (None, None)
    other: Value | None = both.device.get(of_target)
    one = rule.source if one is None and isinstance(rule.source, Value) else one
    other = rule.target if other is None and isinstance(rule.target, Value) else other
    sides = [(name, one, rule.source), (of_target, other, rule.target)][: 2 if operand is None else 1]
    lacking = [(side, value, absent) for side, value, absent in sides if _lacks(value)]
    if any(absent == Absent.ASK for _, _, absent in lacking):
        yield from _ask_administrator(name, one, other, None, target, now)
    elif not any(absent == Absent.IGNORE for _, _, absent in lacking):
        # Once, where both sides lack it in the same way, or where the source's lack is only noted.
        alone = lacking[:1] if rule.source == Absent.NOTE else lacking
        yield from sorted({_lacking(*side) for side in alone})
    if lacking:
        return

    def holds(other: Any, both: Both) -> Finding:
        assert one is not None
        if not isinstance(comparison, str):
            return comparison(one, other, both)
        good = compare(comparison, one, other, newer, rule.constant)
        return Finding("" if good else MISMATCH[comparison], (), ask)

    assert one is not None
    finding = holds(other if operand is None else operand, both)
    if finding.mismatch and operand is None and of_target in target.settable:
        after = target.attributes | {of_target: one}
        fits = _is_value_of(one, of_target, vendor) and can_be_set(one, target.settable[of_target])
        possible = fits and vendor.possible(after)
        if possible and not holds(one, both._replace(device=vendor.derive(after) | after)).mismatch:
            finding = finding._replace(set=one, of=of_target)
    for note in finding.notes:
        yield Reason(f"{name}.{note}", Outcome.COMPATIBLE, offset)
    if finding.set:
        yield Reason(f"{finding.of}.set", Outcome.FIXABLE, offset, set=finding.set)
    elif finding.ask and finding.mismatch:
        yield from _ask_administrator(name, one, other, offset, target, now)
    elif finding.mismatch:
        unknown = finding.mismatch in ("not-in-profile", "not-reported-yet")
        outcome = Outcome.UNKNOWN if unknown else Outcome.INCOMPATIBLE
        yield Reason(f"{finding.of or name}.{finding.mismatch}", outcome, offset)


def _named(rule: Rule, target: Target) -> list[str]:
    """The names under which the target has rules of its own for a row; first the one that goes before the other."""
    return [name for name in dict.fromkeys((rule.of_target, rule.attribute)) if name in target.accepts]


def _in_force(rule: Rule, target: Target, version: Any) -> list[str]:
    return [name for name in _named(rule, target) if _in_scope(target.accepts[name], rule.driver, version)]


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


def _is_value_of(value: Value, name: str, vendor: Vendor) -> bool:
    """Whether the attribute can have the value at all."""
    known = (row for row in (*a.COMMON, *vendor.attributes) if row.name == name)
    return any(row.type == value.type and (row.limit is None or row.limit(value.plain)) for row in known)


def can_be_set(value: Value, settable: Settable) -> bool:
    """Whether a setting reaches the value."""
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
