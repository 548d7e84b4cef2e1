"""gvt-g: Intel's mediated graphics. `docs/vendors/gvt-g.md`."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from transire.reference import attributes as a
from transire.reference.attributes import Known, Value
from transire.reference.compare import HOLDS, Both, Finding, has, plain
from transire.reference.judge import Absent, Rule, Vendor, can_be_set

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTRIBUTES = (
    Known(0x8100, "low_gm_mb", a.UINT),
    Known(0x8101, "high_gm_mb", a.UINT),
    Known(0x0102, "fence", a.UINT),
    Known(0x0103, "resolution", a.TEXT),
    Known(0x0104, "weight", a.UINT),
    Known(0x8105, "platform", a.TEXT),
    Known(0x8106, "pv_mode", a.SET, a.of_texts),
    Known(0x8107, "image_generation", a.UINT, lambda number: 1 <= number <= 5),
)
"""What the vendor adds to the common ones."""


class Type(NamedTuple):
    """What an instance of a type has."""

    generation: int
    part: int
    low: int
    high: int
    fence: int
    resolution: str
    weight: int


TYPES = {
    f"i915-GVTg_V{generation}_{part}": Type(generation, part, low, high, 4, resolution, 16 // part)
    for generation in (4, 5)
    for part, low, high, resolution in (
        (8, 64, 384, "1024x768"),
        (4, 128, 512, "1920x1200"),
        (2, 256, 1024, "1920x1200"),
        (1, 512, 2048, "1920x1200"),
    )
}
"""By their names."""


def _type(device: Mapping[str, Value]) -> Type | None:
    return TYPES.get(plain(device, "mdev_type") or "")


def _instances(device: Mapping[str, Value]) -> int | None:
    """How many instances, or None where that has not been reported."""
    return plain(device, "aggregation") if "aggregation" in device else 1


def _memory_of_type(device: Mapping[str, Value]) -> tuple[int, int] | None:
    kind, instances = _type(device), _instances(device)
    return None if kind is None or instances is None else (kind.low * instances, kind.high * instances)


def _derive(device: Mapping[str, Value]) -> dict[str, Value]:
    kind, instances, memory = _type(device), _instances(device), _memory_of_type(device)
    if "mdev_type" not in device or (kind is None and device["mdev_type"].type != a.UNKNOWN):
        return {}
    # What follows from something that has not been reported has not been either.
    unknown = Value(a.UNKNOWN, None)
    low, high = (Value(a.UINT, number) for number in memory) if memory else (unknown, unknown)
    # Memory that no number of 64 bits holds does not follow at all.
    sizes = {"low_gm_mb": low, "high_gm_mb": high}
    found = {
        **{name: value for name, value in sizes.items() if value.plain is None or value.plain < 1 << 64},
        "fence": Value(a.UINT, kind.fence) if kind else unknown,
        "resolution": Value(a.TEXT, kind.resolution) if kind else unknown,
        "weight": Value(a.UINT, kind.weight) if kind else unknown,
    }
    share = Fraction(instances, kind.part) if kind and instances else None
    # Nor does a share whose numerator is beyond 32 bits.
    if share is None or share.numerator < 1 << 32:
        found["capacity"] = Value(a.RATIO, share) if share else unknown
    return {name: value for name, value in found.items() if name not in device}


def _contradiction(device: Mapping[str, Value]) -> str | None:
    kind, instances = _type(device), _instances(device)
    if kind is None or instances is None:
        return None
    follows = {"low_gm_mb": Fraction(kind.low), "high_gm_mb": Fraction(kind.high)} if instances == 1 else {}
    follows["capacity"] = Fraction(instances, kind.part)
    return next((name for name, value in follows.items() if plain(device, name) not in (None, value)), None)


def _possible(device: Mapping[str, Value]) -> bool:
    modes = {mode.plain for mode in plain(device, "pv_mode") or ()}
    known = not has(device, "mdev_type") or _type(device) is not None
    return _contradiction(device) is None and known and modes <= {"none", "ppgtt", "context"}


def _memory(device: Mapping[str, Value]) -> tuple[int | None, int | None]:
    return plain(device, "low_gm_mb"), plain(device, "high_gm_mb")


def _mending(both: Both) -> int | None:
    """The aggregation of the target's type that comes to the source's memory."""
    one, other, memory = _type(both.source), _type(both.device), _memory_of_type(both.source)
    if one is None or other is None or memory is None or one.generation != other.generation:
        return None
    if one == other:
        return _instances(both.source)
    low, high = memory
    if low % other.low or not _is_a_number(memory):
        return None
    instances = low // other.low
    return instances if other.high * instances == high else None


def _is_a_number(memory: tuple[int, int] | None) -> bool:
    """Whether there is memory, in 64 bits."""
    return memory is not None and max(memory) < 1 << 64


def _both_have_a_type(both: Both) -> bool:
    return "mdev_type" in both.source and "mdev_type" in both.device


def _settable(both: Both) -> Value | None:
    """The aggregation that the target can be set to so that the two go together."""
    instances, settable = _mending(both), both.target.settable.get("aggregation")
    if instances is None or settable is None:
        return None
    value = Value(a.UINT, instances)
    possible = can_be_set(value, settable) and _possible(both.target.attributes | {"aggregation": value})
    return value if possible else None


def _same_capacity(source: Value, target: Value, both: Both) -> Finding:
    one, other = _type(both.source), _type(both.device)
    if None in (_instances(both.source), _instances(both.device)):
        return Finding("not-reported-yet", set=_settable(both), of="aggregation")
    if source == target and _instances(both.source) == _instances(both.device):
        return HOLDS
    same = one and other and one.generation == other.generation
    if not one or not other or not same or _memory_of_type(both.source) != _memory_of_type(both.device):
        value = _settable(both)
        return Finding("not-same-capacity", set=value, of="aggregation" if value else "")
    return HOLDS if one.weight == other.weight else Finding(notes=("more-capacity",))


def _not_of_the_type(at: int) -> Callable[[Both], bool]:
    """Whether the memory is to be compared by itself: another aggregation of the target would not mend it."""

    def when(both: Both) -> bool:
        instances = _mending(both)
        lacking = None in (_memory(both.source)[at], _memory(both.device)[at])
        mends = instances != _instances(both.device) and _is_a_number(_memory_of_type(both.source))
        return "mdev_type" in both.replaced or lacking or instances is None or not mends

    return when


VFIO_PCI, ONE = Value(a.TEXT, "vfio-pci"), Value(a.UINT, 1)
IGNORE, NOTE = Absent.IGNORE, Absent.NOTE

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, constant=VFIO_PCI),
        Rule("pci_id", "equal"),
        Rule("platform", "equal", IGNORE, IGNORE),
        Rule("software_version", "version"),
        Rule("driver", "equal", IGNORE, IGNORE),
        Rule("mdev_type", _same_capacity, when=_both_have_a_type),
        # With mdev_type, not alone; but a target may have a rule for it.
        Rule("aggregation", "equal", ONE, ONE, when=lambda _: False),
        Rule("capacity", "equal", when=lambda both: not _both_have_a_type(both)),
        Rule("low_gm_mb", "equal", driver=True, when=_not_of_the_type(0)),
        Rule("high_gm_mb", "equal", driver=True, when=_not_of_the_type(1)),
        Rule("fence", "at-least", IGNORE, IGNORE),
        Rule("resolution", "equal", IGNORE, IGNORE),
        Rule("weight", "ignore", IGNORE, IGNORE),
        Rule("pv_mode", "subset", IGNORE),
        Rule("image_generation", "equal", NOTE, NOTE, driver=True),
    ),
    _derive,
    _contradiction,
    _possible,
)
"""The vendor `gvt-g`."""
