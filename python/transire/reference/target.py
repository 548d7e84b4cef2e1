"""A target as its file says it. `docs/targets.md`; keys and values are those of TOML or JSON.

A target is taken to be free of errors of usage: nothing here checks for them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from transire.reference import attributes as a
from transire.reference.attributes import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from transire.reference.attributes import Known


class Accept(NamedTuple):
    """A rule of the target's own. `operand` is what it names in place of the target's value."""

    rule: str
    operand: Value | tuple[Value, ...] | None
    newer: int
    scope: tuple[Any, Any] | None
    """Versions of the target's driver: the oldest, and the newest or None."""


class Settable(NamedTuple):
    """What can be set: numbers from the first to the second of `range`, or one of `values`, or whatever is asked."""

    range: tuple[int, int] | None
    values: tuple[Value, ...] | None


class Assertion(NamedTuple):
    """What an administrator vouches for: a pair of values, None for a side that does not say. `until` in seconds."""

    attribute: str
    source: Value | None
    target: Value | None
    until: int | None


class Target(NamedTuple):
    """A device and the terms on which a stream is loaded into it."""

    vendor: str
    attributes: dict[str, Value]
    accepts: dict[str, Accept]
    settable: dict[str, Settable]
    assertions: tuple[Assertion, ...]
    sealed: bool
    digest: str | None


def parse(said: Mapping[str, Any], known: Iterable[Known]) -> Target:
    """The target that a file says, with the tables that name its attributes."""
    types = {row.name: row.type for row in known}
    attributes = {name: _value(types.get(name), value) for name, value in said.get("attributes", {}).items()}
    for name, value in attributes.items():
        types.setdefault(name, value.type)
    requires = said.get("requires") or {}
    return Target(
        said["vendor"],
        attributes,
        {name: _accept(types.get(name), accept) for name, accept in (said.get("accepts") or {}).items()},
        {name: _settable(types.get(name), settable) for name, settable in (said.get("settable") or {}).items()},
        tuple(_assertion(types, assertion) for assertion in said.get("assertions") or ()),
        bool(requires.get("sealed")) or "digest" in requires,
        requires.get("digest"),
    )


def _accept(kind: int | None, said: Mapping[str, Any]) -> Accept:
    operand: Value | tuple[Value, ...] | None = None
    if "values" in said:
        operand = tuple(_value(kind, value) for value in said["values"])
    elif "range" in said:
        operand = _value(a.RANGE, said["range"])
    elif "value" in said:
        operand = _value(kind, said["value"])
    scope = said.get("driver_version")
    if scope is not None:
        oldest, newest = (scope, None) if isinstance(scope, str) else scope
        scope = (_version(oldest), newest and _version(newest))
    return Accept(said["rule"], operand, said.get("newer", 0), scope)


def _settable(kind: int | None, said: Mapping[str, Any]) -> Settable:
    values = said.get("values")
    return Settable(
        tuple(said["range"]) if "range" in said else None,
        None if values is None else tuple(_value(kind, value) for value in values),
    )


def _assertion(types: Mapping[str, int], said: Mapping[str, Any]) -> Assertion:
    kind = types.get(said["attribute"])
    source, target = (_value(kind, said[side]) if side in said else None for side in ("source", "target"))
    until = said.get("until")
    if isinstance(until, str):
        # The last day counts, whole.
        day = datetime.fromisoformat(until).replace(hour=23, minute=59, second=59, tzinfo=UTC)
        until = int(day.timestamp())
    return Assertion(said["attribute"], source, target, until)


def _value(kind: int | None, said: Any) -> Value:
    """A value as the table "Attributes" of the guide has it written."""
    if isinstance(said, dict) and said.get("unknown") is True:
        return Value(a.UNKNOWN, None)
    if isinstance(said, dict) and "type" in said:
        return _value(NAMES[said["type"]], said["value"])
    plain: Any = said
    match kind:
        case a.UINT | a.MASK if isinstance(said, str):
            plain = int(said, 0)
        case a.BYTES if isinstance(said, str):
            plain = bytes.fromhex(said)
        case a.VERSION:
            plain = _version(said)
        case a.RANGE:
            plain = (_value(a.UINT, said[0]).plain, _value(a.UINT, said[1]).plain)
        case a.SET:
            members = said["values"] if isinstance(said, dict) else said
            member = NAMES[said["members"]] if isinstance(said, dict) else None
            kinds = [member or (a.TEXT if isinstance(one, str) else a.UINT) for one in members]
            plain = frozenset(_value(kind, one) for kind, one in zip(kinds, members, strict=True))
        case a.RATIO:
            plain = Fraction(said)
        case a.PCI_ID:
            vendor, _, device = said.partition(":")
            plain = (int(vendor, 16), int(device, 16))
    return Value(kind or a.TEXT, plain)


def _version(said: str) -> tuple[int, int, int]:
    major, minor, patch = ([int(number) for number in said.split(".")] + [0, 0])[:3]
    return major, minor, patch


NAMES = {
    "bool": a.BOOL,
    "uint": a.UINT,
    "text": a.TEXT,
    "bytes": a.BYTES,
    "version": a.VERSION,
    "range": a.RANGE,
    "mask": a.MASK,
    "set": a.SET,
    "ratio": a.RATIO,
    "pci_id": a.PCI_ID,
    "map": a.MAP,
    "unknown": a.UNKNOWN,
}
"""What the types are called."""
