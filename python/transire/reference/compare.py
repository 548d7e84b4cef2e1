"""The comparisons that every vendor has. `docs/targets.md`, the table of "What the rules do"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from transire.reference import attributes as a
from transire.reference.attributes import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transire.reference.target import Target


class Both(NamedTuple):
    """The two sides whole, for comparisons that look at more than one attribute of each."""

    source: Mapping[str, Value]
    device: Mapping[str, Value]
    target: Target
    replaced: frozenset[str]
    """The attributes of the source about which a rule of the target's own is in force in place of the vendor's."""


class Finding(NamedTuple):
    """What a comparison comes to: it holds if nothing is the mismatch."""

    mismatch: str = ""
    """The reason id behind the name of the attribute."""
    notes: tuple[str, ...] = ()
    """Behind the name of the attribute, too."""
    ask: bool = False
    """It is left to an administrator."""
    set: Value | None = None
    """What to set, where the comparison itself finds it."""
    of: str = ""
    """The attribute that it is about, where that is another one."""


HOLDS = Finding()
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
    if comparison in ("subset", "at-least", "version", "branch") and source.type != target.type:
        return False
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


def has(device: Mapping[str, Value], name: str) -> bool:
    """Whether a side says it, and not only that it exists."""
    return name in device and device[name].type != a.UNKNOWN


def plain(device: Mapping[str, Value], name: str) -> Any:
    """The plain value, or None where a side does not say it or only that it exists."""
    return device[name].plain if name in device else None
