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
from transire.reference.verdict import Outcome, Reading, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Outcome", "Reading", "Reason", "Target", "read"]


def read(data: bytes, target: Mapping[str, Any] | None = None, now: int | None = None) -> Reading:
    """What a file of these bytes comes to: a profile, a sealed stream or a native one, before a target as its TOML file
    says it, or before none. `now` in seconds since 1970, for assertions that end.
    """
    known = [*attributes.COMMON, *(VENDORS[target["vendor"]].attributes if target else ())]
    parsed = parse(target, known) if target else None
    beginnings = [sealed.MAGIC, *(row.magic for row in FORMATS.values())]
    if len(data) < 8 and any(data == magic[: len(data)] for magic in beginnings):
        reason = Reason("magic.truncated", Outcome.TRUNCATED, len(data))
        return Reading(reason.outcome, [reason], error=reason)
    for name, row in FORMATS.items():
        if data[: len(row.magic)] == row.magic:
            return _native(name, data, parsed, now)
    return sealed.read(data, parsed, now)


def _native(name: str, data: bytes, target: Target | None, now: int | None) -> Reading:
    """A native stream by the strict standard."""
    row = FORMATS[name]
    reading = Reading(ended=True, payload=data)
    if target and target.sealed:
        reading.find(Reason("requires.sealed", Outcome.INCOMPATIBLE))
    for finding in row.read(data, True):
        if isinstance(finding, Reason):
            reading.find(finding)
            if finding.outcome != Outcome.COMPATIBLE:
                reading.error, reading.ended = finding, False
            continue
        reading.attributes = finding
        if target and target.vendor == row.vendor:
            for reason, _ in judge(finding, target, VENDORS[row.vendor], now):
                reading.find(reason)
        elif target:
            reading.find(Reason("format.not-of-target", Outcome.INCOMPATIBLE, 0))
    return reading
