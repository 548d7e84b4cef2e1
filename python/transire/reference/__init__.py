"""The reference: a second implementation of `docs/`, written to be read.

It follows the documentation and shares nothing with the compiled part: declarations of the layout in `construct`, the
checks one behind the other as the text numbers them, and a plain judge. It is slow, holds everything in memory, and
knows fewer vendors. Where it and the compiled part differ, one of them is wrong, or the text is.

`construct` is not a dependency of the package; whoever runs the reference installs it.

>>> from transire import reference
>>> reading = reference.read(b"TRANS")
>>> reading.outcome.name, reading.error.id, reading.error.offset
('TRUNCATED', 'magic.truncated', 5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transire.reference import attributes, sealed
from transire.reference.judge import judge
from transire.reference.target import Target, parse
from transire.reference.vendors import FORMATS, VENDORS
from transire.reference.verdict import Like, Outcome, Reading, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = 64
"""Bytes that are looked at to tell formats apart."""

__all__ = ["Outcome", "Reading", "Reason", "Target", "read"]


def read(
    data: bytes,
    target: Mapping[str, Any] | None = None,
    now: int | None = None,
    *,
    format: str | None = None,  # noqa: A002  # what everything else here calls it
) -> Reading:
    """What a file of these bytes comes to: a profile, a sealed stream or a native one, before a target as its TOML file
    says it, or before none. `now` in seconds since 1970, for assertions that end; `format` as for `transire verify`.
    """
    known = [*attributes.COMMON, *(VENDORS[target["vendor"]].attributes if target else ())]
    parsed = parse(target, known) if target else None
    if format is not None:
        name, _, options = format.partition(":")
        return _native(name, data, parsed, now, dict(pair.split("=") for pair in options.split(",") if pair))
    head = data[:PREFIX]
    likeness = {name: row.like(head, len(data) <= PREFIX) for name, row in FORMATS.items()}
    for name, like in likeness.items():
        if like is Like.CERTAIN and FORMATS[name].of_target:
            reason = Reason("format.describes-target", Outcome.UNRECOGNIZED, 0)
            return Reading(reason.outcome, [reason], error=reason)
        if like is Like.CERTAIN:
            return _native(name, data, parsed, now, {})
    if data[:8] == sealed.MAGIC:
        return sealed.read(data, parsed, now)
    streams = {name: row for name, row in FORMATS.items() if not row.of_target}
    own = [name for name, row in streams.items() if parsed is None or row.vendor == parsed.vendor]
    possible = [name for name in own if likeness[name] is Like.POSSIBLE]
    if not possible and parsed is not None:
        possible = [name for name in own if likeness[name] is Like.OPAQUE]
    if len(possible) == 1:
        return _native(possible[0], data, parsed, now, {})
    if possible:
        reading = Reading()
        for _ in possible:
            reading.find(Reason("format.candidate", Outcome.COMPATIBLE, 0))
        reading.error = Reason("format.ambiguous", Outcome.UNRECOGNIZED, 0)
        reading.find(reading.error)
        return reading
    if sealed.MAGIC.startswith(data) or Like.SHORT in likeness.values():
        reason = Reason("magic.truncated", Outcome.TRUNCATED, len(head))
        return Reading(reason.outcome, [reason], error=reason)
    return sealed.read(data, parsed, now)


def _native(name: str, data: bytes, target: Target | None, now: int | None, chosen: Mapping[str, str]) -> Reading:
    """A native stream by the strict standard."""
    row = FORMATS[name]
    reading = Reading(ended=True, payload=data)
    own = target is not None and target.vendor == row.vendor and not row.of_target
    if target and target.sealed:
        reading.find(Reason("requires.sealed", Outcome.INCOMPATIBLE))
    if target and target.vendor != row.vendor:
        reading.find(Reason("format.not-of-target", Outcome.INCOMPATIBLE, 0))
    seen = set()
    for finding in row.read(data, True, {**(row.settle(target.attributes) if target and own else {}), **chosen}):
        if isinstance(finding, Reason):
            reading.find(finding)
            if finding.outcome != Outcome.COMPATIBLE:
                reading.error, reading.ended = finding, False
            continue
        reading.attributes = {name: stated for name, stated in finding.items() if stated.value.type}
        for reason, rule in judge(finding, target, VENDORS[row.vendor], now) if target and own else ():
            if (reason.id, rule) not in seen:
                seen.add((reason.id, rule))
                reading.find(reason)
    if row.of_target and reading.ended:
        # Behind faults of its own: it is what a target says of itself.
        reading.error, reading.ended = Reason("format.describes-target", Outcome.UNRECOGNIZED, 0), False
        reading.find(reading.error)
    return reading
