"""What a verdict from the first bytes costs from Python, beside ways that only take the same bytes apart.

`check` recognises, verifies the checksums, reads and judges. The others do less: `construct` lays out the same header
with the reference's declarations, `struct` with `unpack` by hand; neither checks or judges anything. `reference` comes
to the same verdict as `check`, with construct. Rounds are the outer loop, so that drift hits every way.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from construct import ConstError, GreedyRange

import transire
from transire import reference
from transire.reference import attributes, mtty, sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 5

PROFILE = transire.Profile.load(Path(__file__).with_name("profile.toml"))
TARGET = transire.Target.read(PROFILE.to_bytes())
PLAIN = {"vendor": "mtty", "attributes": {"nr_ports": 2, "mdev_type": "mtty-2"}}
"""A target for the reference, as its TOML file says it."""

WHOLE = transire.seal(bytes(64), PROFILE, payload_format="opaque", stream_id=bytes(16))
assert isinstance(WHOLE, bytes)
SEALED = WHOLE
"""A sealed stream: its header has the twelve attributes and those of the stream."""
MTTY = bytes.fromhex("4e2c3e8c89099d7e 01000000 00000000 02000000 00000000") + 2 * (bytes(33) + b"\x01\0\0")
"""A native stream of two ports."""
WRONG = b"\xff" * 64
"""Nothing that is known."""

PROLOGUE = struct.Struct("<8sIIHHB3sII")
HEAD = struct.Struct("<HBBI")
HEADER = struct.Struct("<QIIII")
MTTY_MAGIC = int.from_bytes(mtty.MAGIC, "little")
NUMBER, VERSION, RATIO = struct.Struct("<Q"), struct.Struct("<III"), struct.Struct("<II")
ATTRIBUTES = GreedyRange(attributes.ATTRIBUTE)


def check(data: bytes) -> Any:
    return transire.check(data, TARGET)


def construct_sealed(data: bytes) -> Any:
    size = sealed.PROLOGUE.sizeof()
    prologue = sealed.PROLOGUE.parse(data[:size])
    found = ATTRIBUTES.parse(data[size : size + prologue.header_len])
    return {one.head.id: attributes.VALUES[one.head.type].parse(one.value) for one in found}


def construct_mtty(data: bytes) -> Any:
    return mtty.HEADER.parse(data[:24])


def construct_wrong(data: bytes) -> Any:
    try:
        return sealed.PROLOGUE.parse(data[:32])
    except ConstError:
        return None


def struct_sealed(data: bytes) -> Any:
    magic, length, *_ = PROLOGUE.unpack_from(data)
    assert magic == b"TRANSIRE"
    at, end = PROLOGUE.size, PROLOGUE.size + length
    found: dict[int, Any] = {}
    while at < end:
        identity, kind, _, size = HEAD.unpack_from(data, at)
        at += 8
        if kind == attributes.UINT:
            (found[identity],) = NUMBER.unpack_from(data, at)
        elif kind == attributes.TEXT:
            found[identity] = data[at : at + size].decode()
        elif kind == attributes.VERSION:
            found[identity] = VERSION.unpack_from(data, at)
        elif kind == attributes.RATIO:
            found[identity] = RATIO.unpack_from(data, at)
        else:
            found[identity] = data[at : at + size]
        at += size
    return found


def struct_mtty(data: bytes) -> Any:
    magic, major, minor, ports, flags = HEADER.unpack_from(data)
    assert magic == MTTY_MAGIC
    return major, minor, ports, flags


def struct_wrong(data: bytes) -> Any:
    return PROLOGUE.unpack_from(data)[0] == b"TRANSIRE"


def by_reference(data: bytes) -> Any:
    return reference.read(data, PLAIN)


WAYS: dict[str, tuple[bytes, dict[str, Callable[[bytes], Any]]]] = {
    "sealed": (SEALED, {"check": check, "construct": construct_sealed, "struct": struct_sealed}),
    "mtty": (MTTY, {"check": check, "construct": construct_mtty, "struct": struct_mtty}),
    "wrong magic": (WRONG, {"check": check, "construct": construct_wrong, "struct": struct_wrong}),
}
for _, ways in WAYS.values():
    ways["reference"] = by_reference

CELLS = [(number, name, way) for number in range(ROUNDS) for name, (_, ways) in WAYS.items() for way in ways]


@pytest.mark.parametrize(("number", "name", "way"), CELLS)
def test_verdict(benchmark: BenchmarkFixture, number: int, name: str, way: str) -> None:
    data, ways = WAYS[name]
    benchmark.group = f"{name}, round {number}"
    benchmark.extra_info.update(name=name, way=way)
    benchmark(ways[way], data)
