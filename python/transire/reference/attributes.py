"""Attributes: the tables of the known ones, and the types with what makes a value well formed.

`docs/format.md`, "Header" to "Stream attributes". Values become plain Python: int, str, bytes, tuple, Fraction,
frozenset, dict.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple

from construct import (
    Bytes,
    ConstructError,
    GreedyBytes,
    GreedyRange,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64ul,
    Prefixed,
    Struct,
    Terminated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BOOL, UINT, TEXT, BYTES, VERSION, RANGE, MASK, SET, RATIO, PCI_ID, MAP, UNKNOWN = range(1, 13)

HEAD = Struct("id" / Int16ul, "type" / Int8ul, "zero" / Int8ul, "len" / Int32ul)
"""What stands before each value."""
ATTRIBUTE = Struct("head" / HEAD, "value" / Bytes(lambda at: at.head.len))
"""An attribute, whole."""
CRITICAL = 0x8000
"""The bit of an id that says: refuse what you do not understand."""

_MEMBER = Prefixed(Int16ul, GreedyBytes)
VALUES: dict[int, Any] = {
    BOOL: Int8ul,
    UINT: Int64ul,
    TEXT: GreedyBytes,
    BYTES: GreedyBytes,
    VERSION: Struct("major" / Int32ul, "minor" / Int32ul, "patch" / Int32ul),
    RANGE: Struct("low" / Int64ul, "high" / Int64ul),
    MASK: GreedyBytes,
    SET: Struct("type" / Int8ul, "members" / GreedyRange(_MEMBER), Terminated),
    RATIO: Struct("numerator" / Int32ul, "denominator" / Int32ul),
    PCI_ID: Struct("vendor" / Int16ul, "device" / Int16ul),
    MAP: Struct("pairs" / GreedyRange(Struct("key" / _MEMBER, "value" / _MEMBER)), Terminated),
}
"""How the value of each type is laid out. Type 12 has no bytes."""

ANY = 65_536
"""A length that only the header bounds."""
LENGTHS = {
    BOOL: (1, 1),
    UINT: (8, 8),
    TEXT: (1, 1024),
    BYTES: (1, 4096),
    VERSION: (12, 12),
    RANGE: (16, 16),
    MASK: (1, 32),
    SET: (4, ANY),
    RATIO: (8, 8),
    PCI_ID: (4, 4),
    MAP: (6, ANY),
    UNKNOWN: (0, 0),
}
"""Bytes that a value of each type may have: least and most."""
MEMBERS = (1, 256)
"""Members that a set may have, pairs that a map may have."""

FORBIDDEN = (
    (0x0000, 0x001F),
    (0x007F, 0x009F),
    (0x061C, 0x061C),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0xFEFF, 0xFEFF),
)
"""Characters that no text has: first and last."""


class Value(NamedTuple):
    """A value with its type. The plain value of type 12 is None."""

    type: int
    plain: Any


class Stated(NamedTuple):
    """A value that somebody states, and where: the offset of its first byte, or None where it has none."""

    value: Value
    offset: int | None


AWAITED = Stated(Value(0, None), None)
"""In place of what a part of the stream has that was not read yet: rules on it wait. No value has type 0."""
UNSAID = Stated(Value(0, None), -1)
"""In place of what no native stream of the format says: where a rule would have it, that is a note."""


class Known(NamedTuple):
    """A row of a table of attributes. `limit` says which values of the type it may have."""

    id: int
    name: str
    type: int
    limit: Callable[[Any], bool] | None = None


COMMON = (
    Known(0x8001, "vendor", TEXT),
    Known(0x0003, "device_api", TEXT),
    Known(0x0004, "pci_id", PCI_ID),
    Known(0x0005, "subsystem_id", PCI_ID),
    Known(0x0006, "revision", UINT),
    Known(0x0007, "driver", TEXT),
    Known(0x0008, "driver_version", VERSION),
    Known(0x0009, "mdev_type", TEXT),
    Known(0x000A, "aggregation", UINT, lambda number: number >= 1),
    Known(0x000B, "capacity", RATIO),
    Known(0x000C, "software_version", VERSION),
    Known(0x000D, "driver_build", TEXT),
    Known(0x000E, "observed_at", UINT),
)
"""What has the same meaning for every vendor."""
STREAM = (
    Known(0x80E0, "payload_format", TEXT),
    Known(0x80E1, "digest", UINT),
    Known(0x00E2, "payload_len", UINT),
    Known(0x80E3, "stream_id", BYTES, lambda octets: len(octets) == 16),
    Known(0x00E4, "device_label", TEXT),
)
"""What is about the stream, and in no profile."""


def of_texts(members: frozenset[Value]) -> bool:
    """The limit of a set of texts."""
    return all(member.type == TEXT for member in members)


STAGES = ("early", "final")
ADMITTED = ("compatible", "fixable", "unknown")
"""Outcomes that a stream can be loaded with."""
REFUSED = ("truncated", "incompatible", "corrupt", "unrecognized")
ANSWER = (
    Known(0x80E5, "answers", UINT, lambda number: number < 1 << 32),
    Known(0x80E6, "answer_stage", TEXT, lambda text: text in STAGES),
    Known(0x80E7, "answer_outcome", TEXT, lambda text: text in ADMITTED + REFUSED),
    Known(0x80E8, "answer_complete", BOOL),
    Known(0x00E9, "answer_reasons", SET, of_texts),
)
"""What is in an answer to a stream, and nowhere else."""


ALWAYS_REPORTED = ("vendor", *(known.name for known in STREAM + ANSWER))
"""What type 12 may not stand for."""


def decode(kind: int, data: bytes) -> Value | None:
    """The value of a type from 1 to 12, or None if it is not well formed. Its length must be one that the type has."""
    if kind == UNKNOWN:
        return Value(kind, None)
    try:
        parsed = VALUES[kind].parse(data)
    except ConstructError:
        return None
    plain: Any = None
    match kind:
        case 1:
            plain = bool(parsed) if parsed <= 1 else None
        case 2 | 4:
            plain = parsed
        case 3:
            plain = _text(parsed)
        case 5:
            plain = (parsed.major, parsed.minor, parsed.patch)
        case 6:
            plain = (parsed.low, parsed.high) if parsed.low <= parsed.high else None
        case 7:
            plain = int.from_bytes(parsed, "little") if parsed[-1] != 0 or parsed == b"\0" else None
        case 8:
            plain = _set(parsed.type, parsed.members)
        case 9:
            lowest = parsed.denominator > 0 and gcd(parsed.numerator, parsed.denominator) == 1
            plain = Fraction(parsed.numerator, parsed.denominator) if lowest else None
        case 10:
            plain = (parsed.vendor, parsed.device)
        case 11:
            plain = _map(parsed.pairs)
    return None if plain is None else Value(kind, plain)


def _text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    forbidden = any(first <= ord(character) <= last for character in text for first, last in FORBIDDEN)
    return None if forbidden else text


def _set(kind: int, members: list[bytes]) -> frozenset[Value] | None:
    """Members are told apart by their type, too: a set of numbers has no text."""
    if kind not in (UINT, TEXT, PCI_ID) or not _ascending(members):
        return None
    values = [_member(kind, member) for member in members]
    return None if None in values else frozenset(value for value in values if value)


def _map(pairs: list[Any]) -> dict[str, str] | None:
    if not _ascending([pair.key for pair in pairs]):
        return None
    texts = [(_member(TEXT, pair.key), _member(TEXT, pair.value)) for pair in pairs]
    return (
        None
        if any(None in pair for pair in texts)
        else {key.plain: value.plain for key, value in texts if key and value}
    )


def _member(kind: int, data: bytes) -> Value | None:
    least, most = LENGTHS[kind]
    return decode(kind, data) if least <= len(data) <= most else None


def _ascending(items: list[bytes]) -> bool:
    least, most = MEMBERS
    return least <= len(items) <= most and all(one < other for one, other in pairwise(items))
