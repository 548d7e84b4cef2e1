"""ap: queues of s390 crypto adapters. `docs/vendors/ap.md`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from construct import Bytes, Int16ub, Int32ub, Int64ub, Struct

from transire.reference import attributes as a
from transire.reference.attributes import Known, Stated, Value
from transire.reference.compare import HOLDS, Both, Finding, plain
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAGIC = b"vfap"
HEADER = Struct(
    "magic" / Bytes(4),
    "version" / Int32ub,
    "num_queues" / Int32ub,
    "reserved" / Bytes(4),
    "adm" / Bytes(32),
)
"""The header of the proposed stream."""
STREAM_QUEUE = Struct("data" / Int64ub, "apqn" / Int16ub, "reserved" / Bytes(6))
"""A queue of the proposed stream."""
QUEUES, LISTED = 65_536, 256
"""Queues that there can be, and that an attribute holds."""


def like(data: bytes, _: bool) -> Like:
    """How much bytes look like a stream, also one of the other byte order."""
    if data[:4] in (MAGIC, MAGIC[::-1]):
        return Like.CERTAIN
    return Like.SHORT if MAGIC.startswith(data) or MAGIC[::-1].startswith(data) else Like.NO


def _header(data: bytes) -> Reason | None:
    """What is wrong with the header, of which all is there that will come."""
    if len(data) < 4 and MAGIC.startswith(data) | MAGIC[::-1].startswith(data):
        return Reason("magic.truncated", Outcome.TRUNCATED, len(data))
    if data[:4] != MAGIC:
        turned = data[:4] == MAGIC[::-1]
        return Reason("ap.byte-order" if turned else "magic.unrecognized", Outcome.UNRECOGNIZED, 0)
    if len(data) < HEADER.sizeof():
        return Reason("stream.truncated", Outcome.TRUNCATED, len(data))
    header = HEADER.parse(data)
    if header.version != 1:
        return Reason("ap.version", Outcome.UNRECOGNIZED, 4)
    return Reason("ap.num-queues", Outcome.CORRUPT, 8) if header.num_queues > QUEUES else None


def read(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the beginning of a stream, as `mtty.read`."""
    begin, size = HEADER.sizeof(), STREAM_QUEUE.sizeof()
    if len(data) < begin and not ended:
        return
    wrong = _header(data)
    if wrong:
        yield wrong
        return
    header = HEADER.parse(data)
    listed = header.num_queues if header.num_queues <= LISTED else 0
    cut = Reason("stream.truncated", Outcome.TRUNCATED, len(data))
    if len(data) < begin + listed * size:
        if ended:
            yield cut
        return
    # Queues that are listed are looked at before the source is known, the others as they come.
    queues = [STREAM_QUEUE.parse(data[begin + place * size :]) for place in range(listed)]
    seen: set[int] = set()
    for place, queue in enumerate(queues):
        wrong = _fault(queue, seen, begin + place * size)
        if wrong:
            yield wrong
            return
    yield _source(header.adm, queues)
    if header.num_queues > LISTED:
        yield Reason("ap.queues-not-listed", Outcome.COMPATIBLE, 8)
    if any(header.reserved):
        yield Reason("ap.reserved", Outcome.COMPATIBLE, 12)
    end = begin + header.num_queues * size
    for at in range(begin, end, size):
        if len(data) < at + size:
            if ended:
                yield cut
            return
        queue = STREAM_QUEUE.parse(data[at:])
        wrong = None if listed else _fault(queue, seen, at)
        if wrong:
            yield wrong
            return
        if any(queue.reserved):
            yield Reason("ap.reserved", Outcome.COMPATIBLE, at + 10)
    if len(data) > end:
        yield Reason("stream.trailing", Outcome.CORRUPT, end)


def _fault(queue: Any, seen: set[int], at: int) -> Reason | None:
    word = queue.data >> 32
    if bit(word, 16) or bit(word, 17):
        return Reason("ap.secure-binding", Outcome.CORRUPT, at)
    if queue.apqn in seen:
        return Reason("ap.queue-twice", Outcome.CORRUPT, at + 8)
    seen.add(queue.apqn)
    return None


def _source(domains: bytes, queues: list[Any]) -> dict[str, Stated]:
    usage = int.from_bytes(domains, "big")
    controlled = [f"{domain:04x}" for domain in range(256) if usage >> 255 - domain & 1]
    facilities = {f"{queue.apqn >> 8:02x}.{queue.apqn & 0xFF:04x}": queue.data >> 32 for queue in queues}
    names = {3: "cca", 4: "accelerator", 5: "ep11"}
    modes = {name: [names[number] for number in names if bit(word, number)] for name, word in facilities.items()}
    said: dict[str, tuple[Any, int]] = {
        "apqns": (frozenset(Value(a.TEXT, name) for name in facilities), 48),
        "control_domains": (frozenset(Value(a.TEXT, domain) for domain in controlled), 16),
        "ap_type": ({name: str(queue.data >> 24 & 0xFF) for name, queue in zip(facilities, queues, strict=True)}, 48),
        # Of a queue with no mode, or with several, nothing is said.
        "mode": ({name: mode[0] for name, mode in modes.items() if len(mode) == 1}, 48),
        "queue_facilities": ({name: f"0x{word:08x}" for name, word in facilities.items()}, 48),
    }
    types = {known.name: known.type for known in ATTRIBUTES}
    source = {name: Stated(Value(types[name], plain), at) for name, (plain, at) in said.items() if plain}
    return {"vendor": Stated(Value(a.TEXT, "ap"), None), **source}


ATTRIBUTES = (
    Known(0x8100, "apqns", a.SET, a.of_texts),
    Known(0x8101, "control_domains", a.SET, a.of_texts),
    Known(0x8102, "ap_type", a.MAP),
    Known(0x8103, "mode", a.MAP),
    Known(0x8104, "queue_facilities", a.MAP),
    Known(0x8105, "master_keys", a.MAP),
)
"""What the vendor adds to the common ones."""

QUEUE = re.compile(r"[0-9a-f]{2}\.[0-9a-f]{4}", re.ASCII)
DOMAIN = re.compile(r"[0-9a-f]{4}", re.ASCII)
WORD = re.compile(r"(?:0x)?[0-9a-fA-F]{8}", re.ASCII)
TYPE = re.compile(r"[0-9]{1,3}", re.ASCII)
MODES = ("accelerator", "cca", "ep11")


def _queues(source: Value, target: Value, _: Both) -> Finding:
    if not source.plain <= target.plain:
        return Finding("not-subset")
    return Finding(notes=("more-capacity",)) if source.plain < target.plain else HOLDS


def _by_queue(
    name: str, read: Callable[[str], Any], mismatch: str, holds: Callable[[Any, Any], bool]
) -> Callable[[Value, Value, Both], Finding]:
    def compare(source: Value, target: Value, both: Both) -> Finding:
        said, there = _members(both.source), _members(both.device)
        unknown = False
        for queue in sorted(said | source.plain.keys()):
            if queue not in source.plain or queue not in target.plain:
                # Of a queue that the target does not have it need not say anything.
                unknown = unknown or queue not in source.plain or queue in there or not there
                continue
            one, other = read(source.plain[queue]), read(target.plain[queue])
            if one is None or other is None:
                return Finding("refused")
            if not holds(one, other):
                return Finding(mismatch)
        return Finding("not-in-profile") if unknown else HOLDS

    compare.__name__ = name
    return compare


def _members(device: Mapping[str, Value]) -> set[str]:
    return {member.plain for member in plain(device, "apqns") or () if member.type == a.TEXT}


def _word(text: str) -> int | None:
    return int(text, 16) if WORD.fullmatch(text) else None


def _number(text: str) -> int | None:
    return int(text) if TYPE.fullmatch(text) else None


def _mode(text: str) -> str | None:
    return text if text in MODES else None


def bit(word: int, number: int) -> int:
    """A bit of a status word, counted from the left."""
    return word >> 31 - number & 1


def _facilities(source: int, target: int) -> bool:
    reserved = [bit(word, number) for word in (source, target) for number in (16, 17)]
    return source >> 24 == target >> 24 and bit(source, 8) <= bit(target, 8) and not any(reserved)


def _possible(device: Mapping[str, Value]) -> bool:
    """Whether everything is written as the page says."""
    queues = _members(device)
    domains = {member.plain for member in plain(device, "control_domains") or ()}
    maps = ((_number, "ap_type"), (_mode, "mode"), (_word, "queue_facilities"))
    return (
        all(isinstance(queue, str) and QUEUE.fullmatch(queue) for queue in queues)
        and all(isinstance(domain, str) and DOMAIN.fullmatch(domain) for domain in domains)
        and all(
            QUEUE.fullmatch(queue) and read(value) is not None
            for read, name in maps
            for queue, value in (plain(device, name) or {}).items()
        )
    )


VFIO_AP, PASSTHROUGH = Value(a.TEXT, "vfio-ap"), Value(a.TEXT, "vfio_ap-passthrough")

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("device_api", "is", VFIO_AP, VFIO_AP, driver=True, constant=VFIO_AP),
        Rule("mdev_type", "is", PASSTHROUGH, PASSTHROUGH, driver=True, constant=PASSTHROUGH),
        Rule("apqns", _queues),
        Rule("control_domains", "subset", Absent.NOTE, Absent.INSIST),
        Rule("queue_facilities", _by_queue("facilities", _word, "not-equal", _facilities)),
        Rule("ap_type", _by_queue("type", _number, "not-at-least", lambda one, other: bool(one <= other))),
        Rule("mode", _by_queue("mode", str, "not-equal", lambda one, other: bool(one == other))),
        Rule("master_keys", "subset", Absent.ASK, Absent.ASK),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `ap`."""
