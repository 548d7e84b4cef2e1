"""xe: the stream of Intel Xe graphics, its attributes and its rules. `docs/vendors/xe.md`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from construct import Array, Bytes, Int8ul, Int16ul, Int32ul, Int64ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEADER = Struct(
    "version" / Int8ul,
    "type" / Int8ul,
    "tile_id" / Int8ul,
    "gt_id" / Int8ul,
    "flags" / Int32ul,
    "offset" / Int64ul,
    "size" / Int64ul,
)
"""What stands before each payload."""
PACKET = Struct("header" / HEADER, "payload" / Bytes(lambda at: at.header.size))
"""A packet, whole."""
KLV = Struct("length" / Int16ul, "key" / Int16ul, "value" / Array(lambda at: at.length, Int32ul))
"""An entry of a descriptor."""

DESCRIPTOR, TRAILER, GGTT, MMIO, GUC, VRAM = range(1, 7)
ORDER = (GUC, GGTT, MMIO, VRAM)
"""The packets of a GT, as drivers save them."""
DEVICE_ID, REVISION_ID = 0xF001, 0xF002
GTS = 4
"""GTs that a device may have: two on each of two tiles."""
PAGES = 1 << 20
"""Most pages of a translation table."""
FUNCTION = 0xFFC
"""Bits 2 to 11 of a page table entry."""

ATTRIBUTES = (
    Known(0x8100, "gts", a.MASK),
    Known(0x8101, "ggtt_pages", a.UINT, lambda number: number <= PAGES),
    Known(0x8102, "vram_bytes", a.UINT),
)
"""What the vendor adds to the common ones."""


def like(data: bytes, ended: bool) -> Like:
    """Whether the first bytes are those of a packet."""
    if len(data) < HEADER.sizeof():
        first = zip(data, ((1,), range(1, 7), (0, 1), range(GTS)), strict=False)
        return Like.SHORT if all(byte in known for byte, known in first) else Like.NO
    header = HEADER.parse(data)
    known = header.version == 1 and header.type in range(1, 7) and _size_fits(header)
    if not (known and header.gt_id < GTS and _tile_fits(header)):
        return Like.NO
    if header.type in (DESCRIPTOR, TRAILER) and header.gt_id:
        return Like.NO
    if header.type != DESCRIPTOR or header.flags or header.offset or not header.size:
        return Like.POSSIBLE
    if len(data) < 28:
        return Like.POSSIBLE if ended else Like.SHORT
    return Like.CERTAIN if data[24:28] in (b"\x01\0\x01\xf0", b"\x01\0\x02\xf0") else Like.POSSIBLE


def _size_fits(header: Any) -> bool:
    match header.type:
        case 1:
            return bool(header.size <= 4096 and header.size % 4 == 0)
        case 2:
            return bool(header.size == 0)
        case 3:
            return bool(8 <= header.size <= 8 * PAGES and header.size % 8 == 0)
        case 4:
            return bool(header.size == 16)
        case 5:
            return bool(4 <= header.size < 1 << 31 and header.size % 4 == 0)
    return bool(1 <= header.size <= 512 << 20)


def _tile_fits(header: Any) -> bool:
    return bool(header.tile_id == (header.gt_id // 2 if header.type in ORDER else 0))


@dataclass
class _Seen:
    """What has come so far."""

    types: dict[int, list[int]] = field(default_factory=lambda: {gt: [] for gt in range(GTS)})
    """The types of the packets of each GT."""
    memory: list[int] = field(default_factory=lambda: [0] * GTS)
    """Where the next piece of memory of each GT begins."""


def read(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the beginning of a stream, in order; see `mtty.read`."""
    seen = _Seen()
    source: dict[str, Stated] = {}
    at = 0
    while True:
        if len(data) < at + HEADER.sizeof():
            if ended:
                yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
            return
        header = HEADER.parse(data[at:])
        for reason in _of_header(header, at, seen):
            yield reason
            if reason.outcome != Outcome.COMPATIBLE:
                return
        payload = data[at + 24 : at + 24 + header.size]
        if header.type == DESCRIPTOR:
            if len(payload) < header.size:
                if ended:
                    yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
                return
            for found in _of_list(payload, at):
                yield found
                if isinstance(found, dict):
                    source = found
                elif found.outcome != Outcome.COMPATIBLE:
                    return
        elif header.type == TRAILER:
            yield from _at_the_end(source, seen)
            if len(data) > at + 24:
                yield Reason("stream.trailing", Outcome.CORRUPT, at + 24)
            return
        else:
            if header.type == GGTT:
                pages = Value(a.UINT, header.size // 8)
                if "ggtt_pages" not in source or source["ggtt_pages"].value != pages:
                    source = source | {"ggtt_pages": Stated(pages, at + 16)}
                    yield source
                yield from _of_table(payload, at + 24)
            seen.types[header.gt_id].append(header.type)
            if header.type == VRAM:
                seen.memory[header.gt_id] += header.size
            if len(payload) < header.size:
                if ended:
                    yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
                return
        at += 24 + header.size


def _of_header(header: Any, at: int, seen: _Seen) -> Iterator[Reason]:
    """The checks of a header as the page numbers them."""

    def corrupt(what: str, offset: int) -> Reason:
        return Reason(f"xe.{what}", Outcome.CORRUPT, at + offset)

    data = header.type in ORDER
    if header.version != 1:
        yield Reason("xe.version", Outcome.UNRECOGNIZED, at)
    if header.type not in range(1, 7):
        yield Reason("xe.type", Outcome.UNRECOGNIZED, at + 1)
    if (header.type == DESCRIPTOR) != (at == 0):
        yield corrupt("order", 1)
    if header.gt_id not in ((0, 2) if header.type in (GGTT, VRAM) else range(GTS) if data else (0,)):
        yield corrupt("gt", 3)
    if not _tile_fits(header):
        yield corrupt("gt", 2)
    if header.flags:
        yield Reason("xe.not-zero", Outcome.COMPATIBLE, at + 4)
    if header.offset != (seen.memory[header.gt_id] if header.type == VRAM else 0):
        unused = header.type not in (VRAM, TRAILER)
        yield Reason("xe.not-zero", Outcome.COMPATIBLE, at + 8) if unused else corrupt("offset", 8)
    if not _size_fits(header):
        yield corrupt("size", 16)
    if data:
        last = max((ORDER.index(kind) for kind in seen.types[header.gt_id]), default=-1)
        place = ORDER.index(header.type)
        if place < last or (place == last and header.type != VRAM):
            yield corrupt("order", 1)
    if header.type == TRAILER and _lacks(seen):
        yield corrupt("missing", 0)


def _lacks(seen: _Seen) -> bool:
    """Whether a GT lacks a packet, or a tile its main GT."""
    there = {gt for gt, kinds in seen.types.items() if kinds} | {0}
    there |= {gt - 1 for gt in there if gt % 2}
    return any(kind not in seen.types[gt] for gt in there for kind in ((GUC, MMIO) if gt % 2 else (GUC, GGTT, MMIO)))


def _of_list(payload: bytes, at: int) -> Iterator[Reason | dict[str, Stated]]:
    """The list of a descriptor: a note, and what is wrong or what the source is."""
    found: dict[int, tuple[int, int]] = {}
    noted, place = False, 0
    start = at + 24
    while place < len(payload):
        length, key = Int16ul.parse(payload[place:]), Int16ul.parse(payload[place + 2 :])
        if place + 4 + 4 * length > len(payload):
            yield Reason("xe.descriptor", Outcome.CORRUPT, start + place)
            return
        entry = KLV.parse(payload[place:])
        if key not in (DEVICE_ID, REVISION_ID):
            if not noted:
                yield Reason("xe.unknown-key", Outcome.COMPATIBLE, start + place + 2)
            noted = True
        elif length != 1:
            yield Reason("xe.descriptor", Outcome.CORRUPT, start + place)
            return
        elif key in found:
            yield Reason("xe.descriptor", Outcome.CORRUPT, start + place + 2)
            return
        elif entry.value[0] > (0xFFFF if key == DEVICE_ID else 0xFF):
            yield Reason("xe.descriptor", Outcome.CORRUPT, start + place + 4)
            return
        else:
            found[key] = (entry.value[0], start + place + 4)
        place += 4 + 4 * length
    if len(found) < 2:
        yield Reason("xe.descriptor", Outcome.CORRUPT, at + 16)
        return
    device, revision = found[DEVICE_ID], found[REVISION_ID]
    yield {
        "vendor": Stated(Value(a.TEXT, "xe"), None),
        "pci_id": Stated(Value(a.PCI_ID, (0x8086, device[0])), device[1]),
        "revision": Stated(Value(a.UINT, revision[0]), revision[1]),
    }


def _of_table(payload: bytes, at: int) -> Iterator[Reason]:
    """A note of the first entry that has a function's number, as far as the entries are there."""
    for place in range(0, len(payload), 8):
        if int.from_bytes(payload[place : place + 8], "little") & FUNCTION:
            yield Reason("xe.not-zero", Outcome.COMPATIBLE, at + place)
            return


def _at_the_end(source: dict[str, Stated], seen: _Seen) -> Iterator[dict[str, Stated]]:
    """What is known when the trailer is there; anew for a tile that has other memory than the one before."""
    gts = sum(1 << gt for gt, kinds in seen.types.items() if kinds)
    for gt in (0, 2):
        memory = Value(a.UINT, seen.memory[gt])
        if seen.types[gt] and ("vram_bytes" not in source or source["vram_bytes"].value != memory):
            source = source | {"gts": Stated(Value(a.MASK, gts), None), "vram_bytes": Stated(memory, None)}
            yield source


def _possible(device: Mapping[str, Value]) -> bool:
    gts = device.get("gts")
    return gts is None or gts.plain in (None, 1, 3, 5, 7, 13, 15)


VFIO_PCI = Value(a.TEXT, "vfio-pci")
"""What `device_api` is where a profile does not say it, and must be."""

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("pci_id", "equal", driver=True),
        Rule("revision", "equal", driver=True),
        Rule("ggtt_pages", "equal", Absent.IGNORE, Absent.IGNORE, driver=True),
        Rule("gts", "equal", Absent.IGNORE, Absent.IGNORE, driver=True),
        Rule("vram_bytes", "equal", Absent.IGNORE, Absent.IGNORE, driver=True),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `xe`."""
