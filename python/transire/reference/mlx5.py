"""mlx5: virtual functions of NVIDIA ConnectX adapters. `docs/vendors/mlx5.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from construct import Const, Int64ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.records import HEADER, HEADER_LEN, OPTIONAL, RECORD_MAX, check, source_first, truncated
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from transire.reference.records import Found

FW_DATA, STOP_COPY_SIZE = 0, 1
FLAGS = {"records": {FW_DATA: 0, STOP_COPY_SIZE: OPTIONAL}, "records-6.2": {FW_DATA: 0}}
"""The tags of each layout, with the flags that a driver writes with them."""
FIRST = Struct("record_size" / Const(8, Int64ul), "flags" / Const(b"\1\0\0\0"), "tag" / Const(b"\1\0\0\0")).build({})
"""What a stream begins with."""
HINT = Struct("size" / Int64ul)
PAGE = 4096
HINT_MAX = RECORD_MAX + 1 - PAGE

ATTRIBUTES = (Known(0x0100, "firmware_version", a.VERSION),)
"""What the vendor adds to the common ones."""
VIRTUAL_FUNCTION = (0x15B3, 0x101E)


def like(data: bytes, _: bool) -> Like:
    """Whether the bytes are those of the first record. An image without records begins with any."""
    if data[:HEADER_LEN] == FIRST:
        return Like.POSSIBLE
    return Like.SHORT if FIRST.startswith(data) else Like.OPAQUE


def settle(device: Mapping[str, Value]) -> Chosen:
    """The layout, by the driver's version: one before 6.2 knows no records."""
    version = device.get("driver_version")
    old = version is not None and version.type == a.VERSION and version.plain < (6, 2, 0)
    return {"layout": "image"} if old else {}


def read(data: bytes, ended: bool, chosen: Chosen) -> Iterator[Found]:
    """What the strict standard finds in the beginning of a stream, as `mtty.read` says it."""
    layout = chosen.get("layout", "records")
    if layout == "image":
        yield {"vendor": Stated(Value(a.TEXT, "mlx5"), None)}
        if ended and not data:
            yield truncated(data)
        elif len(data) > RECORD_MAX:
            yield Reason("stream.trailing", Outcome.CORRUPT, RECORD_MAX)
        return
    yield from source_first(_records(data, ended, layout))


def _records(data: bytes, ended: bool, layout: str) -> Iterator[Found]:
    at, number, images = 0, 0, False
    known = FLAGS[layout]
    while len(data) - at >= HEADER_LEN:
        header = HEADER.parse(data[at:])
        for reason in (*check("mlx5", header, at, known), *_wrong(header.tag, header.record_size, at, layout)):
            yield reason
            if reason.outcome != Outcome.COMPATIBLE:
                return
        if number == 0:
            yield {"vendor": Stated(Value(a.TEXT, "mlx5"), None)}
        body = data[at + HEADER_LEN : at + HEADER_LEN + header.record_size]
        if len(body) < header.record_size:
            if ended:
                yield truncated(data)
            return
        if known.get(header.tag) == OPTIONAL:
            hint = HINT.parse(body).size
            if hint > HINT_MAX:
                yield Reason("mlx5.hint-max", Outcome.CORRUPT, at + HEADER_LEN)
                return
            if hint == 0 or hint % PAGE:
                yield Reason("mlx5.hint", Outcome.COMPATIBLE, at + HEADER_LEN)
        images = images or header.tag == FW_DATA
        at += HEADER_LEN + header.record_size
        number += 1
    if ended and (at < len(data) or not images):
        yield truncated(data)


def _wrong(tag: int, size: int, at: int, layout: str) -> Iterator[Reason]:
    """What is wrong with a record of this tag and size, where it stands; an error is the last."""
    if layout == "records":
        if at == 0 and tag != STOP_COPY_SIZE:
            yield Reason("mlx5.order", Outcome.CORRUPT, at + 12)
            return
        if at > 0 and tag == STOP_COPY_SIZE:
            yield Reason("mlx5.order", Outcome.CORRUPT, at + 12)
            return
        if tag == STOP_COPY_SIZE and size != HINT.sizeof():
            yield Reason("mlx5.record-size", Outcome.CORRUPT, at)
    if tag == FW_DATA and size == 0:
        yield Reason("mlx5.record-size", Outcome.CORRUPT, at)


def _possible(device: Mapping[str, Value]) -> bool:
    identity = device.get("pci_id")
    return identity is None or identity.plain in (None, VIRTUAL_FUNCTION)


VFIO_PCI = Value(a.TEXT, "vfio-pci")
"""What `device_api` is where a profile does not say it, and must be."""

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("pci_id", "equal", Absent.IGNORE, Absent.IGNORE),
        Rule("firmware_version", "equal", Absent.IGNORE, Absent.IGNORE, ask=True),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `mlx5`."""
