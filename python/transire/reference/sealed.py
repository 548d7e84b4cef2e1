"""The sealed stream, the profile and the answer: their layout, and the checks in their order. `docs/format.md`.

The numbers in the comments are those of "Order of checks".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import (
    Bytes,
    BytesInteger,
    Const,
    FixedSized,
    GreedyBytes,
    GreedyRange,
    If,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64ul,
    RepeatUntil,
    Struct,
    Terminated,
)

from transire.reference import attributes as a
from transire.reference.attributes import Stated, Value
from transire.reference.blake3 import blake3
from transire.reference.crc32c import crc32c
from transire.reference.judge import judge
from transire.reference.vendors import FORMATS, VENDORS
from transire.reference.verdict import Outcome, Reading, Reason, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transire.reference.attributes import Known
    from transire.reference.target import Target

MAGIC = b"TRANSIRE"
"""The first bytes of every envelope."""

PROLOGUE = Struct(
    "magic" / Const(MAGIC),
    "header_len" / Int32ul,
    "header_crc" / Int32ul,
    "major" / Int16ul,
    "minor" / Int16ul,
    "content" / Int8ul,
    "zero" / BytesInteger(3),
    "features" / Int32ul,
    "prologue_crc" / Int32ul,
)
"""The same in every version."""
PROFILE, SEALED_STREAM, ANSWER = 1, 2, 3

FRAME_HEAD = Struct(
    "kind" / Int8ul,
    "phase" / Int8ul,
    "head_check" / Int16ul,
    "len" / Int32ul,
    "seq" / Int32ul,
    "crc" / Int32ul,
)
"""What stands before the payload of each frame."""
FRAME = Struct("head" / FRAME_HEAD, "payload" / Bytes(lambda at: at.head.len))
"""A frame, whole."""
END_PAYLOAD = Struct("total" / Int64ul, "digest" / GreedyBytes)
"""The payload of an end frame."""
DATA, END, ABORT, ANCILLARY = 1, 2, 3, 0x80
INITIAL, ITERATIVE, STOP_COPY, UNSPECIFIED = 1, 2, 3, 4

ENVELOPE = Struct(
    "prologue" / PROLOGUE,
    "header" / FixedSized(lambda at: at.prologue.header_len, GreedyRange(a.ATTRIBUTE)),
    "frames"
    / If(
        lambda at: at.prologue.content == SEALED_STREAM,
        RepeatUntil(lambda frame, _frames, _at: frame.head.kind in (END, ABORT), FRAME),
    ),
    Terminated,
)
"""A sealed stream, a profile or an answer, whole: the layout alone, without a check of anything."""

MANDATORY = {
    PROFILE: ("vendor",),
    SEALED_STREAM: ("vendor", "payload_format", "digest", "stream_id"),
    ANSWER: ("vendor", "stream_id", *(known.name for known in a.ANSWER if known.id & a.CRITICAL)),
}
"""What each content must have, in the order in which it is missed."""
HEADER_LEN = (1, 65_536)
FRAME_LEN = 1_048_576
ABORT_TEXT = 1024
DIGEST_NONE, DIGEST_BLAKE3 = 1, 2
DIGESTS = {DIGEST_NONE: "none", DIGEST_BLAKE3: "blake3"}

FOLLOWS = {
    None: (INITIAL, ITERATIVE, STOP_COPY, UNSPECIFIED),
    INITIAL: (INITIAL, ITERATIVE, STOP_COPY),
    ITERATIVE: (INITIAL, ITERATIVE, STOP_COPY),
    STOP_COPY: (STOP_COPY,),
    UNSPECIFIED: (UNSPECIFIED,),
}
"""The phases that a data frame may have behind one of the phase before; first of all, any."""


def read(data: bytes, target: Target | None, now: int | None) -> Reading:
    """Everything that a file of these bytes comes to."""
    reading = Reading()
    try:
        prologue = _prologue(data)
        header_end = _header(data, prologue, reading, target)
        seen = _early(reading, target, now, prologue.content)
        if prologue.content == SEALED_STREAM:
            _frames(data, header_end, prologue.prologue_crc, reading, target, now, seen)
        elif len(data) > header_end:
            _stop("stream.trailing", Outcome.CORRUPT, header_end)  # 2.16
        reading.ended = True
    except Stop as stop:
        reading.error = stop.reason
        reading.find(stop.reason)
    return reading


def _stop(identity: str, outcome: Outcome, offset: int | None, in_payload: bool = False) -> None:
    raise Stop(Reason(identity, outcome, offset, in_payload))


def _prologue(data: bytes) -> Any:
    size = PROLOGUE.sizeof()
    if len(data) < 8 and data == MAGIC[: len(data)]:
        _stop("magic.truncated", Outcome.TRUNCATED, len(data))  # 1.1
    if data[:8] != MAGIC:
        _stop("magic.unrecognized", Outcome.UNRECOGNIZED, 0)  # 1.2
    if len(data) < size:
        _stop("prologue.truncated", Outcome.TRUNCATED, len(data))  # 1.3
    prologue = PROLOGUE.parse(data[:size])
    if prologue.prologue_crc != crc32c(data[: size - 4]):
        _stop("prologue.crc", Outcome.CORRUPT, 28)  # 1.4
    if prologue.major != 1:
        _stop("prologue.major", Outcome.UNRECOGNIZED, 16)  # 1.5
    if prologue.content not in (PROFILE, SEALED_STREAM, ANSWER):
        _stop("prologue.content", Outcome.UNRECOGNIZED, 20)  # 1.6
    if prologue.zero != 0:
        _stop("prologue.zero", Outcome.CORRUPT, 21)  # 1.7
    if prologue.features != 0:
        _stop("prologue.features", Outcome.UNRECOGNIZED, 24)  # 1.8
    if not HEADER_LEN[0] <= prologue.header_len <= HEADER_LEN[1]:
        _stop("prologue.header-len", Outcome.CORRUPT, 8)  # 1.9
    return prologue


def _header(data: bytes, prologue: Any, reading: Reading, target: Target | None) -> int:
    """Reads the attributes; the offset of their end."""
    start = PROLOGUE.sizeof()
    end: int = start + prologue.header_len
    if len(data) < end:
        _stop("header.truncated", Outcome.TRUNCATED, len(data))  # 2.1
    if prologue.header_crc != crc32c(data[start:end]):
        _stop("header.crc", Outcome.CORRUPT, 12)  # 2.2

    found: dict[str, Stated] = {}
    notes: list[int] = []
    critical: list[int] = []
    number = 0
    at = start
    while at < end:  # 2.3
        head, row = _attribute_head(data, at, end, number, found, prologue.content)
        number = head.id & ~a.CRITICAL
        value_at = at + a.HEAD.sizeof()
        found[row.name if row else f"0x{head.id:04x}"] = _value(data, at, head, row)
        of_unknown_vendor = 0x0100 <= number <= 0x6FFF and _text(found, "vendor") not in VENDORS
        if row is None and not of_unknown_vendor:
            (critical if head.id & a.CRITICAL else notes).append(at)  # l, m
        at = value_at + head.len

    for name in MANDATORY[prologue.content]:
        if name not in found:
            _stop("attribute.missing", Outcome.CORRUPT, end)  # 2.4
    if critical:
        _stop("attribute.unknown-critical", Outcome.UNRECOGNIZED, critical[0])  # 2.5
    payload_format, vendor = _text(found, "payload_format"), _text(found, "vendor")
    if prologue.content == SEALED_STREAM:
        streams = [name for name, row in FORMATS.items() if not row.of_target]
        if payload_format not in streams and payload_format != "opaque":
            _stop("payload_format.unrecognized", Outcome.UNRECOGNIZED, found["payload_format"].offset)  # 2.6
        if found["digest"].value.plain not in DIGESTS:
            _stop("digest.unrecognized", Outcome.UNRECOGNIZED, found["digest"].offset)  # 2.7
    if prologue.content != ANSWER and vendor not in VENDORS:
        _stop("vendor.unrecognized", Outcome.UNRECOGNIZED, found["vendor"].offset)  # 2.8
    if payload_format in FORMATS and FORMATS[payload_format].vendor != vendor:
        _stop("profile.contradicts-payload", Outcome.CORRUPT, found["payload_format"].offset)  # 2.9
    if prologue.content == ANSWER:
        may_be_complete = _text(found, "answer_stage") == "final" and _text(found, "answer_outcome") in a.ADMITTED
        if found["answer_complete"].value.plain and not may_be_complete:
            _stop("profile.contradicts-itself", Outcome.CORRUPT, found["answer_complete"].offset)  # 2.10
        if target is not None:
            _stop("format.describes-target", Outcome.UNRECOGNIZED, 20)  # 2.11
    for offset in notes:
        reading.find(Reason("attribute.unknown", Outcome.COMPATIBLE, offset))
    reading.attributes = found
    return end


def _attribute_head(
    data: bytes, at: int, end: int, before: int, found: Mapping[str, Stated], content: int
) -> tuple[Any, Known | None]:
    """Checks a to h of an attribute: its head, and its row in the tables if it is known."""
    size = a.HEAD.sizeof()
    if end - at < size:
        _stop("attribute.overrun", Outcome.CORRUPT, at)  # a
    head = a.HEAD.parse(data[at : at + size])
    number = head.id & ~a.CRITICAL
    if number == 0:
        _stop("attribute.id", Outcome.CORRUPT, at)  # b
    if number <= before:
        _stop("attribute.order", Outcome.CORRUPT, at)  # c
    if head.zero != 0:
        _stop("attribute.zero", Outcome.CORRUPT, at + 3)  # d
    if head.len > end - at - size:
        _stop("attribute.overrun", Outcome.CORRUPT, at + 4)  # e
    if not _belongs(number, content):
        _stop("attribute.misplaced", Outcome.CORRUPT, at)  # f
    vendor = VENDORS.get(_text(found, "vendor") or "")
    tables = a.COMMON + a.STREAM + a.ANSWER + (vendor.attributes if vendor else ())
    row = next((row for row in tables if row.id & ~a.CRITICAL == number), None)
    if row and head.id != row.id:
        _stop("attribute.critical-bit", Outcome.CORRUPT, at)  # g
    if row and head.type != row.type and (head.type != a.UNKNOWN or row.name in a.ALWAYS_REPORTED):
        _stop("attribute.type", Outcome.CORRUPT, at + 2)  # h
    return head, row


def _belongs(number: int, content: int) -> bool:
    """Check f: whether a header of this content may have this number, known or not."""
    about_stream = 0x00E0 <= number <= 0x00FF
    if content == PROFILE:
        return not about_stream
    if content == SEALED_STREAM:
        return not 0x00E5 <= number <= 0x00E9
    if about_stream:
        return number not in (0x00E0, 0x00E1, 0x00E2, 0x00E4)
    return number == 0x0001 or number >= 0x7000


def _value(data: bytes, at: int, head: Any, row: Known | None) -> Stated:
    """Checks i to k of an attribute: its value. That of a type that nobody knows is its bytes."""
    value_at = at + a.HEAD.sizeof()
    octets = data[value_at : value_at + head.len]
    if head.type not in a.LENGTHS:
        return Stated(Value(head.type, octets), value_at)
    least, most = a.LENGTHS[head.type]
    if not least <= head.len <= most:
        _stop("attribute.length", Outcome.CORRUPT, at + 4)  # i
    value = a.decode(head.type, octets)
    limited = row is not None and row.limit is not None and head.type != a.UNKNOWN
    if value is None or (limited and row and row.limit and not row.limit(value.plain)):
        raise Stop(Reason("attribute.value", Outcome.CORRUPT, value_at))  # j, k
    return Stated(value, value_at)


def _text(found: Mapping[str, Stated], name: str) -> str | None:
    stated = found.get(name)
    return stated.value.plain if stated else None


Seen = set[tuple[str, str]]


class PayloadOffset(int):
    """An offset that counts from the beginning of the payload."""

    __slots__ = ()


def _in_payload(offset: int | None) -> PayloadOffset | None:
    return None if offset is None else PayloadOffset(offset)


def _early(reading: Reading, target: Target | None, now: int | None, content: int) -> Seen:
    """What the target says to the header: reading goes on whatever it is. The findings of the rules."""
    if target is None:
        return set()
    found = reading.attributes
    required = next((code for code, name in DIGESTS.items() if name == target.digest), 0)
    if content == SEALED_STREAM and found["digest"].value.plain < required:
        reading.find(Reason("requires.digest", Outcome.INCOMPATIBLE))  # 2.12
    vendor = found["vendor"].value.plain
    if vendor != target.vendor:
        reading.find(Reason("vendor.not-equal", Outcome.INCOMPATIBLE, found["vendor"].offset))  # 2.13
    second = VENDORS[vendor].contradiction({name: stated.value for name, stated in found.items()})
    if second:
        reading.find(Reason("profile.contradicts-itself", Outcome.CORRUPT, found[second].offset))  # 2.14
    seen: Seen = set()
    if vendor == target.vendor:
        for reason, rule in judge(found, target, VENDORS[vendor], now):  # 2.15
            reading.find(reason)
            seen.add((reason.id, rule))
    return seen


def _frames(
    data: bytes, at: int, prologue_crc: int, reading: Reading, target: Target | None, now: int | None, seen: Seen
) -> None:
    """Reads frames up to the one that ends the stream, and what is behind it."""
    digest = reading.attributes["digest"].value.plain
    payload_len = reading.attributes.get("payload_len")
    native = _Native(reading, target, now, seen)
    phase: int | None = None
    seq = 0
    while True:
        head = _frame_head(data, at, prologue_crc, phase, seq, digest)
        payload_at = at + FRAME_HEAD.sizeof()
        payload = data[payload_at : payload_at + head.len]
        if len(payload) < head.len:
            _stop("frame.payload-truncated", Outcome.TRUNCATED, len(data))  # 3.7
        covered = Int32ul.build(prologue_crc) + data[at : at + 12] + payload
        if head.crc != crc32c(covered):
            _stop("frame.crc", Outcome.CORRUPT, at + 12)  # 3.8
        if head.kind == DATA:
            reading.payload += payload
            phase = head.phase
            native.look(ended=False)
        elif head.kind == END:
            end = END_PAYLOAD.parse(payload)
            if end.total != len(reading.payload):
                _stop("end.total", Outcome.CORRUPT, payload_at)  # 3.9
            if digest == DIGEST_BLAKE3 and end.digest != blake3(data[:at]):
                _stop("end.digest", Outcome.CORRUPT, payload_at + 8)  # 3.10
            if payload_len and end.total != payload_len.value.plain:
                _stop("end.payload-len", Outcome.CORRUPT, payload_at)  # 3.11
            if len(data) > payload_at + head.len:
                _stop("stream.trailing", Outcome.CORRUPT, payload_at + head.len)  # 4.1
            native.look(ended=True)  # 4.2
            return
        elif head.kind == ABORT:
            if payload and a.decode(a.TEXT, payload) is None:
                _stop("abort.text", Outcome.CORRUPT, payload_at)  # 3.12
            _stop("stream.aborted", Outcome.TRUNCATED, at)  # 3.13
        else:
            reading.find(Reason("frame.ancillary", Outcome.COMPATIBLE, at))  # 3.14
        at = payload_at + head.len
        seq += 1


def _frame_head(data: bytes, at: int, prologue_crc: int, phase: int | None, seq: int, digest: int) -> Any:
    """Checks 3.1 to 3.6. `phase` is that of the data frame before."""
    size = FRAME_HEAD.sizeof()
    if len(data) - at < size:
        _stop("frame.truncated", Outcome.TRUNCATED, len(data))  # 3.1
    head = FRAME_HEAD.parse(data[at : at + size])
    covered = Int32ul.build(prologue_crc) + data[at : at + 2] + data[at + 4 : at + 12]
    if head.head_check != crc32c(covered) & 0xFFFF:
        _stop("frame.head-check", Outcome.CORRUPT, at + 2)  # 3.2
    if head.kind not in (DATA, END, ABORT) and head.kind < ANCILLARY:
        _stop("frame.kind", Outcome.UNRECOGNIZED, at)  # 3.3
    if head.phase not in (FOLLOWS[phase] if head.kind == DATA else (UNSPECIFIED,)):
        _stop("frame.phase", Outcome.CORRUPT, at + 1)  # 3.4
    of_end = 8 + (32 if digest == DIGEST_BLAKE3 else 0)
    least, most = {DATA: (1, FRAME_LEN), END: (of_end, of_end), ABORT: (0, ABORT_TEXT)}.get(head.kind, (0, FRAME_LEN))
    if not least <= head.len <= most:
        _stop("frame.len", Outcome.CORRUPT, at + 4)  # 3.5
    if head.seq != seq:
        _stop("frame.seq", Outcome.CORRUPT, at + 8)  # 3.6
    return head


class _Native:
    """What the payload's own format finds, between the frames."""

    def __init__(self, reading: Reading, target: Target | None, now: int | None, seen: Seen) -> None:
        self.format = FORMATS.get(_text(reading.attributes, "payload_format") or "")
        self.reading, self.target, self.now, self.seen = reading, target, now, seen
        self.chosen: dict[str, str] = {}
        if self.format is not None:
            of_target = target.attributes if target and target.vendor == self.format.vendor else {}
            of_header = {name: stated.value for name, stated in reading.attributes.items()}
            self.chosen = {**self.format.settle(of_target), **self.format.settle(of_header)}
        self.findings = 0

    def look(self, ended: bool) -> None:
        """Adds what the payload that has come tells beyond what it told before."""
        if self.format is None:
            return
        found = list(self.format.read(self.reading.payload, ended, self.chosen))
        new, self.findings = found[self.findings :], len(found)
        for finding in new:
            if not isinstance(finding, Reason):
                self._hold_against_the_header(finding)
                continue
            reason = finding._replace(in_payload=True)
            if reason.outcome != Outcome.COMPATIBLE:
                raise Stop(reason)
            self.reading.find(reason)

    def _hold_against_the_header(self, source: Mapping[str, Stated]) -> None:
        header = self.reading.attributes
        vendor = VENDORS[header["vendor"].value.plain]
        reported = {name: stated for name, stated in header.items() if stated.value.type != a.UNKNOWN}
        follows = vendor.derive({name: stated.value for name, stated in reported.items()})
        known = {name: Stated(value, None) for name, value in follows.items()} | reported
        # What the payload cannot say, the header could have said.
        waits = {name for name, stated in source.items() if stated == a.AWAITED and name not in header}
        source = {name: stated for name, stated in source.items() if stated.value.type or name in waits}
        for name, stated in source.items():
            said = known.get(name)
            if said and said.value != stated.value:
                _stop("profile.contradicts-payload", Outcome.CORRUPT, said.offset)
        if self.target is None or self.target.vendor != source["vendor"].value.plain:
            return
        # What payload and header say together, the payload's value where both have one.
        inside = {name: said._replace(offset=_in_payload(said.offset)) for name, said in source.items()}
        for reason, rule in judge(header | inside, self.target, vendor, self.now):
            if (reason.id, rule) not in self.seen:
                self.seen.add((reason.id, rule))
                self.reading.find(reason._replace(in_payload=isinstance(reason.offset, PayloadOffset)))
