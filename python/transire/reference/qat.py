"""qat: the stream of Intel QuickAssist virtual functions, their attributes and their rules. `docs/vendors/qat.md`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from construct import Bytes, Const, Int16ul, Int32ul, Int64ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import AWAITED, UNSAID, Known, Stated, Value
from transire.reference.compare import HOLDS, Both, Finding
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.verdict import Chosen, Outcome, Reason, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAGIC = bytes.fromhex("eacaf5ad")
"""0xADF5CAEA."""
STREAM = 4096
"""Bytes of a stream."""

PREAMBLE = Struct(
    "magic" / Const(MAGIC), "version" / Int32ul, "preh_len" / Int16ul, "n_sects" / Int16ul, "size" / Int32ul
)
"""What a block begins with."""
SECTION = Struct("id" / Bytes(8), "size" / Int32ul, "sub_sects" / Int32ul)
"""The header of a section."""
RATE_LIMIT = Struct("srv" / Int32ul, "padding" / Bytes(4), "rp_mask" / Int64ul, "cir" / Int32ul, "pir" / Int32ul)
"""A record of GENER/sla."""


class Group(NamedTuple):
    """A section that has others: which, in their order, and how many of them at least."""

    sections: dict[bytes, Content]
    least: int


class Leaf(NamedTuple):
    """A section that has a value: its bytes, and the greatest value."""

    size: int
    most: int | None = None


LIMITS, BANK = "rate limits", "the registers of a bank"
Content = Group | Leaf | str


def _group(**sections: Content) -> Group:
    return Group({name.encode(): content for name, content in sections.items()}, len(sections))


SETUP = _group(CONFIG=_group(gencap=Leaf(4), svcmap=Leaf(2), extdc=Leaf(4)))
STATE = _group(
    GENER=_group(iovinit=Leaf(1, 1), compver=Leaf(1), sla=LIMITS),
    MISCBAR=_group(**dict.fromkeys(("visrc", "vimsk", "vispv", "vimpv", "pf2vm", "vm2pf"), Leaf(4))),
    ETRBAR=_group(**{f"bnk{bank:x}": _group(mregs=BANK) for bank in range(16)})._replace(least=1),
)
"""The two blocks, in the one form in which drivers save them."""
BANK_SIZE = 472
RINGEXPSTAT = slice(72, 76)
UNSAVED = ((4, 8), (32, 44), (56, 60), (84, 88), (108, 112), (132, 136), (136, 472))
"""Bytes of a bank that no driver saves."""
SERVICES = ("asym", "sym", "dc", "decomp")
"""By the driver's number of each."""
LIMITS_MOST = 4

ATTRIBUTES = (
    Known(0x8100, "stream_version", a.UINT),
    Known(0x8101, "capabilities", a.MASK),
    Known(0x8102, "service_map", a.UINT, lambda number: number < 1 << 16),
    Known(0x8103, "extended_compression", a.MASK),
    Known(0x0104, "pfvf_version", a.UINT, lambda number: number < 1 << 8),
    Known(0x8105, "rate_limits", a.MAP),
    Known(0x8106, "ring_banks", a.UINT, lambda number: 1 <= number <= 16),
)
"""What the vendor adds to the common ones."""
PHYSICAL = tuple((0x8086, device) for device in (0x4940, 0x4942, 0x4944, 0x4946, 0x4948))
"""Ids of physical functions, which no target is."""

NO_LIMITS = {"none": "none"}
_KEY = re.compile(r"(asym|sym|dc|decomp) 0x([0-9a-fA-F]+)", re.ASCII)
_RATES = re.compile(r"([0-9]+)/([0-9]+)", re.ASCII)


def read(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the beginning of a stream, in order; see `mtty.read`. The source is known after
    the setup block, and anew after the whole stream.
    """
    size = PREAMBLE.sizeof()
    if len(data) < size and not ended:
        return
    if data[:4] != MAGIC[: len(data)]:
        yield Reason("magic.unrecognized", Outcome.UNRECOGNIZED, 0)
        return
    cut = Reason("stream.truncated" if len(data) >= 4 else "magic.truncated", Outcome.TRUNCATED, len(data))
    if len(data) < size:
        yield cut
        return
    setup = _Walk(data)
    try:
        end = setup.preamble(0, SETUP)
        if len(data) >= end:
            setup.block(0, SETUP)
    except Stop as stop:
        yield stop.reason
        return
    if len(data) < end:
        if ended:
            yield cut
        return
    source = {
        "vendor": Stated(Value(a.TEXT, "qat"), None),
        "stream_version": Stated(Value(a.UINT, 1), 4),
        "capabilities": Stated(Value(a.MASK, Int32ul.parse(data[48:52])), 48),
        "service_map": Stated(Value(a.UINT, Int16ul.parse(data[68:70])), 68),
        "extended_compression": Stated(Value(a.MASK, Int32ul.parse(data[86:90])), 86),
        "pci_id": UNSAID,
    }
    yield source | dict.fromkeys(("pfvf_version", "rate_limits", "ring_banks"), AWAITED)
    if len(data) <= STREAM and not ended:
        return
    if len(data) < STREAM:
        yield cut
        return
    whole = _Walk(data[:STREAM])
    try:
        end = whole.block(whole.block(0, SETUP), STATE)
        whole.padding(end, STREAM)
    except Stop as stop:
        yield from whole.notes
        yield stop.reason
        return
    yield from whole.notes
    if len(data) > STREAM:
        yield Reason("stream.trailing", Outcome.CORRUPT, STREAM)
        return
    said = {f"{SERVICES[limit.srv]} {limit.rp_mask:#x}": f"{limit.cir}/{limit.pir}" for limit in whole.limits}
    banks_at = 320 + RATE_LIMIT.sizeof() * len(whole.limits)
    yield source | {
        "pfvf_version": Stated(Value(a.UINT, data[155]), 155),
        "rate_limits": Stated(Value(a.MAP, said or NO_LIMITS), 172),
        "ring_banks": Stated(Value(a.UINT, whole.banks), banks_at),
    }


class _Walk:
    """A walk over blocks: notes, what was found of limits and banks, and a `Stop` for the first error."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.notes: list[Reason] = []
        self.limits: list[Any] = []
        self.banks = 0
        self.padded = False

    def preamble(self, start: int, block: Group) -> int:
        """Checks a preamble; where its block ends."""
        if self.data[start : start + 4] != MAGIC:
            _stop("preamble", start)
        head = PREAMBLE.parse(self.data[start : start + 16])
        if head.version != 1:
            _stop("version", start + 4, Outcome.UNRECOGNIZED)
        if head.preh_len != 16:
            _stop("preamble", start + 8)
        if head.size > STREAM - start - 16:
            _stop("section-bounds", start + 12)
        if head.n_sects != len(block.sections):
            _stop("section-count", start + 10)
        self.padded = False
        end: int = start + 16 + head.size
        return end

    def block(self, start: int, block: Group) -> int:
        """Checks a block; where it ends."""
        end = self.preamble(start, block)
        if self.sections(start + 16, end, len(block.sections), block) != end:
            _stop("section-size", start + 12)
        return end

    def sections(self, at: int, end: int, count: int, group: Group) -> int:
        """Checks so many sections of a group; where the last one ends."""
        for name in list(group.sections)[:count]:
            if end - at < 16:
                _stop("section-bounds", at)
            head = SECTION.parse(self.data[at : at + 16])
            if head.size > end - at - 16:
                _stop("section-bounds", at + 8)
            found = head.id.partition(b"\0")[0]
            if found not in group.sections:
                _stop("section-unknown", at, Outcome.UNRECOGNIZED)
            if found != name:
                _stop("section-order", at)
            self.padded = self.padded or self.padding(at + len(name), at + 8)
            content = group.sections[name]
            least, most = (content.least, len(content.sections)) if isinstance(content, Group) else (0, 0)
            if not least <= head.sub_sects <= most:
                _stop("section-count", at + 12)
            self.content(at + 16, head, content)
            at += 16 + head.size
        return at

    def content(self, at: int, head: Any, content: Content) -> None:
        """Checks what stands behind a section's header."""
        size, end = at - 8, at + head.size
        if isinstance(content, Group):
            if self.sections(at, end, head.sub_sects, content) != end:
                _stop("section-size", size)
        elif isinstance(content, Leaf):
            if head.size != content.size:
                _stop("section-size", size)
            if content.most is not None and self.data[at] > content.most:
                _stop("flag-byte", at)
        elif content == LIMITS:
            if head.size % RATE_LIMIT.sizeof() or head.size > LIMITS_MOST * RATE_LIMIT.sizeof():
                _stop("section-size", size)
            for record in range(at, end, RATE_LIMIT.sizeof()):
                self.limit(record)
        else:
            if head.size != BANK_SIZE:
                _stop("section-size", size)
            self.bank(at)

    def limit(self, at: int) -> None:
        """Checks a rate limit."""
        limit = RATE_LIMIT.parse(self.data[at : at + RATE_LIMIT.sizeof()])
        if limit.srv >= len(SERVICES):
            _stop("rate-limit", at)
        again = any((limit.srv, limit.rp_mask) == (other.srv, other.rp_mask) for other in self.limits)
        if limit.rp_mask == 0 or again:
            _stop("rate-limit", at + 8)
        self.padding(at + 4, at + 8)
        self.limits.append(limit)

    def bank(self, at: int) -> None:
        """Notes what is odd about a bank."""
        self.banks += 1
        if any(self.data[at : at + BANK_SIZE][RINGEXPSTAT]):
            self.notes.append(Reason("qat.exception", Outcome.COMPATIBLE, at + RINGEXPSTAT.start))
        any(self.padding(at + first, at + last) for first, last in UNSAVED)

    def padding(self, first: int, last: int) -> bool:
        """Notes the first byte of a place that is not zero; whether there is one."""
        for at in range(first, last):
            if self.data[at]:
                self.notes.append(Reason("qat.padding", Outcome.COMPATIBLE, at))
                return True
        return False


def _stop(identity: str, offset: int, outcome: Outcome = Outcome.CORRUPT) -> None:
    raise Stop(Reason(f"qat.{identity}", outcome, offset))


class Limit(NamedTuple):
    """A rate limit."""

    service: str
    mask: int
    committed: int
    peak: int


def limits(said: Mapping[str, str]) -> list[Limit] | None:
    """The limits, or None if something is written otherwise."""
    found: list[Limit] = []
    for key, value in said.items():
        if (key, value) == ("none", "none"):
            continue
        what, rates = _KEY.fullmatch(key), _RATES.fullmatch(value)
        if what is None or rates is None:
            return None
        limit = Limit(what[1], int(what[2], 16), int(rates[1]), int(rates[2]))
        if limit.mask >> 64 or limit.committed >> 32 or limit.peak >> 32:
            return None
        found.append(limit)
    return found


def _protocol(source: Value, target: Value, _: Both) -> Finding:
    if source.plain == 0:
        return Finding(notes=("absent",))
    return Finding(notes=("newer-than-target",)) if source.plain > target.plain else HOLDS


def _rate_limits(source: Value, target: Value, _: Both) -> Finding:
    asked, there = limits(source.plain), limits(target.plain)
    if asked is None or there is None:
        return Finding("refused")
    alike = [[other for other in there if other[:2] == one[:2]] for one in asked]
    if not all(alike):
        return Finding("not-subset")
    met = (
        any(one.committed <= other.committed and one.peak <= other.peak for other in others)
        for one, others in zip(asked, alike, strict=True)
    )
    return HOLDS if all(met) else Finding("not-at-least")


def _possible(device: Mapping[str, Value]) -> bool:
    said, identity = device.get("rate_limits"), device.get("pci_id")
    sound = said is None or said.plain is None or limits(said.plain) is not None
    return sound and (identity is None or identity.plain not in PHYSICAL)


VFIO_PCI = Value(a.TEXT, "vfio-pci")
ONE, FOUR = Value(a.UINT, 1), Value(a.UINT, 4)
"""What `stream_version` and `ring_banks` are where a profile does not say it."""

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("stream_version", "at-least", ONE, ONE, driver=True),
        Rule("capabilities", "subset", driver=True),
        Rule("service_map", "equal", driver=True),
        Rule("extended_compression", "subset", driver=True),
        Rule("pfvf_version", _protocol, Absent.IGNORE, Absent.IGNORE, driver=True),
        Rule("rate_limits", _rate_limits, Absent.WANT, Value(a.MAP, NO_LIMITS), driver=True),
        Rule("ring_banks", "equal", FOUR, FOUR, driver=True),
        Rule("pci_id", "equal"),
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, driver=True, constant=VFIO_PCI),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `qat`."""
