"""The states of an NVMe controller: the layouts that can be read, and what is refused. `docs/vendors/nvme.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from construct import Array, Bytes, BytesInteger, Int8ul, Int16ul, Int32ul, Int64ul, Struct, this

from transire.reference import attributes as a
from transire.reference.attributes import UNSAID, Stated, Value
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SIZE = BytesInteger(16, swapped=True)
STANDARD_HEADER = Struct("ver" / Int16ul, "attributes" / Int8ul, "reserved" / Bytes(13), "nvmecss" / SIZE, "vss" / SIZE)
"""NVMe 2.1: the sizes count dwords."""
RFC_HEADER = Struct(
    "ver" / Int16ul, "attributes" / Int8ul, "reserved" / Bytes(13), "nvmecss" / Int16ul, "vss" / Int16ul
)
"""The RFC of August 2025."""
STATE = Struct("ver" / Int16ul, "niosq" / Int16ul, "niocq" / Int16ul, "reserved" / Int16ul)
"""What the NVMe part begins with."""
SUBMISSION = Struct(
    "prp1" / Int64ul,
    "qsize" / Int16ul,
    "qid" / Int16ul,
    "cqid" / Int16ul,
    "attr" / Int16ul,
    "head" / Int16ul,
    "tail" / Int16ul,
    "reserved" / Int32ul,
)
"""An I/O submission queue."""
COMPLETION = Struct(
    "prp1" / Int64ul,
    "qsize" / Int16ul,
    "qid" / Int16ul,
    "head" / Int16ul,
    "tail" / Int16ul,
    "attr" / Int16ul,
    "vector" / Int16ul,
    "reserved" / Int32ul,
)
"""An I/O completion queue."""
SHORT_COMPLETION = Struct(
    "prp1" / Int64ul,
    "qsize" / Int16ul,
    "qid" / Int16ul,
    "head" / Int16ul,
    "tail" / Int16ul,
    "attr" / Int16ul,
    "reserved" / Int32ul,
)
"""The same as the RFC declares it."""
WHOLE_STANDARD = Struct(
    "header" / STANDARD_HEADER,
    "state" / STATE,
    "submissions" / Array(this.state.niosq, SUBMISSION),
    "completions" / Array(this.state.niocq, COMPLETION),
    "vendor_part" / Bytes(4 * this.header.vss),
)
"""A state of the standard that has an NVMe part."""

QUEUE = 24
"""Bytes of a queue, but for the RFC's completion queues."""
PAGE = 4096
"""The smallest page."""
STATE_DWORDS = 2 + 6 * 2 * 65_535
"""Most that the standard's NVMe part can have."""
VENDOR_DWORDS = 4 << 20
"""Most of the vendor's part that is taken."""
RFC_DWORDS = 1024
"""Most that either part has in the RFC."""


class Layout(NamedTuple):
    """What tells the two layouts apart."""

    name: str
    """The value of `state_layout`."""
    header: Struct[Any, Any]
    state: Callable[[int], bool]
    """Whether the NVMe part can have so many dwords."""
    vendor: int
    """The most dwords of the vendor's part."""
    sizes: tuple[int, int]
    """Where they stand."""


STANDARD = Layout(
    "nvme-2.1",
    STANDARD_HEADER,
    lambda dwords: dwords == 0 or (dwords <= STATE_DWORDS and dwords % 6 == 2),
    VENDOR_DWORDS,
    (16, 32),
)
RFC = Layout("rfc-2025", RFC_HEADER, lambda dwords: dwords != 1 and dwords <= RFC_DWORDS, RFC_DWORDS, (16, 18))


def like_standard(data: bytes, _: bool) -> Like:
    """What the first bytes say of the layout of the standard."""
    zero = data[0:2] + data[3:16] + data[19:32] + data[35:48]
    if any(zero) or any(byte > 1 for byte in data[2:3]):
        return Like.NO
    if len(data) < STANDARD_HEADER.sizeof():
        return Like.SHORT
    header = STANDARD_HEADER.parse(data)
    return Like.POSSIBLE if header.nvmecss or header.vss else Like.NO


def like_rfc(data: bytes, _: bool) -> Like:
    """What the first bytes say of the layout of the RFC."""
    if any(data[0:2] + data[3:16] + data[20:22]) or any(byte > 1 for byte in data[2:3]):
        return Like.NO
    size = RFC_HEADER.sizeof()
    if len(data) < size + STATE.sizeof():
        return Like.SHORT
    header, state = RFC_HEADER.parse(data), STATE.parse(data[size:])
    small = 0 < header.nvmecss <= RFC_DWORDS and header.vss <= RFC_DWORDS
    total = size + 4 * (header.nvmecss + header.vss)
    return Like.POSSIBLE if small and _completion_lengths(header, state) and len(data) <= total else Like.NO


def like_spdk(data: bytes, _: bool) -> Like:
    """What the first bytes say of SPDK's image."""
    magic = bytes.fromhex("23bcedaf")
    if data[:4] == magic:
        return Like.CERTAIN
    return Like.SHORT if magic.startswith(data) else Like.NO


def like_blob(data: bytes, ended: bool) -> Like:
    """What is left is the blob of 2022."""
    others = (like(data, ended) for like in (like_standard, like_rfc, like_spdk))
    return Like.OPAQUE if all(like is Like.NO for like in others) else Like.NO


def settle(attributes: Mapping[str, Value]) -> Chosen:
    """Whether the format of a vendor's part is named."""
    uuid = attributes.get("vendor_format")
    if uuid is None or uuid.type != a.TEXT:
        return {}
    return {"vendor-part": "none" if uuid.plain == "none" else "given"}


def refuse_spdk(_data: bytes, _ended: bool, _chosen: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """SPDK's image."""
    yield Reason("nvme.spdk-image", Outcome.UNRECOGNIZED, 0)


def refuse_blob(_data: bytes, _ended: bool, _chosen: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """The blob of 2022, or nothing known."""
    yield Reason("nvme.ipu-blob", Outcome.UNRECOGNIZED, 0)


def read_standard(data: bytes, ended: bool, chosen: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """A state of the standard."""
    yield from _until_fatal(_read(STANDARD, data, ended, chosen))


def read_rfc(data: bytes, ended: bool, chosen: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """A state of the RFC. What its queues say waits for all of it and the byte behind, or for the end."""
    yield from _until_fatal(_read(RFC, data, ended, chosen))


def _until_fatal(found: Iterator[Reason | dict[str, Stated]]) -> Iterator[Reason | dict[str, Stated]]:
    for one in found:
        yield one
        if isinstance(one, Reason) and one.outcome != Outcome.COMPATIBLE:
            return


def _corrupt(kind: str, at: int) -> Reason:
    return Reason(f"nvme.{kind}", Outcome.CORRUPT, at)


def _note(kind: str, at: int) -> Reason:
    return Reason(f"nvme.{kind}", Outcome.COMPATIBLE, at)


def _version(version: int, at: int) -> Iterator[Reason]:
    if version != 0:
        yield Reason("nvme.version", Outcome.UNRECOGNIZED, at)


def _cut(data: bytes) -> Reason:
    return Reason("stream.truncated", Outcome.TRUNCATED, len(data))


def _completion_lengths(header: Any, state: Any) -> list[int]:
    """How long completion queues can be that come to the size, in the RFC."""
    before = STATE.sizeof() + QUEUE * state.niosq
    return [size for size in (24, 22) if (before + size * state.niocq + 3) // 4 == header.nvmecss]


def _read(layout: Layout, data: bytes, ended: bool, chosen: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    size = layout.header.sizeof()
    if len(data) < size:
        if ended:
            yield _cut(data)
        return
    header = layout.header.parse(data)
    # The headers.
    yield from _version(header.ver, 0)
    if not header.attributes & 1:
        yield _corrupt("not-suspended", 2)
    if not layout.state(header.nvmecss):
        yield _corrupt("sizes", layout.sizes[0])
    if header.vss > layout.vendor:
        yield _corrupt("sizes", layout.sizes[1])
    said = {
        "vendor": Stated(Value(a.TEXT, "nvme"), None),
        "state_layout": Stated(Value(a.TEXT, layout.name), None),
        "pci_id": UNSAID,
        "driver_version": UNSAID,
    }
    if layout is STANDARD:
        said["hmlms"] = Stated(Value(a.BOOL, True), None)
    state, end, completion = None, size, QUEUE
    if header.nvmecss:
        if len(data) < size + STATE.sizeof():
            if ended:
                yield _cut(data)
            return
        state, end = STATE.parse(data[size:]), size + STATE.sizeof()
        yield from _version(state.ver, size)
        possible = _completion_lengths(header, state) if layout is RFC else [QUEUE]
        if (layout is STANDARD and 8 + QUEUE * (state.niosq + state.niocq) != 4 * header.nvmecss) or not possible:
            yield _corrupt("queue-counts", size + 2)
            return
        completion = possible[0]
        said["state_version"] = Stated(Value(a.UINT, 0), size)
        said["io_queues"] = Stated(Value(a.UINT, max(state.niosq, state.niocq)), size + 2)
    if header.vss and chosen.get("vendor-part") != "given":
        yield Reason("nvme.vendor-part", Outcome.UNRECOGNIZED, layout.sizes[1])
        return
    yield said
    total = size + 4 * (header.nvmecss + header.vss)
    if layout is RFC and len(data) <= total and not ended:
        return
    # Notes of the headers.
    if header.attributes & 0xFE:
        yield _note("reserved", 2)
    if any(header.reserved):
        yield _note("reserved", 3)
    if not header.nvmecss and not header.vss:
        yield _note("empty", 16)
    if state is not None and state.reserved:
        yield _note("reserved", size + 6)
    # The queues, and what stands behind them.
    if state is not None:
        queues = [(SUBMISSION, QUEUE)] * state.niosq
        queues += [(COMPLETION if completion == QUEUE else SHORT_COMPLETION, completion)] * state.niocq
        wanted: list[tuple[int, int]] = []
        there: list[int] = []
        longest: Stated | None = None
        scattered: Stated | None = None
        before, at = 0, end
        for number, (kind, length) in enumerate(queues):
            if len(data) < at + length:
                if ended:
                    yield _cut(data)
                return
            queue = kind.parse(data[at:])
            before = 0 if number == state.niosq else before
            yield from _queue(queue, kind, at, before)
            before = queue.qid
            if layout is RFC and kind is not SUBMISSION and state.niocq == 1:
                yield _note("entry-size", at + 16)
            if kind is SUBMISSION:
                wanted.append((queue.cqid, at + 12))
            else:
                there.append(queue.qid)
            if longest is None or queue.qsize + 1 > longest.value.plain:
                longest = Stated(Value(a.UINT, queue.qsize + 1), at + 8)
            if not queue.attr & 1 and scattered is None:
                scattered = Stated(Value(a.BOOL, False), at + (14 if kind is SUBMISSION else 16))
            at += length
        known = set(there)
        for cqid, place in wanted:
            if cqid not in known:
                yield _corrupt("completion-queue", place)
        if len(data) >= size + 4 * header.nvmecss and any(data[at : size + 4 * header.nvmecss]):
            yield _note("reserved", at)
        if longest is not None:
            said = {**said, "queue_entries": longest}
        if scattered is not None:
            said = {**said, "contiguous_queues": scattered}
        # In the RFC's layout, held whole, this is said of what passed.
        if layout is STANDARD or len(data) == total:
            yield said
    if len(data) < total:
        if ended:
            yield _cut(data)
        return
    if len(data) > total:
        yield Reason("stream.trailing", Outcome.CORRUPT, total)


def _queue(queue: Any, kind: Struct[Any, Any], at: int, before: int) -> Iterator[Reason]:
    """What is wrong with a queue, by ascending offset."""
    if queue.prp1 == 0 or queue.prp1 % PAGE:
        yield _corrupt("queue-base", at)
    if queue.qsize == 0:
        yield _corrupt("queue-size", at + 8)
    if queue.qid <= before:
        yield _corrupt("queue-id", at + 10)
    bits = [_note("reserved", at + (14 if kind is SUBMISSION else 16))] if queue.attr & 0xFFF8 else []
    head, tail = (16, 18) if kind is SUBMISSION else (12, 14)
    indexes = [
        _corrupt("queue-index", at + place)
        for place, index in ((head, queue.head), (tail, queue.tail))
        if index > queue.qsize
    ]
    yield from sorted(bits + indexes, key=lambda reason: reason.offset or 0)
    if queue.reserved:
        yield _note("reserved", at + (18 if kind is SHORT_COMPLETION else 20))
