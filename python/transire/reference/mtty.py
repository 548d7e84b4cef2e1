"""mtty: the stream of the sample driver, its attributes and its rules. `docs/vendors/mtty.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from construct import Array, Bytes, Const, Int8ul, Int16ul, Int32ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.verdict import Chosen, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAGIC = bytes.fromhex("4e2c3e8c89099d7e")
"""0x7E9D09898C3E2C4E."""

HEADER = Struct(
    "magic" / Const(MAGIC),
    "major_ver" / Int32ul,
    "minor_ver" / Int32ul,
    "nr_ports" / Int32ul,
    "flags" / Int32ul,
)
"""What the driver gives in pre-copy."""
PORT = Struct(
    "uart_reg" / Bytes(8),
    "fifo" / Bytes(16),
    "head" / Int8ul,
    "tail" / Int8ul,
    "count" / Int8ul,
    "dlab" / Int8ul,
    "overrun" / Int8ul,
    "padding_29" / Int8ul,
    "divisor" / Int16ul,
    "fcr" / Int8ul,
    "max_fifo_size" / Int8ul,
    "intr_trigger_level" / Int8ul,
    "padding_35" / Int8ul,
)
"""The record of a port."""
STREAM = Struct("header" / HEADER, "ports" / Array(lambda at: at.header.nr_ports, PORT))
"""A stream, whole."""

ATTRIBUTES = (
    Known(0x8100, "nr_ports", a.UINT, lambda number: number in (1, 2)),
    Known(0x8101, "stream_version", a.VERSION),
)
"""What the vendor adds to the common ones."""


class Check(NamedTuple):
    """A check of a field, with the offset in its structure."""

    id: str
    outcome: Outcome
    offset: int
    holds: Callable[[Any], bool]


HEADER_CHECKS = (
    Check("mtty.version", Outcome.UNRECOGNIZED, 8, lambda header: header.major_ver == 1),
    Check("mtty.version", Outcome.UNRECOGNIZED, 12, lambda header: header.minor_ver == 0),
    Check("mtty.flags", Outcome.UNRECOGNIZED, 20, lambda header: header.flags == 0),
    Check("mtty.nr-ports", Outcome.CORRUPT, 16, lambda header: header.nr_ports in (1, 2)),
)
"""In the order of the page: flags before the number of ports."""
PORT_CHECKS = (
    Check("mtty.head", Outcome.CORRUPT, 24, lambda port: port.head <= 15),
    Check("mtty.tail", Outcome.CORRUPT, 25, lambda port: port.tail <= 15),
    Check("mtty.count", Outcome.CORRUPT, 26, lambda port: port.count <= 16),
    Check("mtty.ring", Outcome.CORRUPT, 26, lambda port: (port.head - port.tail - port.count) % 16 == 0),
    Check("mtty.flag-byte", Outcome.CORRUPT, 27, lambda port: port.dlab in (0, 1)),
    Check("mtty.flag-byte", Outcome.CORRUPT, 28, lambda port: port.overrun in (0, 1)),
    Check("mtty.padding", Outcome.COMPATIBLE, 29, lambda port: port.padding_29 == 0),
    Check("mtty.max-fifo-size", Outcome.CORRUPT, 33, lambda port: port.max_fifo_size in (1, 16)),
    Check("mtty.intr-trigger-level", Outcome.COMPATIBLE, 34, lambda port: port.intr_trigger_level <= 1),
    Check("mtty.padding", Outcome.COMPATIBLE, 35, lambda port: port.padding_35 == 0),
)
"""By ascending offset; those that are compatible are notes."""


def read(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the beginning of a stream, in order: reasons, and what the source states as
    soon as it is known. The first reason that is no note is the last thing found. More data only adds to what was
    found; `ended` says that no more will come.

    Enough is there for the header, its magic included, when all of it is; for the ports when the stream is whole, which
    the byte behind it tells, or the end.
    """
    size = HEADER.sizeof()
    if len(data) < size and not ended:
        return
    if data[:8] != MAGIC[: len(data)]:
        yield Reason("magic.unrecognized", Outcome.UNRECOGNIZED, 0)
        return
    if len(data) < size:
        yield Reason("magic.truncated" if len(data) < 8 else "stream.truncated", Outcome.TRUNCATED, len(data))
        return
    header = HEADER.parse(data[:size])
    for reason in _found(HEADER_CHECKS, header, 0):
        yield reason
        return
    yield {
        "vendor": Stated(Value(a.TEXT, "mtty"), None),
        "nr_ports": Stated(Value(a.UINT, header.nr_ports), 16),
        "stream_version": Stated(Value(a.VERSION, (header.major_ver, header.minor_ver, 0)), 8),
    }
    total = size + header.nr_ports * PORT.sizeof()
    if len(data) <= total and not ended:
        return
    if len(data) < total:
        yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
        return
    for at in range(size, total, PORT.sizeof()):
        for reason in _found(PORT_CHECKS, PORT.parse(data[at:total]), at):
            yield reason
            if reason.outcome != Outcome.COMPATIBLE:
                return
    if len(data) > total:
        yield Reason("stream.trailing", Outcome.CORRUPT, total)


def _found(checks: tuple[Check, ...], fields: Any, at: int) -> Iterator[Reason]:
    return (Reason(check.id, check.outcome, at + check.offset) for check in checks if not check.holds(fields))


TYPES = {"mtty-1": 1, "mtty-2": 2}
"""Ports of the cards of each `mdev_type`."""


def _ports_of_type(device: Mapping[str, Value]) -> int | None:
    kind = device.get("mdev_type")
    return TYPES.get(kind.plain) if kind else None


def _derive(device: Mapping[str, Value]) -> dict[str, Value]:
    ports = _ports_of_type(device)
    return {} if ports is None or "nr_ports" in device else {"nr_ports": Value(a.UINT, ports)}


def _contradiction(device: Mapping[str, Value]) -> str | None:
    ports, said = _ports_of_type(device), device.get("nr_ports")
    if ports is None or said is None or said.plain in (None, ports):
        return None
    return "nr_ports"


def _possible(device: Mapping[str, Value]) -> bool:
    kind = device.get("mdev_type")
    return _contradiction(device) is None and (kind is None or kind.plain in (None, *TYPES))


VFIO_PCI = Value(a.TEXT, "vfio-pci")
"""What `device_api` is where a profile does not say it, and must be."""
FIRST_VERSION = Value(a.VERSION, (1, 0, 0))
"""What `stream_version` is where a profile does not say it."""

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("stream_version", "equal", FIRST_VERSION, FIRST_VERSION, driver=True),
        Rule("nr_ports", "equal", Absent.WANT, Absent.WANT, driver=True),
        Rule("mdev_type", "equal", Absent.IGNORE, Absent.IGNORE, driver=True),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    _derive,
    _contradiction,
    _possible,
)
"""The vendor `mtty`."""
