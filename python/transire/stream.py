"""Decoded streams: every structure as a record of named values, and back to the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from transire import _native

if TYPE_CHECKING:
    from transire._native import _Source


@dataclass
class Record:
    """One structure of a stream."""

    name: str
    """The name of its layout, such as `header` or `port`."""
    values: dict[str, int | bytes]
    """Its fields, in the order in which they stand on the wire."""
    number: int | None = None
    """Which one, where there are several."""
    offset: int | None = None
    """Offset in the stream that it was decoded from, in bytes."""


@dataclass
class Stream:
    """A decoded stream."""

    format: str
    """The name of the format: `sealed`, `profile`, or a native one."""
    records: list[Record] = field(default_factory=list)
    """Its structures, in order."""


def decode(source: _Source, *, format: str | None = None) -> Stream:  # noqa: A002
    """Take a stream apart: every structure as a record of named values.

    Raises:
        TransireError: the stream is not well-formed; the exception carries the verdict.
    """
    name, records = _native.decode_records(source, format)
    return Stream(name, [Record(layout, values, number, offset) for layout, number, offset, values in records])


def encode(stream: Stream) -> bytes:
    """Write a decoded stream: `encode(decode(x)) == x` for every stream that is accepted.

    Values are written as they stand: checksums are not computed anew. To make a sealed stream, use `seal`.

    Raises:
        TransireError: a value does not fit its field, or a name is not known.
    """
    return _native.encode_records(stream.format, [(record.name, record.values) for record in stream.records])
