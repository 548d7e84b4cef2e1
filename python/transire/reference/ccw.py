"""ccw: I/O subchannels of s390. `docs/vendors/ccw.md`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from transire.reference import attributes as a
from transire.reference.attributes import Known, Value
from transire.reference.compare import HOLDS, Both, Finding, has, plain
from transire.reference.judge import Absent, Rule, Vendor

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTRIBUTES = (
    Known(0x8100, "subchannel_type", a.UINT),
    Known(0x8101, "chpid_type", a.TEXT),
    Known(0x8102, "cu_type", a.TEXT),
    Known(0x8103, "cu_model", a.TEXT),
    Known(0x8104, "dev_type", a.TEXT),
    Known(0x8105, "dev_model", a.TEXT),
    Known(0x8106, "volume_uid", a.TEXT),
    Known(0x0107, "availability", a.TEXT),
    Known(0x0108, "subchannel", a.TEXT),
    Known(0x0109, "chpids", a.TEXT),
    Known(0x010A, "chpid_mask", a.MASK),
    Known(0x010B, "path_count", a.UINT),
)
"""What the vendor adds to the common ones."""
DIGITS = {"chpid_type": 2, "cu_type": 4, "cu_model": 2, "dev_type": 4, "dev_model": 2}
"""Hex digits of a target's values."""
STATES = ("good", "boxed", "no path", "no device")


def _good(_source: Value, target: Value, _: Both) -> Finding:
    return HOLDS if target.plain == "good" else Finding("not-is")


def _matters(both: Both) -> bool:
    return has(both.source, "availability") or plain(both.device, "availability") != "good"


def _possible(device: Mapping[str, Value]) -> bool:
    written = {name: device[name].plain for name in DIGITS if name in device and device[name].plain is not None}
    digits = all(re.fullmatch(f"[0-9a-f]{{{DIGITS[name]}}}", text) for name, text in written.items())
    state = device.get("availability")
    return digits and (state is None or state.plain in (None, *STATES))


VFIO_CCW, TYPE, GOOD = Value(a.TEXT, "vfio-ccw"), Value(a.TEXT, "vfio_ccw-io"), Value(a.TEXT, "good")
ASK = Absent.ASK

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("device_api", "is", VFIO_CCW, VFIO_CCW, driver=True, constant=VFIO_CCW),
        Rule("mdev_type", "is", TYPE, TYPE, driver=True, constant=TYPE),
        Rule("software_version", "version", Absent.IGNORE, Absent.IGNORE),
        Rule("subchannel_type", "equal"),
        Rule("chpid_type", "equal"),
        *(Rule(name, "equal", ASK, ASK) for name in ("cu_type", "cu_model", "dev_type", "dev_model", "volume_uid")),
        # The source's does not matter, but that of a source that has not reported it is not known.
        Rule("availability", _good, GOOD, Absent.WANT, when=_matters),
        *(
            Rule(name, "ignore", Absent.IGNORE, Absent.IGNORE)
            for name in ("subchannel", "chpids", "chpid_mask", "path_count")
        ),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `ccw`."""
