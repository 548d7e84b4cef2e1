"""Streams of records: the header that mlx5 and virtio share. `docs/vendors/mlx5.md`, `docs/vendors/virtio.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import Int32ul, Int64ul, Struct

from transire.reference.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from transire.reference.attributes import Stated

Found = Reason | dict[str, "Stated"]
"""A finding, or what the source states."""
HEADER = Struct("record_size" / Int64ul, "flags" / Int32ul, "tag" / Int32ul)
"""What stands before a record."""
HEADER_LEN = HEADER.sizeof()
RECORD_MAX = 0xFFFFFFFF
"""Most bytes of a record."""
OPTIONAL = 1
"""The only flag."""


def check(vendor: str, header: Any, at: int, known: Mapping[int, int]) -> Iterator[Reason]:
    """What is wrong with a header at this offset; `known` has the flags of each tag that is. An error is the last."""
    if header.record_size > RECORD_MAX:
        yield Reason(f"{vendor}.record-size", Outcome.CORRUPT, at)
    elif header.tag not in known and not header.flags & OPTIONAL:
        yield Reason(f"{vendor}.tag", Outcome.UNRECOGNIZED, at + 12)
    elif header.flags != known.get(header.tag, OPTIONAL):
        yield Reason(f"{vendor}.flags", Outcome.CORRUPT, at + 8)
    elif header.tag not in known:
        yield Reason(f"{vendor}.tag-optional", Outcome.COMPATIBLE, at + 12)


def truncated(data: bytes) -> Reason:
    """The stream ends too early."""
    return Reason("stream.truncated", Outcome.TRUNCATED, len(data))


def source_first(found: Iterator[Found]) -> Iterator[Found]:
    """The same, but what is found before the source is first known comes behind it; and nothing as long as neither the
    source is known nor an error found.
    """
    waiting: list[Reason] = []
    for one in found:
        if isinstance(one, Reason) and one.outcome == Outcome.COMPATIBLE:
            waiting.append(one)
            continue
        if isinstance(one, Reason):
            yield from waiting
            yield one
            return
        yield one
        yield from waiting
        yield from found
        return
