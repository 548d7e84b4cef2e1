"""hisi-acc: the stream of the HiSilicon accelerators, its attributes and its rules. `docs/vendors/hisi-acc.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import Array, Bytes, Int16ul, Int32ul, Int64ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.judge import Rule, Vendor
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

V2 = bytes.fromhex("dedecadeedfeccaa")
V1 = bytes.fromhex("ccaaedfecdcdcdcd")

MATCH = Struct(
    "acc_magic" / Bytes(8),
    "qp_num" / Int32ul,
    "dev_id" / Int32ul,
    "que_iso_cfg" / Int32ul,
    "qp_base" / Int32ul,
    "vf_qm_state" / Int32ul,
    "major_ver" / Int16ul,
    "minor_ver" / Int16ul,
    "qm_rsv_state" / Array(2, Int32ul),
)
"""What the driver gives in pre-copy; of V1, the version is a reserved word."""
STATE = Struct(
    "aeq_int_mask" / Int32ul,
    "eq_int_mask" / Int32ul,
    "ifc_int_source" / Int32ul,
    "ifc_int_mask" / Int32ul,
    "ifc_int_set" / Int32ul,
    "page_size" / Int32ul,
    "qm_eqc_dw" / Array(7, Int32ul),
    "qm_aeqc_dw" / Array(7, Int32ul),
    "qm_rsv_regs" / Array(5, Int32ul),
    "padding" / Int32ul,
    "eqe_dma" / Int64ul,
    "aeqe_dma" / Int64ul,
    "sqc_dma" / Int64ul,
    "cqc_dma" / Int64ul,
)
"""What follows it where the device was ready."""
WHOLE = MATCH.sizeof() + STATE.sizeof()
"""Bytes of a stream that has both: 176."""

ATTRIBUTES = (
    Known(0x8100, "qp_num", a.UINT, lambda number: 1 <= number < 1 << 32),
    Known(0x8101, "que_iso_cfg", a.UINT, lambda number: number < 1 << 32),
    Known(0x8102, "stream_version", a.UINT, lambda number: number in (1, 2)),
)
"""What the vendor adds to the common ones."""
PCI_VENDOR = 0x19E5
"""Filled in: the stream has the device id alone."""
PHYSICAL = ((PCI_VENDOR, 0xA250), (PCI_VENDOR, 0xA255), (PCI_VENDOR, 0xA258))
"""Ids of physical functions, which no target is."""


def like(data: bytes, _: bool) -> Like:
    """How much the first bytes look like a stream of either version."""
    if data[:8] in (V1, V2):
        return Like.CERTAIN
    return Like.SHORT if V1.startswith(data) or V2.startswith(data) else Like.NO


def read(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the beginning of a stream, in order: reasons, and what the source states as
    soon as it is known. The first reason that is no note is the last thing found; `ended` says that no more will come.
    """
    if len(data) < MATCH.sizeof() and not ended:
        return
    if like(data, ended) is Like.NO:
        yield Reason("magic.unrecognized", Outcome.UNRECOGNIZED, 0)
        return
    if len(data) < MATCH.sizeof():
        yield Reason("magic.truncated" if len(data) < 8 else "stream.truncated", Outcome.TRUNCATED, len(data))
        return
    match = MATCH.parse(data)
    error = _error(match)
    if error:
        yield error
        return
    yield {
        "vendor": Stated(Value(a.TEXT, "hisi-acc"), None),
        "pci_id": Stated(Value(a.PCI_ID, (PCI_VENDOR, match.dev_id)), 12),
        "qp_num": Stated(Value(a.UINT, match.qp_num), 8),
        "que_iso_cfg": Stated(Value(a.UINT, match.que_iso_cfg), 16),
        "stream_version": Stated(Value(a.UINT, 2 if match.acc_magic == V2 else 1), 0),
    }
    if len(data) <= WHOLE and not ended:
        return
    if len(data) < WHOLE and len(data) != MATCH.sizeof():
        yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
        return
    for reason in _findings(match, data):
        yield reason
        if reason.outcome != Outcome.COMPATIBLE:
            return


def _error(match: Any) -> Reason | None:
    """The first check of the match part that fails."""
    if match.acc_magic == V2 and match.major_ver != 1:
        return Reason("hisi-acc.version", Outcome.UNRECOGNIZED, 28)
    if match.dev_id > 0xFFFF:
        return Reason("hisi-acc.dev-id", Outcome.CORRUPT, 12)
    if match.qp_num == 0:
        return Reason("hisi-acc.qp-num", Outcome.CORRUPT, 8)
    if match.vf_qm_state > 1:
        return Reason("hisi-acc.vf-qm-state", Outcome.CORRUPT, 24)
    return None


def _findings(match: Any, data: bytes) -> Iterator[Reason]:
    """What is found in a stream of 40 bytes, or of 176 and perhaps more."""
    if len(data) >= WHOLE and match.vf_qm_state == 1:
        yield Reason("hisi-acc.vf-qm-state", Outcome.CORRUPT, 24)
    words = [match.major_ver | match.minor_ver, 28] if match.acc_magic == V1 else [match.minor_ver, 30]
    for number, at in (words, (match.qm_rsv_state[0], 32), (match.qm_rsv_state[1], 36)):
        if number:
            yield Reason("hisi-acc.reserved", Outcome.COMPATIBLE, at)
    if len(data) == MATCH.sizeof():
        if match.vf_qm_state == 0:
            yield Reason("hisi-acc.match-only", Outcome.COMPATIBLE, MATCH.sizeof())
        return
    state = STATE.parse(data[MATCH.sizeof() :])
    masks = (state.aeq_int_mask, state.eq_int_mask, state.ifc_int_source, state.ifc_int_mask)
    for at, register, most in zip(
        range(40, 64, 4), (*masks, state.ifc_int_set, state.page_size), (1, 1, 1, 1, 0, 1), strict=True
    ):
        if register > most:
            yield Reason("hisi-acc.register", Outcome.COMPATIBLE, at)
    for at, word in zip(range(120, 144, 4), (*state.qm_rsv_regs, state.padding), strict=True):
        if word:
            yield Reason("hisi-acc.reserved", Outcome.COMPATIBLE, at)
    addresses = {}
    for at, stated, words in ((144, state.eqe_dma, state.qm_eqc_dw), (152, state.aeqe_dma, state.qm_aeqc_dw)):
        addresses[at] = words[2] << 32 | words[1]
        if stated != addresses[at]:
            if match.acc_magic == V1 and stated == words[1] << 32 | words[0]:
                yield Reason("hisi-acc.old-address", Outcome.COMPATIBLE, at)
            else:
                yield Reason("hisi-acc.address", Outcome.CORRUPT, at)
        if addresses[at] % 32:
            yield Reason("hisi-acc.alignment", Outcome.COMPATIBLE, at)
    for at, stated in ((160, state.sqc_dma), (168, state.cqc_dma)):
        addresses[at] = stated
        if stated % 32:
            yield Reason("hisi-acc.alignment", Outcome.COMPATIBLE, at)
    missing = [at for at, address in addresses.items() if address == 0]
    if missing:
        yield Reason("hisi-acc.not-loaded", Outcome.COMPATIBLE, missing[0])
    if len(data) > WHOLE:
        yield Reason("stream.trailing", Outcome.CORRUPT, WHOLE)


def _possible(device: Mapping[str, Value]) -> bool:
    identity = device.get("pci_id")
    return identity is None or identity.plain not in PHYSICAL


VFIO_PCI = Value(a.TEXT, "vfio-pci")
TWO = Value(a.UINT, 2)
"""What `stream_version` is where a profile does not say it."""

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("stream_version", "at-least", TWO, TWO, driver=True),
        Rule("pci_id", "equal", driver=True),
        Rule("qp_num", "equal", driver=True),
        Rule("que_iso_cfg", "equal", driver=True),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `hisi-acc`."""
