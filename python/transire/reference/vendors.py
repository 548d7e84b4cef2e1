"""The vendors and the native formats that the reference knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from transire.reference import ap, ccw, gvt_g, mtty, nvidia, nvme, qat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transire.reference.attributes import Stated
    from transire.reference.judge import Vendor
    from transire.reference.verdict import Reason


class Format(NamedTuple):
    """A native format: whose it is, its first bytes, and its reader."""

    vendor: str
    magic: bytes
    read: Callable[[bytes, bool], Iterator[Reason | dict[str, Stated]]]


VENDORS: dict[str, Vendor] = {
    "mtty": mtty.VENDOR,
    "gvt-g": gvt_g.VENDOR,
    "nvme": nvme.VENDOR,
    "qat": qat.VENDOR,
    "ccw": ccw.VENDOR,
    "ap": ap.VENDOR,
    "nvidia": nvidia.VENDOR,
}
"""By the value of the attribute `vendor`."""
FORMATS = {"mtty": Format("mtty", mtty.MAGIC, mtty.read)}
"""By the value of the attribute `payload_format`."""
