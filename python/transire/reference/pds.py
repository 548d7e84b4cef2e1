"""pds: the states of AMD/Pensando cards, of which nothing is known but the length. `docs/vendors/pds.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from construct import Array, Int32ul

from transire.reference import attributes as a
from transire.reference.attributes import UNSAID, Stated, Value
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = Array(16384, Int32ul)
"""What the driver's header declares."""


def like(_: bytes, __: bool) -> Like:
    """No bytes say anything."""
    return Like.OPAQUE


def read(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the beginning of a stream: nothing before the byte behind the last one, or the
    end.
    """
    size = STATE.sizeof()
    if len(data) <= size and not ended:
        return
    if not data:
        yield Reason("stream.truncated", Outcome.TRUNCATED, 0)
        return
    yield {"vendor": Stated(Value(a.TEXT, "pds"), None), "pci_id": UNSAID}
    if len(data) < size:
        yield Reason("pds.length", Outcome.COMPATIBLE, len(data))
    if len(data) > size:
        yield Reason("stream.trailing", Outcome.CORRUPT, size)


VFIO_PCI = Value(a.TEXT, "vfio-pci")

VENDOR = Vendor(
    (),
    (
        Rule("pci_id", "equal", Absent.WANT, Absent.WANT),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    lambda _: {},
    lambda _: None,
    lambda _: True,
)
"""The vendor `pds`, which has no attributes of its own."""
