"""virtio: network and block devices that save themselves as device parts. `docs/vendors/virtio.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.records import HEADER, HEADER_LEN, OPTIONAL, RECORD_MAX, Found, check, source_first, truncated
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

DEVICE_DATA = 0
DATA_MAX = RECORD_MAX - 8
"""Most bytes of a set: the driver counts 8 more of its own, in 32 bits."""
PREFIX = 64
"""Bytes that are looked at to tell formats apart."""

PART = Struct("part_type" / Int16ul, "flags" / Int8ul, "reserved" / Int8ul, "selector" / Int64ul, "length" / Int32ul)
"""What stands before the value of a part."""
PART_LEN = PART.sizeof()
QUEUE = Struct(
    "queue_size" / Int16ul,
    "vector" / Int16ul,
    "enabled" / Int16ul,
    "reserved" / Int16ul,
    "queue_desc" / Int64ul,
    "queue_driver" / Int64ul,
    "queue_device" / Int64ul,
)
NOTIFY = Struct("queue_notify_off" / Int16ul, "queue_notif_config_data" / Int16ul, "reserved" / Int32ul)
NUM_QUEUES = Struct("num_queues" / Int16ul)
DEV_FEATURES, DRV_FEATURES, COMMON_CFG, STATUS, VQ_CFG, VQ_NOTIFY_CFG = range(0x100, 0x106)
WIDTHS = (
    dict.fromkeys((0, 4, 8, 12, 32, 36, 40, 44, 48, 52), 4)
    | dict.fromkeys((16, 18, 22, 24, 26, 28, 30, 56, 58, 60, 62), 2)
    | {20: 1, 21: 1}
)
"""Widths of the fields of the common configuration, by their offset."""


class Kind(NamedTuple):
    """What parts of a type are like."""

    selector: Callable[[int], bool]
    length: Callable[[int, int], bool]
    """By the selector and the length."""


FEATURES = Kind(lambda selector: selector == 0, lambda _, length: length in (8, 16, 24, 32))
KINDS = {
    DEV_FEATURES: FEATURES,
    DRV_FEATURES: FEATURES,
    COMMON_CFG: Kind(lambda selector: selector in WIDTHS, lambda selector, length: WIDTHS.get(selector) == length),
    STATUS: Kind(lambda selector: selector == 0, lambda _, length: length == 1),
    VQ_CFG: Kind(lambda selector: selector < 1 << 16, lambda _, length: length == QUEUE.sizeof()),
    VQ_NOTIFY_CFG: Kind(lambda selector: selector < 1 << 16, lambda _, length: length == NOTIFY.sizeof()),
}
"""The types that are known, in the order in which a set has them."""

ATTRIBUTES = (
    Known(0x8100, "device_features", a.MASK),
    Known(0x0101, "driver_features", a.MASK),
    Known(0x0102, "num_queues", a.UINT, lambda number: 1 <= number < 1 << 16),
)
"""What the vendor adds to the common ones."""
DEVICES = ((0x1AF4, 0x1041), (0x1AF4, 0x1042))


def like(data: bytes, ended: bool) -> Like:
    """Whether a record of parts stands here, behind optional records that are short."""
    at = 0
    while len(data) - at >= HEADER_LEN:
        header = HEADER.parse(data[at:])
        at += HEADER_LEN
        if header.tag != DEVICE_DATA:
            at += header.record_size
            if header.flags != OPTIONAL or at > len(data):
                near = header.flags == OPTIONAL and at < PREFIX
                return _short(data, b"", ended) if near else Like.OPAQUE
            continue
        if header.flags != 0 or not PART_LEN <= header.record_size <= DATA_MAX:
            return Like.OPAQUE
        if len(data) - at < PART_LEN:
            return _short(data, b"", ended)
        part = PART.parse(data[at:])
        kind = KINDS.get(part.part_type)
        first = kind and not part.reserved and kind.selector(part.selector) and kind.length(part.selector, part.length)
        return Like.POSSIBLE if first else Like.OPAQUE
    return _short(data, data[at:], ended)


def _short(data: bytes, rest: bytes, ended: bool) -> Like:
    """Fewer bytes of a header than all, or none: size without a high half, flags 0 or 1."""
    agrees = not any(rest[4:8]) and rest[8:9] in (b"", b"\0", b"\1") and not any(rest[9:12])
    return Like.SHORT if agrees and not (ended and data) and len(data) < PREFIX else Like.OPAQUE


def read(data: bytes, ended: bool, _: Chosen) -> Iterator[Found]:
    """What the strict standard finds in the beginning of a stream, as `mtty.read` says it."""
    yield from source_first(_records(data, ended))


def _vendor() -> dict[str, Stated]:
    return {"vendor": Stated(Value(a.TEXT, "virtio"), None)}


def _records(data: bytes, ended: bool) -> Iterator[Found]:
    at, told, sets = 0, False, False
    while len(data) - at >= HEADER_LEN:
        header = HEADER.parse(data[at:])
        size, begin = header.record_size, at + HEADER_LEN
        for reason in check("virtio", header, at, {DEVICE_DATA: 0}):
            yield reason
            if reason.outcome != Outcome.COMPATIBLE:
                return
        if header.tag != DEVICE_DATA:
            if not told:
                yield _vendor()
            if begin + size > len(data):
                if ended:
                    yield truncated(data)
                return
        elif not 1 <= size <= DATA_MAX:
            yield Reason("virtio.record-size", Outcome.CORRUPT, at)
            return
        elif size < PART_LEN:
            yield Reason("virtio.part-length", Outcome.CORRUPT, begin)
            return
        else:
            whole = yield from _set(data, begin, begin + size, ended)
            if not whole:
                return
            sets = True
        told = True
        at = begin + size
    if ended and (at < len(data) or not sets):
        yield truncated(data)


class Seen:
    """What a set has said so far."""

    def __init__(self) -> None:
        self.source = _vendor()
        self.last = 0
        self.parts: set[tuple[int, int]] = set()


def _set(data: bytes, at: int, end: int, ended: bool) -> Generator[Found, None, bool]:
    """A set of parts from one offset to another; whether it is whole."""
    seen, told, changed = Seen(), False, True
    while at < end:
        if len(data) - at < PART_LEN:
            if ended:
                yield truncated(data)
            return False
        part = PART.parse(data[at:])
        for reason in _check_part(part, at, end, seen):
            yield reason
            if reason.outcome != Outcome.COMPATIBLE:
                return False
        if part.part_type not in (DEV_FEATURES, DRV_FEATURES) and not told:
            yield dict(seen.source)
            told, changed = True, False
        value = data[at + PART_LEN : at + PART_LEN + part.length]
        if len(value) < part.length:
            if ended:
                yield truncated(data)
            return False
        for reason in _check_value(part, value, at + PART_LEN, seen):
            yield reason
            if reason.outcome != Outcome.COMPATIBLE:
                return False
        changed = changed or part.part_type in (DEV_FEATURES, DRV_FEATURES)
        changed = changed or (part.part_type, part.selector) == (COMMON_CFG, 18)
        if part.part_type == DRV_FEATURES and not told:
            yield dict(seen.source)
            told, changed = True, False
        at += PART_LEN + part.length
    if (STATUS, 0) not in seen.parts:
        yield Reason("virtio.order", Outcome.CORRUPT, end)
        return False
    if changed:
        yield dict(seen.source)
    return True


def _check_part(part: Any, at: int, end: int, seen: Seen) -> Iterator[Reason]:
    """What is wrong with the header of a part; an error is the last."""
    kind = KINDS.get(part.part_type)
    if kind is None and not part.flags & OPTIONAL:
        yield Reason("virtio.part-type", Outcome.UNRECOGNIZED, at)
        return
    if part.flags > OPTIONAL or (part.part_type == DEV_FEATURES and part.flags == 0):
        yield Reason("virtio.flags", Outcome.CORRUPT, at + 2)
        return
    if part.flags and part.part_type != DEV_FEATURES:
        yield Reason("virtio.part-optional", Outcome.COMPATIBLE, at + 2)
    if part.reserved:
        yield Reason("virtio.reserved", Outcome.COMPATIBLE, at + 3)
    if kind is not None:
        queues = seen.source.get("num_queues")
        of_queue = part.part_type in (VQ_CFG, VQ_NOTIFY_CFG)
        no_queue = of_queue and queues is not None and part.selector >= queues.value.plain
        unknown = part.part_type == VQ_NOTIFY_CFG and (VQ_CFG, part.selector) not in seen.parts
        if part.part_type < seen.last:
            yield Reason("virtio.order", Outcome.CORRUPT, at)
            return
        if not kind.selector(part.selector):
            yield Reason("virtio.selector", Outcome.CORRUPT, at + 4)
            return
        if no_queue or unknown:
            yield Reason("virtio.queue", Outcome.CORRUPT, at + 4)
            return
        if (part.part_type, part.selector) in seen.parts:
            yield Reason("virtio.order", Outcome.CORRUPT, at)
            return
        seen.last = part.part_type
        seen.parts.add((part.part_type, part.selector))
    behind = end - at - PART_LEN - part.length
    if behind < 0 or (kind is not None and not kind.length(part.selector, part.length)):
        yield Reason("virtio.part-length", Outcome.CORRUPT, at + 12)
    elif 0 < behind < PART_LEN:
        yield Reason("virtio.part-length", Outcome.CORRUPT, at + PART_LEN + part.length)


def _check_value(part: Any, value: bytes, at: int, seen: Seen) -> Iterator[Reason]:
    """What is wrong with the value of a part, and what it says of the source; an error is the last."""
    bits = Bytes(part.length).parse(value)
    if part.part_type == DEV_FEATURES:
        seen.source["device_features"] = Stated(Value(a.MASK, int.from_bytes(bits, "little")), at)
    elif part.part_type == DRV_FEATURES:
        seen.source["driver_features"] = Stated(Value(a.MASK, int.from_bytes(bits, "little")), at)
        offered = seen.source.get("device_features")
        if offered is not None and int.from_bytes(bits, "little") & ~offered.value.plain:
            yield Reason("virtio.features", Outcome.CORRUPT, at)
    elif part.part_type == COMMON_CFG and part.selector == 18:
        number = NUM_QUEUES.parse(value).num_queues
        if number:
            seen.source["num_queues"] = Stated(Value(a.UINT, number), at)
    elif part.part_type == VQ_CFG:
        queue = QUEUE.parse(value)
        if queue.enabled > 1:
            yield Reason("virtio.queue", Outcome.CORRUPT, at + 4)
        elif queue.reserved:
            yield Reason("virtio.reserved", Outcome.COMPATIBLE, at + 6)
    elif part.part_type == VQ_NOTIFY_CFG and NOTIFY.parse(value).reserved:
        yield Reason("virtio.reserved", Outcome.COMPATIBLE, at + 4)


def _possible(device: Mapping[str, Value]) -> bool:
    identity = device.get("pci_id")
    return identity is None or identity.plain in (None, *DEVICES)


VFIO_PCI = Value(a.TEXT, "vfio-pci")
"""What `device_api` is where a profile does not say it, and must be."""

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("device_features", "equal", Absent.NOTE, Absent.WANT),
        Rule("driver_features", "subset", Absent.IGNORE, Absent.IGNORE, of_target="device_features"),
        Rule("num_queues", "at-least", Absent.IGNORE, Absent.IGNORE),
        Rule("pci_id", "equal", Absent.IGNORE, Absent.IGNORE),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `virtio`."""
