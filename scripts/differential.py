"""The compiled part against the reference, over inputs that are made here: python scripts/differential.py --help

Every input is made from a number, so it can be made again. An input is a native stream, a profile, a sealed stream or
an answer, built from scratch or by `transire.seal`, then changed; after most changes the checksums are put right as
far as the lengths lead, so that the change reaches the checks behind them. Both sides must give the same outcome and
the same reasons, each with its id, its offset and whether that is in the payload: the first error of structure, every
finding of the rules, every note.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import struct
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import transire
from transire import reference
from transire.reference import attributes
from transire.reference.attributes import LENGTHS, decode
from transire.reference.blake3 import blake3
from transire.reference.crc32c import crc32c
from transire.reference.target import parse
from transire.reference.vendors import FORMATS, VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transire.reference.attributes import Value

Said = dict[str, Any]
"""A target as its TOML file says it."""


class Case(NamedTuple):
    """An input, and the target before which it stands."""

    data: bytes
    target: Said | None


class Answer(NamedTuple):
    """What one side says: the reasons sorted, since their order is for people."""

    outcome: str
    reasons: tuple[tuple[str, int | None, bool], ...]
    dropped: int


class Difference(NamedTuple):
    """An input about which the two sides disagree."""

    case: Case
    compiled: Answer
    reference: Answer


# Comparing.


def compare(case: Case) -> tuple[Answer, Difference | None]:
    """The answer of the compiled part, and whether the reference's is another one."""
    verdict = transire.verify(case.data, transire.Target(**case.target) if case.target else None)
    one = _answer(verdict.outcome.name, verdict.reasons, verdict.dropped)
    other = of_reference(case)
    if one == other or beyond(case.data, verdict.format):
        return one, None
    for tolerated in TOLERATED:
        other = tolerated.instead(case, one, other)
    return one, None if one == other else Difference(case, one, of_reference(case))


def of_reference(case: Case) -> Answer:
    """The answer of the reference."""
    reading = reference.read(case.data, case.target, int(time.time()))
    return _answer(reading.outcome.name, reading.reasons, reading.dropped)


def _answer(outcome: str, reasons: Any, dropped: int) -> Answer:
    found = [(reason.id, reason.offset, reason.in_payload) for reason in reasons]
    return Answer(outcome, tuple(sorted(found, key=str)), dropped)


def beyond(data: bytes, found: str | None) -> bool:
    """The reference knows fewer vendors and formats. Of an input that is of another one it can only say so."""
    if data[:8] == b"TRANSIRE" and data[32:36] == b"\x01\x80\x03\x00":
        length = int.from_bytes(data[36:40], "little")
        return data[40 : 40 + length] in NOT_IN_REFERENCE
    # Nor does it know containers.
    return found is not None and (
        found.encode() in FORMATS_NOT_IN_REFERENCE or transire.container_of(data[:16]) == found
    )


class Tolerated(NamedTuple):
    """A difference that is known, and for somebody else to settle. From the case, the compiled part's answer and the
    reference's, `instead` makes what the reference would say if it were settled the other way. A test wants `example`
    to differ still.
    """

    reason: str
    instead: Callable[[Case, Answer, Answer], Answer]
    example: Case


NOT_IN_REFERENCE = {row.name.encode() for row in transire.vendors()} - {name.encode() for name in VENDORS}
FORMATS_NOT_IN_REFERENCE = {row.name.encode() for row in transire.formats()} - {name.encode() for name in FORMATS}


# Writing. Nothing here is checked: what is wrong is wanted.


def envelope(content: int, header: bytes, frames: bytes = b"") -> bytes:
    """A prologue, the header, and frames whose checksums `mend` fills in."""
    prologue = struct.pack("<8sIIHHB3xII", b"TRANSIRE", len(header), 0, 1, 0, content, 0, 0)
    return mend(prologue + header + frames, 3)


def attribute(identity: int, kind: int, value: bytes) -> bytes:
    """An attribute."""
    return struct.pack("<HBBI", identity, kind, 0, len(value)) + value


def frame(kind: int, phase: int, seq: int, payload: bytes) -> bytes:
    """A frame without its checksums."""
    return struct.pack("<BBHIII", kind, phase, 0, len(payload), seq & 0xFFFFFFFF, 0) + payload


def mend(data: bytes, level: int) -> bytes:
    """Computes checksums again: 1 those of prologue and header, 2 those of frames, too, 3 the digest, too."""
    new = bytearray(data)
    if level < 1 or len(new) < 32:
        return data
    at = 32 + min(int.from_bytes(new[8:12], "little"), len(new) - 32)
    struct.pack_into("<I", new, 12, crc32c(bytes(new[32:at])))
    struct.pack_into("<I", new, 28, crc32c(bytes(new[:28])))
    while level > 1 and at + 16 <= len(new):
        size = int.from_bytes(new[at + 4 : at + 8], "little")
        struct.pack_into(
            "<H", new, at + 2, crc32c(bytes(new[28:32] + new[at : at + 2] + new[at + 4 : at + 12])) & 0xFFFF
        )
        if at + 16 + size > len(new):
            break
        if level > 2 and new[at] == 2 and size == 40:
            new[at + 24 : at + 56] = blake3(bytes(new[:at]))
        struct.pack_into(
            "<I", new, at + 12, crc32c(bytes(new[28:32] + new[at : at + 12] + new[at + 16 : at + 16 + size]))
        )
        at += 16 + size
    return bytes(new)


SEED_MAX = 4096
"""Most bytes of a stream that is changed: what is longer takes plain Python a while."""


def seeds(name: str) -> tuple[list[bytes], list[Said]]:
    """The streams of a vendor's fixtures that are not too long, and the targets beside them."""
    folder = Path(__file__).parent.parent / "fixtures" / name
    streams = [path.read_bytes() for path in sorted(folder.rglob("*.bin")) if path.stat().st_size <= SEED_MAX]
    return streams, [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]


SEEDS = {name: found for name in sorted({row.vendor for row in FORMATS.values()}) if all(found := seeds(name))}
"""Streams and targets, by vendor: of those that have either."""
VENDOR = attribute(0x8001, 3, b"mtty")
TOLERATED: tuple[Tolerated, ...] = ()


# Making inputs.


def make(random: Random) -> Case:
    """An input, as the numbers fall."""
    if rarely(random, 2):
        name = random.choice(sorted(PLAUSIBLE))
        data, said = pair(random, name, stream=rarely(random, 6))
        if rarely(random, 6):
            data = change(random, data)
        return Case(data, said if not rarely(random, 20) else None)
    if rarely(random, 3):
        return stored(random)
    kind = random.randrange(21)
    if kind < 3:
        data = native(random)
    elif kind < 7:
        data = envelope(1, header(random, None))
    elif kind < 9:
        data = by_seal(random)
    elif kind < 10:
        data = answer(random)
    else:
        data = sealed(random)
    if random.randrange(2):
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            data = change(random, data)
    return Case(data, target(random) if random.randrange(12) else None)


FIXTURES = Path(__file__).parent.parent / "fixtures"


@functools.cache
def examples() -> tuple[tuple[bytes, Said | None], ...]:
    """The streams of the fixtures that are recognised, with their targets; the large ones take too long here."""
    found: list[tuple[bytes, Said | None]] = []
    for table in sorted(FIXTURES.glob("*/examples.tsv")):
        for name, said, named, *_ in (line.split("\t") for line in table.read_text("utf-8").splitlines()[1:]):
            data = (table.parent / name).read_bytes()
            # A target may also be a record in which a device describes itself, which the reference does not take.
            if named == "-" and len(data) <= 4096 and not said.endswith(".bin"):
                terms_of = None if said == "-" else tomllib.loads((table.parent / said).read_text("utf-8"))
                found.append((data, terms_of))
    return tuple(found)


def stored(random: Random) -> Case:
    """A stream of the fixtures, changed where it says what follows, before its target or another one."""
    data, said = random.choice(examples())
    if rarely(random, 2):
        streams, targets = SEEDS[random.choice(sorted(SEEDS))]
        data, said = random.choice(streams), random.choice(targets)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        if rarely(random, 4):
            data += random.choice(examples())[0]
        new, at = bytearray(data), random.randrange(len(data) + 1)
        kind = random.randrange(8)
        if kind < 3 and at < len(new):
            new[at] ^= 1 << random.randrange(8)
        elif kind < 5 and at < len(new):
            new[at] = random.choice((0, 1, 2, 3, 8, 16, 0x7F, 0x80, 0xFF))
        elif kind < 6:
            new[at:at] = octets(random, random.choice((1, 2, 8, 16)))
        elif kind < 7:
            del new[at : at + random.choice((1, 2, 8, 16))]
        else:
            del new[at:]
        data = bytes(new)
    if rarely(random, 4):
        said = random.choice(examples())[1]
    if said is not None and rarely(random, 4):
        # The same in an envelope of its vendor, whose header says nothing else.
        name = said["vendor"].encode()
        parts = [(0x8001, 3, name), (0x80E0, 3, name), (0x80E1, 2, struct.pack("<Q", 1)), (0x80E3, 4, bytes(16))]
        header = b"".join(attribute(*part) for part in parts)
        data = envelope(2, header, b"".join(frames(random, data, 1)))
    return Case(data, said)


def octets(random: Random, length: int) -> bytes:
    """Bytes of any value."""
    return bytes(random.randrange(256) for _ in range(length))


def rarely(random: Random, often: int = 12) -> bool:
    """One time in so many."""
    return random.randrange(often) == 0


def native(random: Random) -> bytes:
    """A stream of mtty: sound, but for now and then."""
    ports = random.choice((1, 2))
    data = bytes.fromhex("4e2c3e8c89099d7e") + struct.pack("<4I", 1, 0, ports, 0)
    for _ in range(ports):
        head, tail = random.randrange(16), random.randrange(16)
        count = (head - tail) % 16 or random.choice((0, 16))
        data += octets(random, 8) + b"\0" * 8 + octets(random, 8)
        data += struct.pack(
            "<5BBH4B",
            *(head, tail, count, random.randrange(2), random.randrange(2)),
            *(rarely(random), random.randrange(65536), random.randrange(256), random.choice((1, 16))),
            *(random.choice((0, 1, 1, 2)), rarely(random)),
        )
    return data


def text(random: Random) -> bytes:
    """A text, or nearly one."""
    if rarely(random, 8):
        edges = (
            "\x1f",
            "\x20",
            "\x7e",
            "\x7f",
            "\x9f",
            "\xa0",
            "\u061c",
            "\u200a",
            "\u200b",
            "\u2010",
            "\u2027",
            "\u202e",
        )
        character = random.choice(
            (*edges, "\u202f", "\u205f", "\u2060", "\u206f", "\u2070", "\ufeff", "\uffff", "\U0010ffff")
        )
        return b"a" * random.randrange(2) + character.encode()
    if rarely(random, 16):
        return random.choice(
            (b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xe2\x82", b"", b"x" * 1024, b"x" * 1025)
        )
    return random.choice(
        (b"a", b"b", b"ab", b"vfio-pci", b"vfio-ap", b"mtty-1", b"mtty-2", b"550.054.14", "größer".encode())
    )


def member(value: bytes) -> bytes:
    """A member of a set, or a key or a value of a map."""
    return struct.pack("<H", len(value)) + value


def value(random: Random, kind: int) -> bytes:
    """A value of a type, well formed more often than not."""
    number = random.choice((0, 1, 2, 3, 8, 255, 256, 2**32, 2**53 + 1, 2**64 - 1))
    match kind:
        case 1:
            return bytes([random.choice((0, 1, 1, 0, 2))])
        case 2:
            return struct.pack("<Q", number)
        case 3:
            return text(random)
        case 4:
            return octets(random, random.choice((1, 2, 16, 16, 4)))
        case 5:
            return struct.pack("<3I", *(random.choice((0, 1, 1, 2, 6, 12, 95, 2**32 - 1)) for _ in range(3)))
        case 6:
            return struct.pack("<2Q", random.choice((0, 1, number)), number)
        case 7:
            return octets(random, random.choice((0, 1, 2, 31))) + bytes([random.choice((0, 1, 128, 7))])
        case 8:
            inner = random.choice((2, 3, 10, 10, 3, 2, 4))
            members = [value(random, inner) for _ in range(random.choice((0, 1, 1, 2, 3, 5)))]
            if rarely(random, 64):
                members = [struct.pack("<Q", one) for one in range(random.choice((256, 257)))]
            return bytes([inner]) + b"".join(map(member, in_order(random, members))) + b"\0" * rarely(random, 16)
        case 9:
            return struct.pack(
                "<2I", *random.choice(((0, 1), (1, 1), (1, 2), (3, 8), (2, 4), (0, 2), (1, 0), (0, 0), (7, 3)))
            )
        case 10:
            return struct.pack("<2H", random.choice((0x8086, 0)), random.choice((0x4941, 0x4943, 0)))
        case 11:
            keys = in_order(random, [text(random) for _ in range(random.choice((0, 1, 1, 2, 3)))])
            return b"".join(member(key) + member(text(random)) for key in keys) + b"\0" * rarely(random, 16)
        case 12:
            return b"\0" * rarely(random)
    return octets(random, random.randrange(4))


def sound(random: Random, kind: int) -> bytes:
    """A value of a type, well formed nearly always."""
    for _ in range(8):
        made = value(random, kind)
        least, most = LENGTHS.get(kind, (0, len(made)))
        if kind not in LENGTHS or (least <= len(made) <= most and decode(kind, made) is not None):
            break
    return made


def in_order(random: Random, members: list[bytes]) -> list[bytes]:
    """Sorted and without duplicates, most of the time."""
    return members if rarely(random) else sorted(set(members))


TYPES = {3: 3, 4: 10, 5: 10, 6: 2, 7: 3, 8: 5, 9: 3, 10: 2, 11: 9, 12: 5, 13: 3, 14: 2, 0x8101: 5}
"""Ids that are known, with the types of their values."""
UNKNOWN = (0x0002, 0x000F, 0x00DF, 0x0102, 0x0FFF, 0x6FFF, 0x7000, 0x7001, 0x7002, 0x7FFF)


def header(random: Random, stream: tuple[bytes, int, int] | None) -> bytes:
    """A header: of a profile, or of a stream with payload_format, digest and payload bytes."""
    wild = rarely(random, 3)
    vendor = b"mtty" if not rarely(random, 20) else random.choice((b"acme", b"mtt", b"mtty2", b"Mtty"))
    parts = {0x8001: (3, vendor)}
    for number in random.sample(sorted(TYPES), random.choice((0, 0, 1, 2, 4))):
        kind = 12 if rarely(random, 6) else TYPES[number]
        parts[number] = (kind, value(random, kind) if wild else sound(random, kind))
    if 10 in parts and not wild:
        parts[10] = (2, struct.pack("<Q", random.choice((1, 2, 8))))
    if 8 in parts and not rarely(random, 3):
        parts[8] = (5, struct.pack("<3I", 6, random.choice((11, 12, 13)), 95))
    if 9 in parts and not rarely(random, 3):
        parts[9] = (3, random.choice((b"mtty-1", b"mtty-2", b"mtty-3")))
    if 0x8101 in parts and not rarely(random, 3):
        parts[0x8101] = (5, struct.pack("<3I", 1, 0, rarely(random, 3)))
    if random.randrange(4):
        parts[0x8100] = (
            (2, struct.pack("<Q", random.choice((1, 2, 3 if wild else 1)))) if not rarely(random) else (12, b"")
        )
    for _ in range(random.choice((0, 0, 0, 1, 2, 20 if rarely(random) else 3))):
        number = random.choice(UNKNOWN) if not rarely(random, 3) else random.randrange(1, 0x8000)
        if stream is None and 0xE0 <= number <= 0xFF and not rarely(random):
            continue
        if number not in TYPES and number | 0x8000 not in parts and number not in (1, 0x100, 0x101, *range(0xE0, 0xE5)):
            kind = random.choice((0, 13, 255, *range(1, 13)))
            critical = 0x8000 if rarely(random, 10 if wild else 60) else 0
            parts[number | critical] = (kind, value(random, kind) if wild else sound(random, kind))
    if stream:
        name, digest, total = stream
        parts[0x80E0] = (3, name)
        parts[0x80E1] = (2, struct.pack("<Q", digest))
        parts[0x80E3] = (4, octets(random, 16))
        if rarely(random, 4):
            parts[0x00E2] = (2, struct.pack("<Q", total + rarely(random, 5)))
        if rarely(random, 6):
            parts[0x00E4] = (3, b"net0")
    if wild and rarely(random, 8):
        parts.pop(random.choice(sorted(parts)))
    order = sorted(parts, key=lambda identity: identity & 0x7FFF)
    if wild and rarely(random, 8):
        random.shuffle(order)
    if wild and rarely(random, 8):
        order.append(random.choice(order or [1]))
    return b"".join(attribute(identity, *parts.get(identity, (3, b"x"))) for identity in order)


def answer(random: Random) -> bytes:
    """An answer, or what nearly is one."""
    stages, outcomes = (b"early", b"final"), [name.encode() for name in transire.Outcome]
    parts = {
        0x8001: (3, random.choice((b"mtty", b"acme"))),
        0x80E3: (4, octets(random, 15 if rarely(random, 20) else 16)),
        0x80E5: (2, struct.pack("<Q", random.choice((0, 0x4E121C67, 2**32 - 1, 2**32 if rarely(random, 5) else 7)))),
        0x80E6: (3, b"late" if rarely(random, 20) else random.choice(stages)),
        0x80E7: (3, b"fine" if rarely(random, 20) else random.choice(outcomes)),
        0x80E8: (1, bytes([random.choice((0, 0, 1, 1 if not rarely(random) else 2))])),
    }
    if random.randrange(2):
        parts[0x00E9] = (8, b"\3" + b"".join(map(member, in_order(random, [b"header.crc", b"nr_ports.not-equal"]))))
    elif rarely(random, 6):
        parts[0x00E9] = (8, sound(random, 8))
    if rarely(random, 5):
        parts.pop(random.choice(sorted(parts)))
    if rarely(random, 3):
        number = random.choice((0x0004, 0x0050, 0x80E0, 0x80E1, 0x00E2, 0x00E4, 0x00EA, 0x00FF, 0x8100, 0x6FFF, 0x7000))
        kind = random.choice((0, *range(1, 13)))
        parts[number | (0x8000 if rarely(random, 5) else 0)] = (kind, sound(random, kind))
    order = sorted(parts, key=lambda identity: identity & 0x7FFF)
    front = b"".join(attribute(identity, *parts[identity]) for identity in order)
    return envelope(3, front, b"\0" if rarely(random, 20) else b"")


def sealed(random: Random) -> bytes:
    """A sealed stream that nobody but this wrote."""
    name = random.choice((b"mtty", b"mtty", b"opaque")) if not rarely(random, 25) else b"acme-stream"
    payload = native(random) if name == b"mtty" and not rarely(random, 25) else octets(random, random.randrange(40))
    for _ in range(1 if rarely(random, 4) else 0):
        payload = change(random, payload)
    digest = random.choice((1, 1, 2)) if not rarely(random, 25) else random.choice((0, 3, 2**63))
    front = header(random, (name, digest, len(payload)))
    return envelope(2, front, b"".join(frames(random, payload, digest)))


def frames(random: Random, payload: bytes, digest: int) -> Iterator[bytes]:
    """Frames of a payload, cut anywhere, with ancillary ones between them, and an end."""
    cuts = sorted(random.randrange(len(payload) + 1) for _ in range(random.choice((0, 0, 1, 1, 2, 3))))
    if rarely(random, 3):
        cuts = [*cuts, 24] if len(payload) > 24 else cuts
    pieces = [payload[one:other] for one, other in zip([0, *sorted(cuts)], [*sorted(cuts), len(payload)], strict=True)]
    phases = phase_order(random)
    seq = 0
    for piece in pieces:
        if not piece and not rarely(random):
            continue
        if rarely(random, 8):
            yield frame(random.choice((0x80, 0x81, 0xFF)), 4, seq, octets(random, random.randrange(4)))
            seq += 1
        yield frame(1, next(phases), seq, piece)
        seq += 1 if not rarely(random, 60) else random.choice((0, 2, 256))
    if rarely(random, 15):
        yield frame(3, 4, seq, random.choice((b"", b"gave up", b"\x1b[0m", b"\xff", b"x" * 1024, b"x" * 1025)))
        return
    total = len(payload) + (random.choice((1, -1, 2**40)) if rarely(random, 40) else 0)
    yield frame(2, 4, seq, struct.pack("<Q", total % 2**64) + (b"\0" * 32 if digest == 2 else b""))


def phase_order(random: Random) -> Iterator[int]:
    """Phases that may follow each other, most of the time."""
    if rarely(random):
        while True:
            yield random.randrange(6)
    if random.randrange(2):
        while True:
            yield 4
    stopped = False
    while True:
        stopped = stopped or random.randrange(2) == 1
        yield 3 if stopped else random.choice((1, 2))


def by_seal(random: Random) -> bytes:
    """A sealed stream that the compiled part wrote, with a native payload or an opaque one."""
    payload = native(random)
    ports = payload[16]
    attributes: Said = {"nr_ports": ports} if random.randrange(2) else {"mdev_type": f"mtty-{ports}"}
    if random.randrange(2):
        attributes["driver_version"] = random.choice(("6.12.95", "6.13", "6.12.90"))
    payload_format = random.choice((None, "opaque"))
    if payload_format:
        payload = payload[: random.randrange(len(payload) + 1)]
    made = transire.seal(
        payload,
        transire.Profile("mtty", attributes),
        payload_format=payload_format,
        digest=random.choice(("none", "blake3")),
        payload_len=random.choice((None, len(payload))),
        stream_id=octets(random, 16),
    )
    assert isinstance(made, bytes)
    return made


# Changing inputs.


def change(random: Random, data: bytes) -> bytes:
    """One change; then, most of the time, the checksums are put right."""
    if rarely(random, 5):
        return data[: random.randrange(len(data) + 1)]
    new = bytearray(data)
    at = random.choice(spots(data)) if random.randrange(3) else random.randrange(len(data) + 1)
    kind = random.randrange(10)
    if kind < 4 and at < len(new):
        new[at] ^= 1 << random.randrange(8)
    elif kind < 6 and at < len(new):
        new[at] = random.choice((0, 1, 2, 3, 4, 5, 12, 13, 0x7F, 0x80, 0xFF))
    elif kind < 7 and at + 4 <= len(new):
        edges = (0, 1, 8, 9, 40, 1024, 1025, 65_535, 65_536, 65_537, 1_048_576, 1_048_577, 2**32 - 1, len(new) - at)
        struct.pack_into("<I", new, at, random.choice(edges))
    elif kind < 8:
        new[at:at] = octets(random, random.choice((1, 1, 2, 8)))
    elif kind < 9:
        del new[at : at + random.choice((1, 1, 2, 8, 16))]
    else:
        new += octets(random, random.choice((1, 1, 16, 64)))
    return mend(bytes(new), random.choice((0, 1, 2, 3, 3, 3)))


def spots(data: bytes) -> list[int]:
    """Offsets at which something says what follows: heads of attributes and of frames, and the prologue's fields."""
    if data[:8] != b"TRANSIRE" or len(data) < 32:
        return [0, 8, 12, 16, 20, *range(48, 60), *range(84, 96)]
    found = [8, 9, 10, 12, 16, 18, 20, 21, 23, 24, 28]
    end = 32 + int.from_bytes(data[8:12], "little")
    at = 32
    while at < min(end, len(data)):
        found += [at, at + 1, at + 2, at + 3, at + 4, at + 8]
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    at = end
    while at < len(data):
        found += [at, at + 1, at + 2, at + 4, at + 5, at + 8, at + 12, at + 16, at + 24]
        at += 16 + int.from_bytes(data[at + 4 : at + 8], "little")
    return found


# Making targets.


def target(random: Random) -> Said:
    """A target without an error of usage."""
    ports = random.choice((1, 2))
    said: Said = {"vendor": "mtty", "attributes": {}}
    device = said["attributes"]
    if random.randrange(5):
        device["nr_ports"] = ports if random.randrange(12) else {"unknown": True}
    if rarely(random, 3):
        device["mdev_type"] = random.choice((f"mtty-{ports}", f"mtty-{ports}", {"unknown": True}))
    if rarely(random, 2):
        device["driver_version"] = random.choice(("6.12.95", "6.12.95", "6.13", "1", {"unknown": True}))
    if rarely(random, 4):
        device["device_api"] = random.choice(("vfio-pci", "vfio-pci", "vfio-ap", {"unknown": True}))
    if rarely(random, 6):
        device["stream_version"] = random.choice(("1.0.0", "1.0", "1.1", "2.0", "1.0.1", {"unknown": True}))
    if rarely(random, 6):
        device["aggregation"] = random.choice((1, 2, 8))
    if rarely(random, 8):
        device["pci_id"] = random.choice(("8086:4941", "8086:4943"))
    if rarely(random, 8):
        device["capacity"] = random.choice(("1/2", "3/8", "1/1"))
    if rarely(random, 8):
        device["0x7001"] = random.choice(PRIVATE)
    if rarely(random, 3):
        said["accepts"] = {
            name: accept(random, name) for name in random.sample(sorted(ACCEPTABLE), random.choice((1, 1, 2, 3)))
        }
    if rarely(random, 4):
        said["settable"] = {name: settable(random, name) for name in random.sample(SETTABLE, random.choice((1, 2)))}
    if rarely(random, 8):
        said["requires"] = random.choice(
            ({"sealed": True}, {"digest": "blake3"}, {"digest": "none"}, {"sealed": True, "digest": "blake3"})
        )
    if rarely(random, 12):
        by: Said = {"by": "platform team", "reason": "tested together"}
        said["assertions"] = [{"attribute": "nr_ports", "source": 1, "target": 2, **by}]
    return said


PRIVATE = ({"type": "uint", "value": 1}, {"type": "text", "value": "a"}, {"type": "bool", "value": True})
ACCEPTABLE = {
    "nr_ports": "uint",
    "stream_version": "version",
    "driver_version": "version",
    "software_version": "version",
    "mdev_type": "text",
    "device_api": "text",
    "driver": "text",
    "aggregation": "uint",
    "revision": "uint",
    "pci_id": "pci_id",
    "capacity": "ratio",
}
SETTABLE = ["nr_ports", "mdev_type", "stream_version", "device_api", "aggregation", "driver_version"]
WRITTEN: dict[str, tuple[Any, ...]] = {
    "nr_ports": (1, 2),
    "mdev_type": ("mtty-1", "mtty-2"),
    "uint": (1, 2, 8),
    "version": ("1.0.0", "6.12.95", "6.13", "7", "1.1"),
    "text": ("a", "vfio-pci", "vfio-ap", "mtty-1", "mtty-2"),
    "pci_id": ("8086:4941", "8086:4943"),
    "ratio": ("1/2", "3/8", "1/1"),
}
RULES = {
    "uint": ("equal", "one-of", "in-range", "at-least", "ignore"),
    "version": ("equal", "one-of", "at-least", "version", "branch", "ignore"),
    "text": ("equal", "one-of", "ignore"),
    "pci_id": ("equal", "one-of", "ignore"),
    "ratio": ("equal", "one-of", "at-least", "ignore"),
}


def values(random: Random, name: str) -> list[Any]:
    """One or two values that an attribute may have."""
    choices = WRITTEN.get(name) or WRITTEN[ACCEPTABLE[name]]
    return random.sample(choices, random.choice((1, 2)))


def accept(random: Random, name: str) -> Said:
    """A rule of the target's own for an attribute."""
    rule = random.choice(RULES[ACCEPTABLE[name]])
    said: Said = {"rule": rule, "source": "made"}
    if rule == "one-of":
        said["values"] = values(random, name)
    elif rule == "in-range":
        said["range"] = random.choice(([1, 2], [2, 8], [1, 1]) if name != "nr_ports" else ([1, 2], [2, 2], [1, 1]))
    elif rule != "ignore" and random.randrange(2):
        said["value"] = values(random, name)[0]
    if rule == "branch":
        said["newer"] = random.choice((0, 1, 2))
    if random.randrange(3):
        said["driver_version"] = random.choice(("6.12", "6.12.95", "99", ["6.0", "6.12.95"], ["6.0", "6.12.94"]))
    return said


def settable(random: Random, name: str) -> Said:
    """What can be set."""
    how: list[Said] = [{"any": True}, {"values": values(random, name)}]
    if ACCEPTABLE[name] == "uint":
        how.append({"range": random.choice(([1, 2], [2, 2], [1, 1]))})
    return {**random.choice(how), "path": "made"}


# Making pairs of the vendors that have no format of their own.

QUEUES = [{"05.0004": one, "05.00ab": other} for one, other in (("14", "14"), ("15", "14"), ("13", "14"))]
PLAUSIBLE: dict[str, dict[str, tuple[Any, ...]]] = {
    "gvt-g": {
        "pci_id": ("8086:591d", "8086:5912"),
        "platform": ("kbl", "bdw"),
        "software_version": ("1.0.0", "1.2.0", "1.3.5", "2.0.0"),
        "mdev_type": (
            "i915-GVTg_V5_4",
            *("i915-GVTg_V5_2", "i915-GVTg_V5_8", "i915-GVTg_V5_1", "i915-GVTg_V4_4", "i915-GVTg_V4_2"),
            *("i915-GVTg_V5_3", "i915-GVTg_V6_4"),
        ),
        "aggregation": (1, 2, 4, 8, 3),
        "capacity": ("1/4", "1/2", "1/1", "3/4"),
        "low_gm_mb": (128, 256, 512, 64),
        "high_gm_mb": (512, 1024, 2048, 384, 1536),
        "fence": (4, 8, 2),
        "resolution": ("1920x1200", "1024x768"),
        "weight": (4, 8),
        "pv_mode": (["none", "ppgtt"], ["none"], ["context", "none", "ppgtt"]),
        "image_generation": (3, 1, 5),
    },
    "nvme": {
        "pci_id": ("8086:1457", "1b36:0010"),
        "subsystem_id": ("8086:0000", "8086:0001"),
        "software_version": ("1.2.0", "1.3.0", "1.1.0", "2.0.0"),
        "remote_url": (
            "nvme+tcp://stor1/nqn.2014-08.org.example:vol7",
            *("NVME+TCP://STOR1:4420/nqn.2014-08.org.example:vol7", "nvme+tcp://stor1/nqn.2014-08.org.example:VOL7"),
            *("nvme+rdma://stor1:4420/vol7", "nvme+rdma://stor1/vol7", "nvme+fc://stor1:4420/vol7", "unset", "UNSET"),
            *("nvme+tcp://user:secret@stor1/vol7", "nvme+tcp://stor1:44200/vol7", "stor1/vol7", "nvme+tcp://stor1"),
            *("nvme+tcp://stor1/", "nvme+tcp://[fe80::1]:4420/a@b", "nvme+tcp://stor1?@", "nvme+tcp://user@stor1"),
        ),
        "subnqn": ("nqn.2014-08.org.example:vol7", "nqn.2014-08.org.example:VOL7"),
        "namespaces": ({"1": "a"}, {"1": "a", "2": "b"}, {"1": "b"}),
        "state_layout": ("nvme-2.1", "rfc-2025"),
        "state_version": (0, 1, 2),
        "state_formats": ({"1": "0", "2": "1"}, {"1": "1", "2": "0"}, {"1": "1"}, {"0": "none"}),
        "state_index": (1, 2),
        "vendor_format": ("0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11", "none", "1b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11"),
        "vendor_formats": (
            {"1": "0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11"},
            {"1": "1b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11", "2": "0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11"},
            {"0": "none"},
        ),
        "vendor_index": (1, 2),
        "hmlms": (True, True, False),
        "max_io_queues": (64, 32, 16, 8),
        "io_queues": (16, 32),
        "max_queue_entries": (1024, 256, 128),
        "queue_entries": (256, 1024),
        "mdts": (5, 0, 4, 6),
        "page_size": (4096, 65536),
        "page_sizes": ([4096, 65536], [8192, 16384], [4096, 4096]),
        "doorbell_stride": (0, 1),
        "contiguous_queues": (True, False),
        "arbitration": (1, 0, 3),
        "firmware_revision": ("1.0", "2.0"),
        "controller_id": (1, 2),
        "serial_number": ("S0", "S1"),
    },
    "qat": {
        "pci_id": ("8086:4941", "8086:4943", "8086:4940"),
        "stream_version": (1, 2, 0),
        "capabilities": (0x67, 0x80000067, 0x66, 0),
        "service_map": (0x1249, 0x1248),
        "extended_compression": (0, 1),
        "pfvf_version": (4, 5, 0),
        "rate_limits": (
            {"none": "none"},
            *({"asym 0x300": "50/50", "dc 0xc00": "10/1000"}, {"asym 0x300": "51/51", "dc 0xc00": "11/1001"}),
            *({"asym 0x300": "50/49", "dc 0xc00": "10/999"}, {"asym 0x300": "50/50"}, {"sym 0x300": "50/50"}),
            *({"asym 0x100": "50/50"}, {"asym 0x300": "0/0"}, {"decomp 0x1": "1/2"}),
        ),
        "ring_banks": (4, 8),
    },
    "mlx5": {
        "pci_id": ("15b3:101e", "15b3:101e", "15b3:101d"),
        "firmware_version": ("22.36.1010", "22.40.0"),
    },
    "virtio": {
        "pci_id": ("1af4:1041", "1af4:1042", "1af4:1000"),
        "device_features": (0x100000020, 0x100001240, 0x20, 0, 1 << 65),
        "driver_features": (0x100000020, 0x20, 0x100001240, 0),
        "num_queues": (3, 2, 4),
    },
    "ccw": {
        "software_version": ("1.0.0", "1.1.0", "2.0.0"),
        "mdev_type": ("vfio_ccw-io", "vfio_ccw-io", "vfio_ccw-ni"),
        "subchannel_type": (0, 1),
        "chpid_type": ("1a", "1b"),
        "cu_type": ("3990", "1731"),
        "cu_model": ("e9", "e8"),
        "dev_type": ("3390", "0000"),
        "dev_model": ("0c", "0a"),
        "volume_uid": ("A", "B"),
        "availability": ("good", "boxed", "no path", "no device"),
        "subchannel": ("0.0.0313", "0.0.0314"),
        "chpids": ("10 11", "40 41"),
        "chpid_mask": (0xC0, 0xF0),
        "path_count": (2, 4),
    },
    "ap": {
        "mdev_type": ("vfio_ap-passthrough", "vfio_ap-passthrough", "vfio_ap-other"),
        "apqns": (["05.0004", "05.00ab"], ["05.0004"], ["05.0004", "05.00ab", "06.0004"], ["06.0004"]),
        "control_domains": (["0004", "00ab"], ["0004"]),
        "ap_type": (*QUEUES, {"05.0004": "14"}, {"05.0004": "14", "05.00ab": "14", "06.0004": "14"}),
        "mode": (
            {"05.0004": "cca", "05.00ab": "cca"},
            *({"05.0004": "accelerator", "05.00ab": "cca"}, {"05.0004": "cca"}, {"05.00ab": "ep11"}),
        ),
        "queue_facilities": (
            {"05.0004": "0xb2800000", "05.00ab": "0xb2800000"},
            *({"05.0004": "0xaa800000", "05.00ab": "0xb2800000"}, {"05.0004": "0xb2000000", "05.00ab": "0xb2000000"}),
            *({"05.0004": "0xb2808000", "05.00ab": "0xb2804000"}, {"05.0004": "0xb2800000"}),
            *({"05.0004": "0xb2c03fff", "05.00ab": "0xb2800001"}, {"05.0004": "0xaa800000"}),
        ),
        "master_keys": ({"0004": "11", "00ab": "22"}, {"0004": "11"}, {"0004": "12"}, {"none": "none"}),
    },
    "nvidia": {
        "pci_id": ("10de:1e30", "10de:2331", "10de:2321", "10de:2330", "10de:2335", "10de:2324", "10de:2322"),
        "driver_version": ("550.54.10", "550.90", "570.0.0", "535.54.3", "430.1", "418.1", "595.1"),
        "driver_build": ("550.54.10", "550.054.10", "550.90", "570.00.00", "595.1"),
        "vgpu_type_name": ("GRID RTX6000-1Q", "GRID RTX6000-2Q"),
        "gpu_board": (
            "10de:1e30 10de:1329",
            *("10de:1e30 10de:132a", "10de:2331 10de:1626", "10de:2321 10de:1839", "10de:2335 10de:18be"),
        ),
        "framebuffer_mb": (1024, 2048),
        "num_heads": (4, 1),
        "max_resolution": ("5120x2880", "1920x1200"),
        "hypervisor": (
            "RHEL 9.6",
            *("RHEL 9.6", "RHEL 9.4", "RHEL 9.8", "RHEL 10.0", "RHEL 9.5", "RHEL 9.9", "Ubuntu 24.04", "RHEL 10.1"),
        ),
        "vgpu_version": (13, 10, 15),
        "vgpu_version_range": ([10, 14], [13, 13], [14, 16]),
        "guest_driver": ("550.54.14", "535.54.3", "570.1", "595.2", "430.1", "525.1", "390.1", "600.0"),
        "migration_caps": (True, True, False),
        "ecc_mode": (False, True),
        "uvm": (False, False, True),
        "debugger": (False, False, True),
        "profiler": (False, False, True),
        "gsp_firmware": (False, True),
        "frame_rate_limiter": (60, 0),
        "plugin_params": ({"disable_vnc": "1"}, {"disable_vnc": "1", "loglevel": "3"}, {"disable_vnc": "0"}),
        "placement_id": (0, 1),
        "gpu_instance_id": (0, 1),
        "scheduler": ("best effort", "fixed"),
    },
    "hisi-acc": {
        "pci_id": ("19e5:a251", "19e5:a256", "19e5:a259", "19e5:a250"),
        "stream_version": (2, 1),
        "qp_num": (1, 4, 64, 1024),
        "que_iso_cfg": (0, 1, 3, 0xFFFFFFFF),
    },
    "pds": {"pci_id": ("1dd8:1003", "1dd8:1004")},
    "xe": {
        "pci_id": ("8086:e211", "8086:e212", "8086:b080"),
        "revision": (0, 1, 4),
        "gts": (3, 1, 15, 5, 2),
        "ggtt_pages": (4, 5, 0, 1 << 20),
        "vram_bytes": (256, 255, 512, 0),
    },
}
"""Values of attributes by vendor, the usual one first."""
OF_ALL: dict[str, tuple[Any, ...]] = {
    "device_api": ("vfio-pci", "vfio-ccw", "vfio-ap"),
    "driver": ("i915", "nvme"),
    "driver_version": ("1.4.0", "1.3.9", "2.0"),
    "revision": (1, 2),
    "observed_at": (1767225600,),
}
"""The same, for those that have no others."""
ODD: dict[str, tuple[Any, ...]] = {
    "chpid_type": ("1A", "0x1a"),
    "cu_type": ("0x3990",),
    "availability": ("Good", "offline"),
    "rate_limits": (
        *({"bad 0x1": "1/1"}, {"asym 300": "50/50"}, {"asym 0x300": "50"}, {"none": "none", "x": "y"}),
        *({"asym 0x300": "+50/50"}, {"asym 0x+300": "50/50"}, {"asym 0x300": "4294967296/50"}, {"asym 0x": "/"}),
        *({"none": "none", "asym 0x300": "50/50"}, {"asym 0x0300": "40/40", "asym 0x300": "0060/60"}),
        *({"dc 0xC00": "1/1"}, {"dc 0x10000000000000000": "1/1"}, {"dc 0x00000000000000c00": "1/1"}, {"none": "x"}),
    ),
    "apqns": (["5.4"], [1]),
    "control_domains": (["4"],),
    "ap_type": ({"05.0004": "0x0e", "05.00ab": "14"}, {"none": "none"}, {"05.0004": "015", "05.00ab": "x"}),
    "mode": ({"05.0004": "CCA", "05.00ab": "cca"},),
    "queue_facilities": ({"05.0004": "b2800000", "05.00ab": "0xb2800000"}, {"05.0004": "0xB2800000"}),
    "state_formats": ({"1": "zero"}, {"one": "0"}, {"1": "00"}, {"0": "0"}, {"256": "0"}, {"1": "65536"}),
    "vendor_format": ("0B6FF1D2-6F0C-4F0E-8D39-5C4F6C7F4F11", "x"),
    "namespaces": ({"x": "y"},),
    "capabilities": (0x1_0000_0067, "0xffffffffffffffff"),
    "hypervisor": (
        *("RHEL", "rhel 9.6", "RHEL 9", "RHEL 9.6.1", "RHEL 09.4", "RHEL 9.04", "RHEL 9.4 ", "RHEL 10", "RHEL 10.x"),
        *("RHEL 100.1", "VMware ESXi 8.0"),
    ),
    "driver_build": (
        *("550", "550.54.10.1", "550.54.", ".54.10", "550.54.10-grid", "550.0000000000054.10", "550.4294967296"),
        *("+550.54.10", "550 .54.10", "550.4294967295.1"),
    ),
    "gpu_board": (
        *("10DE:2331 10DE:1626", "10de:2331", "10de:2321 ", "10de:2331  10de:1626", "10de:2331 10de:1626 a"),
        *("10de:2331 x", "0x10de:2331 0x10de:1626", "+0de:2331 10de:1626", "H100"),
    ),
    "state_layout": ("nvme", "NVME-2.1"),
    "vendor_formats": ({"1": "0B6FF1D2-6F0C-4F0E-8D39-5C4F6C7F4F11"}, {"1": "none"}, {"256": "x"}),
    "resolution": ("big",),
    "aggregation": (2**34, 2**34 - 4, "0xffffffffffffffff"),
    "mdev_type": ("other",),
}
"""What nobody should write."""


def encode(value: Value) -> bytes:
    """A value as it is in a header."""
    one = value.plain
    match value.type:
        case attributes.BOOL:
            return bytes([one])
        case attributes.UINT:
            return struct.pack("<Q", one)
        case attributes.TEXT:
            return bytes(one.encode())
        case attributes.VERSION:
            return struct.pack("<3I", *one)
        case attributes.RANGE:
            return struct.pack("<2Q", *one)
        case attributes.MASK:
            return bytes(one.to_bytes((one.bit_length() + 7) // 8 or 1, "little"))
        case attributes.SET:
            members = sorted(encode(each) for each in one)
            return bytes([next(iter(one)).type]) + b"".join(map(member, members))
        case attributes.RATIO:
            return struct.pack("<2I", one.numerator, one.denominator)
        case attributes.PCI_ID:
            return struct.pack("<2H", *one)
        case attributes.MAP:
            return b"".join(
                member(key) + member(said) for key, said in sorted((k.encode(), v.encode()) for k, v in one.items())
            )
    return b""


def said_of(random: Random, name: str, share: float) -> Said:
    """Attributes of a device: usual values, others, odd ones, and ones that have not been reported."""
    table = OF_ALL | PLAUSIBLE[name]
    common = ["device_api", "driver", "driver_version", "revision", "observed_at"]
    said: Said = {}
    for attribute_name, choices in table.items():
        if random.random() > (share if attribute_name in PLAUSIBLE[name] or attribute_name not in common else 0.2):
            continue
        kind = random.random()
        if kind < 0.75:
            said[attribute_name] = choices[0]
        elif kind < 0.94:
            said[attribute_name] = random.choice(choices)
        elif kind < 0.97:
            said[attribute_name] = {"unknown": True}
        else:
            said[attribute_name] = random.choice(ODD.get(attribute_name, choices))
    if "device_api" in said and random.randrange(3):
        said["device_api"] = {"ccw": "vfio-ccw", "ap": "vfio-ap"}.get(name, "vfio-pci")
    if name in ("gvt-g", "nvidia") and not rarely(random, 4):
        # What follows from others contradicts them otherwise, most of the time.
        for follows in FOLLOW[name]:
            said.pop(follows, None)
    return said


FOLLOW = {
    "gvt-g": ("capacity", "low_gm_mb", "high_gm_mb", "fence", "resolution", "weight"),
    "nvidia": ("pci_id", "driver_build", "manager_version"),
}


def pair(random: Random, name: str, stream: bool = False) -> tuple[bytes, Said]:
    """A profile of that vendor, or a stream whose payload is opaque, and a target that is no error of usage."""
    source = said_of(random, name, random.choice((0.5, 0.9, 0.98, 1.0)))
    payload = octets(random, random.randrange(40))
    if stream:
        digest = random.choice((1, 2))
        parts = ((0x80E0, 3, b"opaque"), (0x80E1, 2, struct.pack("<Q", digest)), (0x80E3, 4, octets(random, 16)))
        data = envelope(2, stating(name, source, *parts), b"".join(frames(random, payload, digest)))
    else:
        data = profile(name, source)
    return data, target_for(random, name, source)


def profile(name: str, source: Said) -> bytes:
    """A profile of that vendor, whatever it says."""
    return envelope(1, stating(name, source))


def stating(name: str, source: Said, *parts: tuple[int, int, bytes]) -> bytes:
    """A header with the attributes of the source, and others."""
    known = {row.name: row for row in (*attributes.COMMON, *VENDORS[name].attributes)}
    values = parse({"vendor": name, "attributes": source}, known.values()).attributes
    stated = [(known[each].id, value.type, encode(value)) for each, value in values.items()]
    every = [(0x8001, attributes.TEXT, name.encode()), *stated, *parts]
    return b"".join(attribute(*part) for part in sorted(every, key=lambda part: part[0] & 0x7FFF))


def target_for(random: Random, name: str, source: Said) -> Said:
    """A target of that vendor."""
    for _ in range(20):
        said: Said = {"vendor": name, "attributes": said_of(random, name, random.choice((0.5, 0.9, 0.98, 1.0)))}
        terms(random, said, source)
        try:
            transire.Target(**said)
        except transire.TransireError:
            continue
        return said
    return {"vendor": name, "attributes": {}}


def terms(random: Random, said: Said, source: Said) -> None:
    """Rules of the target's own, what can be set, and what somebody vouches for."""
    name = said["vendor"]
    table = OF_ALL | PLAUSIBLE[name]
    types = {row.name: row.type for row in (*attributes.COMMON, *VENDORS[name].attributes)}

    def some() -> str:
        return random.choice(sorted(table))

    if rarely(random, 4):
        said["accepts"] = {each: accepted(random, types[each], table[each]) for each in sorted({some(), some()})}
        if rarely(random, 2):
            said["attributes"].setdefault("driver_version", "1.4.0")
    if rarely(random, 3):
        said["settable"] = {}
        for each in sorted({some(), some(), "aggregation" if name == "gvt-g" else some()}):
            how: list[Said] = [{"any": True}, {"any": True}, {"values": list(table[each][:3])}]
            if types[each] == attributes.UINT:
                how.append({"range": random.choice(([1, 2], [1, 4], [0, 100]))})
            said["settable"][each] = {**random.choice(how), "path": "made"}
    if rarely(random, 3):
        by: Said = {"by": "platform team", "reason": "tested together"}
        said["assertions"] = []
        for each in random.sample(sorted(table), min(len(table), random.choice((1, 3, 8)))):
            one: Said = {"attribute": each, **by}
            for side, of_side in (("source", source), ("target", said["attributes"])):
                if each in of_side and of_side[each] != {"unknown": True} and not rarely(random):
                    one[side] = of_side[each]
                elif rarely(random):
                    one[side] = table[each][-1]
            if "source" not in one and "target" not in one and rarely(random, 2):
                continue
            if rarely(random, 3):
                one["until"] = random.choice(("2020-12-31", "9999-12-31", 1, 99_999_999_999))
            said["assertions"].append(one)


def accepted(random: Random, kind: int, choices: tuple[Any, ...]) -> Said:
    """A rule of the target's own, of those that the type of the attribute has."""
    rules = ["equal", "one-of", "ignore"]
    if kind in (attributes.UINT, attributes.RANGE):
        rules.append("in-range")
    if kind in (attributes.MASK, attributes.SET, attributes.MAP):
        rules.append("subset")
    if kind in (attributes.UINT, attributes.RATIO, attributes.VERSION):
        rules.append("at-least")
    if kind == attributes.VERSION:
        rules += ["version", "branch"]
    rule = random.choice(rules)
    said: Said = {"rule": rule, "source": "made"}
    if rule == "one-of":
        said["values"] = list(choices[: random.choice((1, 2, 3))])
    elif rule == "in-range":
        said["range"] = random.choice(([0, 1], [1, 20], [10, 100_000]))
    elif rule != "ignore" and random.randrange(2):
        said["value"] = random.choice(choices)
    if rule == "branch":
        said["newer"] = random.choice((0, 1, 20))
    if random.randrange(3) == 0:
        said["driver_version"] = random.choice(("1.0", "1.4.0", "500", ["1.0", "1.3.9"]))
    return said


# Running.


class Tally(NamedTuple):
    """What came of some inputs."""

    outcomes: Counter[str]
    ids: Counter[str]
    differences: list[tuple[str, Difference]]
    beyond: list[str]
    """Inputs of which the reference can say nothing."""


def run(job: tuple[int, int, int]) -> Tally:
    """Makes and compares the inputs of a seed from one number to another, without that one."""
    seed, first, last = job
    tally = Tally(Counter(), Counter(), [], [])
    for number in range(first, last):
        case = make(Random(f"{seed}:{number}"))
        answer, difference = compare(case)
        if beyond(case.data, None):
            tally.beyond.append(f"{seed}-{number}")
        tally.outcomes[answer.outcome] += 1
        tally.ids.update({identity for identity, _, _ in answer.reasons})
        if difference:
            tally.differences.append((f"{seed}-{number}", difference))
    return tally


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs to make (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other inputs (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--keep", type=Path, default=Path("target/differential"), help="folder for inputs that differ")
    options = parser.parse_args()
    step = 500
    jobs = [(options.seed, first, min(first + step, options.count)) for first in range(0, options.count, step)]
    outcomes: Counter[str] = Counter()
    ids: Counter[str] = Counter()
    differences = others = 0
    started = time.monotonic()
    with multiprocessing.Pool(options.jobs) as pool:
        for tally in pool.imap_unordered(run, jobs):
            outcomes += tally.outcomes
            ids += tally.ids
            others += len(tally.beyond)
            for name, difference in tally.differences:
                differences += 1
                if differences <= 20:
                    report(options.keep, name, difference)
            if sys.stderr.isatty():
                done = outcomes.total()
                rate = done / (time.monotonic() - started)
                print(f"\r{done:,} of {options.count:,}, {rate:,.0f} a second", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    seconds = time.monotonic() - started
    for identity, times in sorted(ids.items()):
        print(f"{times:10,} {identity}")
    shown = ", ".join(f"{outcome.lower()} {times:,}" for outcome, times in sorted(outcomes.items()))
    print(
        f"{outcomes.total():,} inputs of seed {options.seed} in {seconds:,.0f} s: {differences:,} differ, "
        f"{others:,} are of vendors that the reference does not know; {shown}"
    )
    return 1 if differences else 0


def report(folder: Path, name: str, difference: Difference) -> None:
    """Writes an input that differs to a file, and says how."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.bin"
    path.write_bytes(difference.case.data)
    print(f"{path}: target {difference.case.target}")
    print(f"  compiled:  {difference.compiled}")
    print(f"  reference: {difference.reference}")


if __name__ == "__main__":
    sys.exit(main())
