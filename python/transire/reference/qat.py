"""qat: virtual functions of Intel QuickAssist accelerators. `docs/vendors/qat.md`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from transire.reference import attributes as a
from transire.reference.attributes import Known, Value
from transire.reference.compare import HOLDS, Both, Finding
from transire.reference.judge import Absent, Rule, Vendor

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTRIBUTES = (
    Known(0x8100, "stream_version", a.UINT),
    Known(0x8101, "capabilities", a.MASK),
    Known(0x8102, "service_map", a.UINT, lambda number: number < 1 << 16),
    Known(0x8103, "extended_compression", a.MASK),
    Known(0x0104, "pfvf_version", a.UINT, lambda number: number < 1 << 8),
    Known(0x8105, "rate_limits", a.MAP),
    Known(0x8106, "ring_banks", a.UINT, lambda number: 1 <= number <= 16),
)
"""What the vendor adds to the common ones."""
PHYSICAL = tuple((0x8086, device) for device in (0x4940, 0x4942, 0x4944, 0x4946, 0x4948))
"""Ids of physical functions, which no target is."""

NO_LIMITS = {"none": "none"}
_KEY = re.compile(r"(asym|sym|dc|decomp) 0x([0-9a-fA-F]+)", re.ASCII)
_RATES = re.compile(r"([0-9]+)/([0-9]+)", re.ASCII)


class Limit(NamedTuple):
    """A rate limit."""

    service: str
    mask: int
    committed: int
    peak: int


def limits(said: Mapping[str, str]) -> list[Limit] | None:
    """The limits, or None if something is written otherwise."""
    found: list[Limit] = []
    for key, value in said.items():
        if (key, value) == ("none", "none"):
            continue
        what, rates = _KEY.fullmatch(key), _RATES.fullmatch(value)
        if what is None or rates is None:
            return None
        limit = Limit(what[1], int(what[2], 16), int(rates[1]), int(rates[2]))
        if limit.mask >> 64 or limit.committed >> 32 or limit.peak >> 32:
            return None
        found.append(limit)
    return found


def _protocol(source: Value, target: Value, _: Both) -> Finding:
    if source.plain == 0:
        return Finding(notes=("absent",))
    return Finding(notes=("newer-than-target",)) if source.plain > target.plain else HOLDS


def _rate_limits(source: Value, target: Value, _: Both) -> Finding:
    asked, there = limits(source.plain), limits(target.plain)
    if asked is None or there is None:
        return Finding("refused")
    alike = [[other for other in there if other[:2] == one[:2]] for one in asked]
    if not all(alike):
        return Finding("not-subset")
    met = (
        any(one.committed <= other.committed and one.peak <= other.peak for other in others)
        for one, others in zip(asked, alike, strict=True)
    )
    return HOLDS if all(met) else Finding("not-at-least")


def _possible(device: Mapping[str, Value]) -> bool:
    said, identity = device.get("rate_limits"), device.get("pci_id")
    sound = said is None or said.plain is None or limits(said.plain) is not None
    return sound and (identity is None or identity.plain not in PHYSICAL)


VFIO_PCI = Value(a.TEXT, "vfio-pci")
ONE, FOUR = Value(a.UINT, 1), Value(a.UINT, 4)
"""What `stream_version` and `ring_banks` are where a profile does not say it."""

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("stream_version", "at-least", ONE, ONE, driver=True),
        Rule("capabilities", "subset", driver=True),
        Rule("service_map", "equal", driver=True),
        Rule("extended_compression", "subset", driver=True),
        Rule("pfvf_version", _protocol, Absent.IGNORE, Absent.IGNORE, driver=True),
        Rule("rate_limits", _rate_limits, Absent.WANT, Value(a.MAP, NO_LIMITS), driver=True),
        Rule("ring_banks", "equal", FOUR, FOUR, driver=True),
        Rule("pci_id", "equal"),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `qat`."""
