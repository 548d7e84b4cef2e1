"""gvt-g: Intel's mediated graphics. `docs/vendors/gvt-g.md`."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from construct import Array, Bytes, Int8ul, Int16ul, Int32ul, Int64ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import AWAITED, UNSAID, Known, Stated, Value
from transire.reference.compare import HOLDS, Both, Finding, has, plain
from transire.reference.judge import Absent, Rule, Vendor, can_be_set
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RECORD = Struct("type" / Int32ul, "size" / Int32ul)
"""What stands before the payload of each record."""
HEAD = Struct(
    "record" / RECORD,
    "version" / Int32ul,
    "data_size" / Int32ul,
    "crc_check" / Int64ul,
    "global_data" / Bytes(512),
)
"""The first record."""
ID = Struct("vendor" / Int16ul, "device" / Int16ul)
"""What the configuration space begins with."""
PPGTT_36 = Struct("level" / Int32ul, "pdp" / Array(8, Int32ul))
PPGTT_40 = Struct("level" / Int32ul, "padding" / Bytes(4), "pdp" / Array(4, Int64ul))
WORKLOAD_24 = Struct("ring_id" / Int32ul, "elsp" / Array(4, Int32ul), "index" / Int32ul)
WORKLOAD_36 = Struct(
    "ring_id" / Int32ul,
    "emulate_schedule_in" / Int8ul,
    "padding" / Bytes(3),
    "ctx_ldw" / Int32ul,
    "ctx_udw" / Int32ul,
    "elsp" / Array(4, Int32ul),
    "index" / Int32ul,
)
EXECLIST = Struct("elsp" / Array(4, Int32ul), "index" / Int32ul)

SIGNATURE = bytes.fromhex("0100000010020000")
"""Type and size of the first record."""
LIMIT = 9 << 20
"""Bytes that no image has."""
ENGINES = 5
"""Ring ids are below this."""
ENTRIES = 65_536
"""Most tables, and most workloads."""


def memory(size: int) -> tuple[int, int] | None:
    """Low and high memory, in MiB, of a GTT record of so many bytes."""
    total, rest = divmod(size, 2048)
    if rest or not 0 < total <= 4096:
        return None
    for whole, parts in ((448, 7), (640, 5)):
        if total % whole == 0:
            return total // parts, total - total // parts
    return None


class Object(NamedTuple):
    """A kind of record: its type, its size, and what it is an array of."""

    type: int
    fits: Callable[[int], bool]
    entry: Any = None
    mandatory: bool = True


def _exactly(size: int) -> Callable[[int], bool]:
    return lambda said: said == size


def _entries(kind: int, entry: Any, most: int) -> Object:
    return Object(kind, lambda size: size % entry.sizeof() == 0 and size // entry.sizeof() <= most, entry)


CFG_SPACE = Object(2, _exactly(4096))
VREG, SREG = Object(3, _exactly(2 << 20)), Object(4, _exactly(2 << 20))
GTT = Object(5, lambda size: memory(size) is not None)
OPREGION = Object(8, _exactly(8192), mandatory=False)
GENERATIONS = {
    "1": (CFG_SPACE, SREG, VREG, GTT, _entries(6, PPGTT_36, ENTRIES), _entries(7, WORKLOAD_24, ENTRIES), OPREGION),
    "2": (CFG_SPACE, SREG, VREG, GTT, _entries(6, PPGTT_40, ENTRIES), _entries(7, WORKLOAD_24, ENTRIES), OPREGION),
    "3": (
        *(CFG_SPACE, SREG, VREG, GTT, _entries(6, PPGTT_40, ENTRIES), _entries(7, WORKLOAD_36, ENTRIES), OPREGION),
        _entries(9, EXECLIST, ENGINES),
    ),
    "4": (
        *(CFG_SPACE, VREG, GTT, _entries(6, PPGTT_40, ENTRIES), _entries(7, WORKLOAD_36, ENTRIES), OPREGION),
        _entries(9, EXECLIST, ENGINES),
    ),
    "5": (
        *(CFG_SPACE, VREG, GTT, _entries(6, PPGTT_40, ENTRIES), _entries(7, WORKLOAD_36, ENTRIES)),
        _entries(8, EXECLIST, ENGINES),
    ),
}
"""The records behind the head, in the order in which they are saved."""


def like(data: bytes, _: bool) -> Like:
    """How much bytes look like an image."""
    if data[:8] == SIGNATURE:
        return Like.POSSIBLE
    return Like.SHORT if SIGNATURE.startswith(data) else Like.NO


def settle(device: Mapping[str, Value]) -> Chosen:
    """What a profile says of the generation."""
    number = plain(device, "image_generation")
    return {"generation": str(number)} if number in range(1, 6) else {}


def _corrupt(name: str, at: int) -> Reason:
    return Reason(f"gvt-g.{name}", Outcome.CORRUPT, at)


def _head(data: bytes) -> Reason | None:
    """What is wrong with the head, of which all is there that will come."""
    cut = Reason("stream.truncated", Outcome.TRUNCATED, len(data))
    if len(data) < 4:
        return cut
    if data[:4] != SIGNATURE[:4]:
        return _corrupt("record-type", 0)
    if len(data) < 8:
        return cut
    if data[4:8] != SIGNATURE[4:]:
        return _corrupt("record-size", 4)
    if len(data) < HEAD.sizeof():
        return cut
    head = HEAD.parse(data)
    if head.version != 0:
        return Reason("gvt-g.version", Outcome.UNRECOGNIZED, 8)
    return None if HEAD.sizeof() <= head.data_size < LIMIT else _corrupt("data-size", 12)


class _Way:
    """How far an image has come as one of a generation."""

    def __init__(self, name: str) -> None:
        self.name, self.objects = name, GENERATIONS[name]
        self.next = 0
        self.lacks = False

    def refusal(self, kind: int, size: int, at: int) -> Reason | None:
        """Why a record cannot be the next one."""
        place = next((place for place, one in enumerate(self.objects) if one.type == kind), None)
        if place is None:
            return _corrupt("record-type", at)
        if place < self.next:
            return _corrupt("order", at)
        return None if self.objects[place].fits(size) else _corrupt("record-size", at + 4)

    def take(self, kind: int) -> None:
        """Takes the record as the next one."""
        place = next(place for place, one in enumerate(self.objects) if one.type == kind)
        self.lacks = self.lacks or any(one.mandatory for one in self.objects[self.next : place])
        self.next = place + 1

    def is_whole(self) -> bool:
        """Whether nothing is missing at the end."""
        return not self.lacks and not any(one.mandatory for one in self.objects[self.next :])


def _ambiguous(ways: list[_Way]) -> Iterator[Reason]:
    for _ in ways:
        yield Reason("format.candidate", Outcome.COMPATIBLE, 0)
    yield Reason("format.ambiguous", Outcome.UNRECOGNIZED, 0)


def read(data: bytes, ended: bool, chosen: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the beginning of an image, as `mtty.read`."""
    first = HEAD.sizeof()
    known_by = first + RECORD.sizeof() + ID.sizeof()
    if len(data) < known_by and not ended:
        return
    wrong = _head(data)
    if wrong:
        yield wrong
        return
    head = HEAD.parse(data)
    source = {
        "vendor": Stated(Value(a.TEXT, "gvt-g"), None),
        **dict.fromkeys(("image_generation", "low_gm_mb", "high_gm_mb"), AWAITED),
        **dict.fromkeys(("software_version", "capacity"), UNSAID),
    }
    if min(len(data), head.data_size) >= known_by and RECORD.parse(data[first:]) == {"type": 2, "size": 4096}:
        identity = ID.parse(data[first + RECORD.sizeof() :])
        source["pci_id"] = Stated(Value(a.PCI_ID, (identity.vendor, identity.device)), first + RECORD.sizeof())
    ways = [_Way(name) for name in GENERATIONS if chosen.get("generation", name) == name]

    def settled() -> bool:
        """Whether one generation is left that was not known before."""
        if len(ways) > 1 or source["image_generation"] != AWAITED:
            return False
        source["image_generation"] = Stated(Value(a.UINT, int(ways[0].name)), None)
        return True

    settled()
    yield dict(source)
    if head.crc_check != 0:
        yield Reason("gvt-g.filler", Outcome.COMPATIBLE, 16)
    at = first
    while at < head.data_size:
        if head.data_size - at < RECORD.sizeof():
            yield _corrupt("data-size", 12)
            return
        payload = at + RECORD.sizeof()
        if len(data) < payload:
            if ended:
                yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
            return
        kind, size = (RECORD.parse(data[at:])[name] for name in ("type", "size"))
        refusals = [way.refusal(kind, size, at) for way in ways]
        if None not in refusals:
            yield next(reason for reason in refusals if reason)
            return
        ways[:] = [way for way, refusal in zip(ways, refusals, strict=True) if refusal is None]
        for way in ways:
            way.take(kind)
        if payload + size > head.data_size:
            yield _corrupt("data-size", 12)
            return
        entries = {way.objects[way.next - 1].entry for way in ways}
        if size and len(entries) > 1:
            ways[:] = [way for way in ways if not way.lacks] or ways
            entries = {way.objects[way.next - 1].entry for way in ways}
            if len(entries) > 1:
                yield from _ambiguous(ways)
                return
        news = settled()
        if kind == GTT.type:
            low, high = memory(size) or (0, 0)
            source["low_gm_mb"] = Stated(Value(a.UINT, low), at + 4)
            source["high_gm_mb"] = Stated(Value(a.UINT, high), at + 4)
        if news or kind == GTT.type:
            yield dict(source)
        entry: Any = entries.pop() if size else None
        if ways[0].objects[ways[0].next - 1].entry is EXECLIST and size < ENGINES * EXECLIST.sizeof():
            yield Reason("gvt-g.engines", Outcome.COMPATIBLE, at + 4)
        step = entry.sizeof() if entry is not None else 0
        for begin in range(payload, payload + size, step) if step else ():
            if len(data) < begin + step:
                break
            for reason in _look(entry.parse(data[begin:]), begin):
                yield reason
                if reason.outcome != Outcome.COMPATIBLE:
                    return
        at = payload + size
        if len(data) < at:
            if ended:
                yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
            return
    ways[:] = [way for way in ways if way.is_whole()] or ways
    if len(ways) > 1:
        yield from _ambiguous(ways)
        return
    news = settled()
    if not ways[0].is_whole():
        yield _corrupt("missing", at)
        return
    if news:
        yield dict(source)
    if len(data) > at:
        yield Reason("stream.trailing", Outcome.CORRUPT, at)


def _look(entry: Any, at: int) -> Iterator[Reason]:
    if entry.get("ring_id", 0) >= ENGINES:
        yield _corrupt("ring-id", at)
    elif any(entry.get("padding", b"")):
        yield Reason("gvt-g.filler", Outcome.COMPATIBLE, at + (5 if "ring_id" in entry else 4))


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
