"""The Python API, against the captured streams of mtty and the kernel driver's recorded answers."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import transire
from transire import Outcome, Profile, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CAPTURES = Path(__file__).parent.parent / "fixtures" / "mtty"
STREAMS = sorted(path.name for path in CAPTURES.glob("*.bin"))
ALL_STREAMS = STREAMS + sorted(f"mutated/{path.name}" for path in CAPTURES.glob("mutated/*.bin"))


def rows(name: str) -> list[dict[str, str]]:
    with (CAPTURES / name).open(newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def target_of(kind: str) -> Target:
    return Target(vendor="mtty", attributes={"mdev_type": kind})


# Profiles and targets


ATTRIBUTES: dict[str, Any] = {
    "nr_ports": 2,
    "stream_version": "1.0.0",
    "pci_id": "4348:3253",
    "subsystem_id": "4348:3253",
    "revision": 16,
    "driver": "mtty",
    "driver_version": "6.12.95",
    "mdev_type": "mtty-2",
    "aggregation": 1,
    "capacity": "1/2",
    "device_api": "vfio-pci",
    "observed_at": 1767225600,
}


def test_profile_has_what_it_was_made_from() -> None:
    profile = Profile(vendor="mtty", attributes=ATTRIBUTES)
    assert profile.vendor == "mtty"
    assert profile.attributes == ATTRIBUTES


@pytest.mark.parametrize("form", ["to_toml", "to_json", "to_text", "to_bytes"])
@pytest.mark.parametrize(
    "attributes",
    [{}, {"nr_ports": 1}, ATTRIBUTES, {"mdev_type": {"unknown": True}}, {"observed_at": "0xffffffffffffffff"}],
)
def test_every_form_of_a_profile_is_read_back(attributes: dict[str, Any], form: str, tmp_path: Path) -> None:
    profile = Profile(vendor="mtty", attributes=attributes)
    written = getattr(profile, form)()
    assert Profile.read(written) == profile
    file = tmp_path / "profile"
    file.write_bytes(written if isinstance(written, bytes) else written.encode())
    assert Profile.load(file) == profile
    assert Profile.load(str(file)) == profile
    assert Profile.load(file).to_bytes() == profile.to_bytes()
    assert Target.load(file).profile == profile


def test_profiles_are_equal_by_their_attributes() -> None:
    one, same = (Profile(vendor="mtty", attributes={"nr_ports": 1}) for _ in range(2))
    other = Profile(vendor="mtty", attributes={"nr_ports": 2})
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "a profile"
    assert len({one, same, other}) == 2


@pytest.mark.parametrize(
    ("text", "key", "line", "words"),
    [
        ('vendor = "mtty"\n[attributes]\nnr_prots = 2\n', "attributes.nr_prots", 3, "nearest is nr_ports"),
        ('vendor = "mtty"\n[attributes]\nnr_ports = 3\n', "attributes.nr_ports", 3, "1"),
        ('vendor = "mtty"\n[attributes]\nnr_ports = "two"\n', "attributes.nr_ports", 3, "two"),
        ('vendor = "nothing"\n', "vendor", 1, "mtty"),
        ("[attributes]\n", "vendor", None, "vendor"),
        ("vendor = \n", None, 1, "syntax"),
        ('{"vendor": "mtty", "attributes": {"nr_prots": 2}}', "attributes.nr_prots", 1, "nearest is nr_ports"),
        ("transire1.AAAA", None, None, "offset"),
        ("transire1.%", None, None, "offset"),
        ("", "vendor", None, "vendor"),
    ],
)
@pytest.mark.parametrize("read", [Profile.read, Target.read])
def test_malformed_profiles_say_where(
    text: str, key: str | None, line: int | None, words: str, read: Callable[[str], object]
) -> None:
    with pytest.raises(transire.ProfileError) as caught:
        read(text)
    assert caught.value.key == key
    if line is not None:
        assert (caught.value.line, caught.value.column is None) == (line, False)
    assert words in str(caught.value)
    assert isinstance(caught.value, transire.TransireError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.verdict is None


def test_malformed_attributes_from_python_say_the_key() -> None:
    with pytest.raises(transire.ProfileError, match="nearest is nr_ports") as caught:
        Profile(vendor="mtty", attributes={"nr_prots": 2})
    assert (caught.value.key, caught.value.line) == ("attributes.nr_prots", None)
    with pytest.raises(transire.ProfileError, match="mtty"):
        Target(vendor="nothing")


def test_contradicting_attributes_of_a_target_are_an_error() -> None:
    attributes = {"nr_ports": 1, "mdev_type": "mtty-2"}
    with pytest.raises(transire.ProfileError, match="cannot both be true"):
        Target(vendor="mtty", attributes=attributes)
    # A profile says what a source says of itself: judging it is another matter.
    profile = Profile(vendor="mtty", attributes=attributes)
    verdict = transire.check(profile, target_of("mtty-2"))
    assert verdict.outcome is Outcome.CORRUPT
    assert verdict.reasons[0].id == "profile.contradicts-itself"


def test_target_with_everything() -> None:
    target = Target(
        vendor="mtty",
        attributes={"nr_ports": 2, "driver_version": "6.12.95"},
        accepts={"device_api": {"rule": "ignore", "source": "a test", "driver_version": "6.7.0"}},
        settable={"aggregation": {"range": [1, 8], "path": "mdev/aggregation"}},
        requires={"sealed": True, "digest": "blake3"},
        assertions=[
            {"attribute": "mdev_type", "source": "mtty-2", "by": "nobody", "reason": "a test", "until": "2999-01-31"}
        ],
    )
    assert target.vendor == "mtty"
    assert target.attributes == {"nr_ports": 2, "driver_version": "6.12.95"}
    assert target.profile == Profile(vendor="mtty", attributes=target.attributes)


def test_loading_says_which_file(tmp_path: Path) -> None:
    for load in (Profile.load, Target.load):
        with pytest.raises(FileNotFoundError) as missing:
            load(tmp_path / "nothing")
        assert missing.value.filename == str(tmp_path / "nothing")
        with pytest.raises(IsADirectoryError) as directory:
            load(tmp_path)
        assert directory.value.filename == str(tmp_path)
        with pytest.raises(transire.ProfileError):
            load("/dev/zero")


# Verdicts


@pytest.mark.parametrize("name", STREAMS)
def test_captured_streams_go_where_they_came_from_and_nowhere_else(name: str) -> None:
    kind, other = ("mtty-1", "mtty-2") if name.startswith("mtty1") else ("mtty-2", "mtty-1")
    same = transire.verify(CAPTURES / name, target_of(kind))
    assert (same.outcome, same.complete) == (Outcome.COMPATIBLE, True)
    assert all(reason.outcome is Outcome.COMPATIBLE for reason in same.reasons)
    refused = transire.verify(CAPTURES / name, target_of(other))
    assert (refused.outcome, refused.complete) == (Outcome.INCOMPATIBLE, False)
    assert "nr_ports.not-equal" in [reason.id for reason in refused.reasons]


def test_verdict_in_all_its_forms(stream: Path, one_port: Target) -> None:
    verdict = transire.verify(stream, one_port)
    assert verdict.outcome is Outcome.INCOMPATIBLE
    assert str(verdict.outcome) == "incompatible"
    assert not verdict.complete
    assert (verdict.format, verdict.payload_format) == ("mtty", "mtty")
    assert verdict.bytes_examined == 96
    assert verdict.dropped == 0
    assert verdict.source == Profile(vendor="mtty", attributes={"nr_ports": 2, "stream_version": "1.0.0"})
    (reason,) = verdict.reasons
    assert reason.id == "nr_ports.not-equal"
    assert reason.outcome is Outcome.INCOMPATIBLE
    assert (reason.attribute, reason.found, reason.required) == ("nr_ports", "2", "1")
    assert reason.set is None
    assert not reason.in_payload
    assert "nr_ports" in reason.text
    assert reason.remedy
    origin = reason.origin
    assert origin is not None
    assert origin.kind == "driver"
    assert "mtty.c" in origin.citation
    assert "6.7" in origin.scope
    assert origin.date

    document = verdict.to_dict()
    assert json.loads(verdict.to_json()) == document
    assert json.loads(verdict.to_json(indent=2)) == document
    assert verdict.to_json(indent=2).count("\n") > verdict.to_json().count("\n") == 0
    assert {"schema", "outcome", "complete", "reasons", "bytes_examined"} <= document.keys()
    assert (document["schema"], document["outcome"], document["complete"]) == (1, "incompatible", False)
    assert {"id", "attribute", "found", "required", "offset"} <= document["reasons"][0].keys()
    assert document["reasons"] == [reason.to_dict()]


class Case(NamedTuple):
    name: str
    outcome: Outcome
    error: type[transire.TransireError] | None
    reason: str | None


CASES = [
    Case("mtty2-both-ports.bin", Outcome.COMPATIBLE, None, None),
    Case("mtty1-text.bin", Outcome.INCOMPATIBLE, transire.Incompatible, "nr_ports.not-equal"),
    Case("mutated/mtty2-both-ports.trunc-95.bin", Outcome.TRUNCATED, transire.Truncated, "stream.truncated"),
    Case("mutated/mtty2-both-ports.trunc-0.bin", Outcome.TRUNCATED, transire.Truncated, "magic.truncated"),
    Case("mutated/mtty2-both-ports.trail-4.bin", Outcome.CORRUPT, transire.Corrupt, "stream.trailing"),
    Case("mutated/mtty2-both-ports.p1-head-16.bin", Outcome.CORRUPT, transire.Corrupt, "mtty.head"),
    Case("mutated/mtty2-both-ports.minor-1.bin", Outcome.UNRECOGNIZED, transire.Unrecognized, "mtty.version"),
    Case("mutated/none.text-60.bin", Outcome.UNRECOGNIZED, transire.Unrecognized, "magic.unrecognized"),
    Case("mutated/mtty2-both-ports.p1-pad29-170.bin", Outcome.COMPATIBLE, None, "mtty.padding"),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_raise_for_outcome(case: Case, two_ports: Target) -> None:
    verdict = transire.verify(CAPTURES / case.name, two_ports)
    assert verdict.outcome is case.outcome
    if case.reason is not None:
        assert verdict.reasons[0].id == case.reason
    if case.error is None:
        assert verdict.complete
        verdict.raise_for_outcome()
        return
    assert not verdict.complete
    with pytest.raises(case.error) as caught:
        verdict.raise_for_outcome()
    assert isinstance(caught.value, ValueError)
    assert caught.value.verdict is not None
    assert caught.value.verdict.outcome is case.outcome


def settable_target() -> Target:
    return Target(
        vendor="mtty",
        attributes={"nr_ports": 1},
        settable={"nr_ports": {"values": [1, 2], "path": "nowhere/nr_ports"}},
    )


def test_undecided_outcomes(stream: Path) -> None:
    unknown = transire.verify(stream, Target(vendor="mtty"))
    assert unknown.outcome is Outcome.UNKNOWN
    with pytest.raises(transire.Undecided):
        unknown.raise_for_outcome()
    fixable = transire.verify(stream, settable_target())
    assert fixable.outcome is Outcome.FIXABLE
    (reason,) = (reason for reason in fixable.reasons if reason.outcome is Outcome.FIXABLE)
    assert reason.set == ("nowhere/nr_ports", "2")
    with pytest.raises(transire.Undecided):
        fixable.raise_for_outcome()


def test_reasons_come_worst_first(stream: Path) -> None:
    target = Target(vendor="mtty", attributes={"nr_ports": 1}, requires={"sealed": True})
    damaged = bytearray(stream.read_bytes())
    damaged[24 + 24] = 200
    verdict = transire.verify(bytes(damaged), target)
    severity = [list(Outcome).index(reason.outcome) for reason in verdict.reasons]
    assert len(severity) >= 3
    assert severity == sorted(severity, reverse=True)
    assert verdict.outcome is Outcome.CORRUPT


def test_the_standard_driver(captures: Path, stream: Path, two_ports: Target, one_port: Target) -> None:
    assert transire.verify(stream, two_ports, standard="driver").outcome is Outcome.COMPATIBLE
    refused = transire.verify(stream, one_port, standard="driver", writes="split:24")
    assert refused.outcome is Outcome.INCOMPATIBLE
    assert [reason.id for reason in refused.reasons] == ["driver.refused"]
    # The driver takes in silence what strict does not.
    ring = captures / "mutated" / "mtty2-both-ports.p1-head-255.bin"
    assert transire.verify(ring, two_ports, standard="driver").outcome is Outcome.COMPATIBLE
    assert transire.verify(ring, two_ports).outcome is Outcome.CORRUPT


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("standard", {"standard": "lenient"}),
        ("format", {"format": "nothing"}),
        ("writes", {"standard": "driver", "writes": "each:0"}),
        ("writes", {"standard": "driver", "writes": "some"}),
    ],
)
def test_errors_of_usage_are_no_verdicts(
    words: str, arguments: dict[str, str], stream: Path, two_ports: Target
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        transire.verify(stream, two_ports, **arguments)  # type: ignore[arg-type]
    assert not isinstance(caught.value, transire.TransireError)


def test_the_standard_driver_needs_a_target(stream: Path) -> None:
    with pytest.raises(ValueError, match="target"):
        transire.verify(stream, standard="driver")


# Sources


class Reads:
    """A source that only reads, a few bytes at a time."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data = io.BytesIO(data)
        self.piece = piece

    def read(self, size: int, /) -> bytes:
        return self.data.read(min(size, self.piece))


def sources(data: bytes, path: Path) -> Iterator[tuple[str, Any]]:
    path.write_bytes(data)
    yield "bytes", data
    yield "bytearray", bytearray(data)
    yield "memoryview", memoryview(data)
    yield "memoryview of a bytearray", memoryview(bytearray(data))
    yield "path", path
    yield "text path", str(path)
    yield "BytesIO", io.BytesIO(data)
    yield "reads one byte", Reads(data, 1)
    yield "reads seven bytes", Reads(data, 7)
    with path.open("rb") as file:
        yield "file", file
    with path.open("rb", buffering=0) as raw:
        yield "raw file", raw
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        yield "pipe", pipe


@pytest.mark.parametrize(
    "name",
    ["mtty2-both-ports.bin", "mtty1-text.bin", "mutated/mtty2-both-ports.trunc-60.bin", "mutated/none.text-60.bin"],
)
def test_a_verdict_does_not_depend_on_the_kind_of_source(
    name: str, tmp_path: Path, two_ports: Target, profile: Profile
) -> None:
    native = (CAPTURES / name).read_bytes()
    opaque = transire.seal(native, profile, payload_format="opaque")
    assert isinstance(opaque, bytes)
    for data in (native, opaque, opaque[:-1]):
        expected = transire.verify(data, two_ports).to_dict()
        for kind, source in sources(data, tmp_path / "stream"):
            assert transire.verify(source, two_ports).to_dict() == expected, kind


def test_sources_that_are_none(tmp_path: Path, two_ports: Target) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        transire.verify(tmp_path / "nothing", two_ports)
    assert missing.value.filename == str(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError) as directory:
        transire.verify(tmp_path, two_ports)
    assert directory.value.filename == str(tmp_path)
    with pytest.raises((TypeError, ValueError)):
        transire.verify(42, two_ports)  # type: ignore[arg-type]

    class Broken:
        def read(self, size: int, /) -> bytes:
            raise RuntimeError(f"no {size} bytes today")

    with pytest.raises(RuntimeError, match="today"):
        transire.verify(Broken(), two_ports)


def test_endless_and_random_input_ends_with_a_verdict(two_ports: Target) -> None:
    assert transire.verify("/dev/zero", two_ports).outcome is Outcome.UNRECOGNIZED
    assert transire.inspect("/dev/zero").verdict.outcome is Outcome.UNRECOGNIZED
    chance = random.Random(1)
    for length in (0, 1, 7, 8, 23, 24, 60, 96, 97, 5000):
        data = chance.randbytes(length)
        expected = Outcome.UNRECOGNIZED if length else Outcome.TRUNCATED
        assert transire.verify(data, two_ports).outcome is expected
        assert transire.verify(data).outcome is expected
        assert transire.inspect(data).verdict.outcome is expected


# check


def test_check_reads_no_more_than_it_needs(stream: Path, two_ports: Target, one_port: Target) -> None:
    header = stream.read_bytes()[:24]
    assert transire.check(header, two_ports).outcome is Outcome.COMPATIBLE
    assert transire.check(header, one_port).outcome is Outcome.INCOMPATIBLE
    reader, writer = os.pipe()
    os.write(writer, header)
    # Nobody closes the pipe before the verdict is there.
    with os.fdopen(reader, "rb") as pipe:
        assert transire.check(pipe, one_port).outcome is Outcome.INCOMPATIBLE
    os.close(writer)


def test_check_takes_profiles_in_any_form(
    tmp_path: Path, profile: Profile, two_ports: Target, one_port: Target
) -> None:
    assert transire.check(profile, two_ports).outcome is Outcome.COMPATIBLE
    assert transire.check(profile, profile).outcome is Outcome.COMPATIBLE
    for written in (
        profile.to_bytes(),
        profile.to_text().encode(),
        profile.to_toml().encode(),
        profile.to_json().encode(),
    ):
        assert transire.check(written, one_port).outcome is Outcome.INCOMPATIBLE
        file = tmp_path / "profile"
        file.write_bytes(written)
        assert transire.check(file, one_port).outcome is Outcome.INCOMPATIBLE
    with pytest.raises(transire.ProfileError, match="mtty"):
        transire.check(b'vendor = "nothing"', two_ports)


# The driver's recorded answers


def writes_of(mode: str, data: bytes) -> list[bytes]:
    kind, _, detail = mode.partition(":")
    match kind:
        case "whole" | "closefirst":
            return [data]
        case "each" | "keepgoing":
            return [data[at : at + int(detail)] for at in range(0, len(data), int(detail))]
        case "split":
            places = [0, *(int(place) for place in detail.split(",")), len(data)]
            return [data[start:end] for start, end in itertools.pairwise(places) if start < end]
        case "zerofirst":
            return [b"", data]
        case "zerolast":
            return [data, b""]
        case "nowrite":
            return []
    raise AssertionError(f"unknown write mode {mode}")


ACCEPTANCE = rows("acceptance.tsv")


def test_the_table_is_whole() -> None:
    assert len(ACCEPTANCE) == 406


@pytest.mark.parametrize("row", ACCEPTANCE, ids=lambda row: f"{row['file']}-{row['target_type']}-{row['write_mode']}")
def test_predict_agrees_with_the_kernel(row: dict[str, str]) -> None:
    data = (CAPTURES / row["file"]).read_bytes()
    assert len(data) == int(row["file_bytes"])
    writes, made = [], 0
    for write in writes_of(row["write_mode"], data):
        # The empty write beside the stream is not counted.
        counted = bool(write) or row["write_mode"] == "whole"
        if counted and made == int(row["write_calls"]):
            break
        made += counted
        writes.append(write)
    assert made == int(row["write_calls"])

    prediction = transire.predict(writes, target_of(row["target_type"]))
    assert prediction.depends is None
    if row["step"] == "none":
        assert prediction.accepted
        assert (prediction.step, prediction.errno, prediction.write, prediction.if_ignored) == (None, None, None, None)
        assert row["device_then_holds"] == "input"
        return
    assert not prediction.accepted
    assert (prediction.step, prediction.errno) == (row["step"], row["result"])
    assert prediction.if_ignored == row["device_then_holds"]
    assert (prediction.if_ignored == "input") == (row["set_state_RUNNING_afterwards"] == "ok")
    if row["step"] == "write":
        offset, length = map(int, row["refused_write_offset+length"].split("+"))
        assert prediction.write is not None
        assert sum(map(len, writes[: prediction.write])) == offset
        assert len(writes[prediction.write]) == length
    else:
        assert prediction.write == len(writes)


# The gate


def through(gate: transire.Gate, data: bytes, cuts: list[int]) -> bytes:
    delivered = b""
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        delivered += gate.feed(data[start:end])
    return delivered + gate.finish()


def cuts_of(length: int) -> Iterator[list[int]]:
    yield []
    yield list(range(1, length))
    for place in range(length + 1):
        yield [place]
    chance = random.Random(2)
    for _ in range(50):
        yield sorted(chance.randrange(length + 1) for _ in range(chance.randrange(8)))


def test_gate_delivers_the_same_in_any_cut(stream: Path, sealed: bytes, two_ports: Target) -> None:
    native = stream.read_bytes()
    for data in (native, sealed):
        expected = transire.verify(data, two_ports).to_dict()
        for cuts in cuts_of(len(data)):
            gate = transire.Gate(two_ports)
            assert through(gate, data, cuts) == native, cuts
            assert (gate.judged, gate.finished, gate.complete, gate.used) == (True, True, True, len(data))
            assert gate.verdict.to_dict() == expected


def test_gate_delivers_nothing_before_the_verdict(sealed: bytes, stream: Path, one_port: Target) -> None:
    for data in (stream.read_bytes(), sealed):
        for cuts in ([], list(range(1, len(data)))):
            gate = transire.Gate(one_port)
            assert through(gate, data, cuts) == b""
            assert (gate.finished, gate.complete) == (True, False)
            assert gate.verdict.outcome is Outcome.INCOMPATIBLE


def test_gate_catches_every_flipped_bit(sealed: bytes, two_ports: Target) -> None:
    for place in range(len(sealed)):
        for bit in range(8):
            damaged = bytearray(sealed)
            damaged[place] ^= 1 << bit
            gate = transire.Gate(two_ports)
            through(gate, bytes(damaged), [])
            outcome = gate.verdict.outcome
            assert not gate.complete, (place, bit)
            if place < 8:
                assert outcome is Outcome.UNRECOGNIZED, (place, bit)
            else:
                assert outcome in (Outcome.CORRUPT, Outcome.TRUNCATED), (place, bit)


def test_gate_catches_every_cut_short(sealed: bytes, stream: Path, two_ports: Target) -> None:
    for data in (sealed, stream.read_bytes()):
        for length in range(len(data)):
            gate = transire.Gate(two_ports)
            through(gate, data[:length], [])
            assert gate.verdict.outcome is Outcome.TRUNCATED, length
            assert not gate.complete


def test_gate_admits_what_it_is_told_to(stream: Path) -> None:
    data = stream.read_bytes()
    for target, word in ((settable_target(), "fixable"), (Target(vendor="mtty"), "unknown")):
        closed = transire.Gate(target)
        assert through(closed, data, []) == b""
        assert not closed.complete
        opened = transire.Gate(target, admit=[word])
        assert through(opened, data, []) == data
        assert opened.complete
        assert opened.verdict.outcome == word


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"input": "other"}, "input"), ({"format": "nothing"}, "format"), ({"admit": ["corrupt"]}, "admit")],
)
def test_gate_refuses_what_it_does_not_know(arguments: dict[str, Any], words: str, two_ports: Target) -> None:
    with pytest.raises(ValueError, match=words):
        transire.Gate(two_ports, **arguments)


def test_gate_takes_what_it_was_told_to_expect(stream: Path, sealed: bytes, two_ports: Target) -> None:
    for expected, data, outcome in (
        ("native", stream.read_bytes(), Outcome.COMPATIBLE),
        ("native", sealed, Outcome.UNRECOGNIZED),
        ("sealed", sealed, Outcome.COMPATIBLE),
        ("sealed", stream.read_bytes(), Outcome.UNRECOGNIZED),
    ):
        gate = transire.Gate(two_ports, input=expected)
        through(gate, data, [])
        assert gate.verdict.outcome is outcome


def test_a_gate_that_is_not_exact_stops_at_the_end(sealed: bytes, stream: Path, two_ports: Target) -> None:
    gate = transire.Gate(two_ports, exact=False)
    assert gate.feed(sealed + b"the next one") == stream.read_bytes()
    assert (gate.finished, gate.complete, gate.used) == (True, True, len(sealed))
    exact = transire.Gate(two_ports)
    through(exact, sealed + b"x", [])
    assert exact.verdict.outcome is Outcome.CORRUPT


def test_gate_over_pipes(stream: Path, sealed: bytes, two_ports: Target, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as sink:
        verdict = transire.gate(sealed, sink, two_ports)
    assert (verdict.outcome, verdict.complete) == (Outcome.COMPATIBLE, True)
    assert out.read_bytes() == stream.read_bytes()


def test_a_source_that_stalls_is_truncated(stream: Path, two_ports: Target, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, stream.read_bytes()[:60])
    with os.fdopen(reader, "rb") as pipe, (tmp_path / "out").open("wb") as sink:
        verdict = transire.gate(pipe, sink, two_ports, deadline=0.1)
    os.close(writer)
    assert verdict.outcome is Outcome.TRUNCATED
    assert "stream.stalled" in [reason.id for reason in verdict.reasons]
    assert (tmp_path / "out").read_bytes() == b""


def test_a_sink_that_stalls_or_goes_away(profile: Profile, two_ports: Target) -> None:
    big = transire.seal(bytes(1 << 20), profile, payload_format="opaque")
    assert isinstance(big, bytes)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with os.fdopen(writer, "wb") as sink, pytest.raises(TimeoutError):
        transire.gate(big, sink, two_ports, deadline=0.1)
    os.close(reader)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as sink, pytest.raises(BrokenPipeError):
        transire.gate(big, sink, two_ports)


# The envelope


@pytest.mark.parametrize("digest", ["blake3", "none"])
@pytest.mark.parametrize("name", STREAMS)
def test_seal_and_unseal_give_the_stream_back(name: str, digest: str, tmp_path: Path) -> None:
    data = (CAPTURES / name).read_bytes()
    profile = transire.profile_of(data)
    made = transire.seal(data, profile, digest=digest, payload_len=len(data), device_label="serial0")
    assert isinstance(made, bytes)
    target = target_of("mtty-1" if name.startswith("mtty1") else "mtty-2")
    assert transire.unseal(made, target) == data
    assert transire.profile_of(made) == profile
    verdict = transire.verify(made, target)
    assert (verdict.format, verdict.payload_format, verdict.complete) == ("sealed", "mtty", True)

    file, out = tmp_path / "sealed", tmp_path / "out"
    with file.open("wb") as sink:
        sealing = transire.seal(data, profile, sink, digest=digest)
    assert isinstance(sealing, transire.Verdict)
    assert (sealing.outcome, sealing.complete) == (Outcome.COMPATIBLE, True)
    with out.open("wb") as sink:
        unsealing = transire.unseal(file, target, sink)
    assert isinstance(unsealing, transire.Verdict)
    assert (unsealing.outcome, unsealing.complete) == (Outcome.COMPATIBLE, True)
    assert out.read_bytes() == data


def test_streams_are_sealed_each_with_its_own_id(stream: Path, profile: Profile, sealed: bytes) -> None:
    first, second = (transire.seal(stream, profile) for _ in range(2))
    assert first != second
    assert transire.seal(stream, profile, stream_id=bytes(range(16))) == sealed


@pytest.mark.parametrize("length", [0, 1, 65_535, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_opaque_payloads_of_any_length(length: int, profile: Profile, two_ports: Target) -> None:
    data = random.Random(length).randbytes(length)
    made = transire.seal(data, profile, payload_format="opaque")
    assert isinstance(made, bytes)
    assert transire.unseal(made, two_ports) == data
    assert transire.unseal(bytearray(made), two_ports) == data


def test_seal_refuses_what_contradicts_its_profile(stream: Path, captures: Path) -> None:
    other = Profile(vendor="mtty", attributes={"nr_ports": 1})
    with pytest.raises(transire.Corrupt) as caught:
        transire.seal(stream, other)
    assert caught.value.verdict is not None
    assert "profile.contradicts-payload" in [reason.id for reason in caught.value.verdict.reasons]
    with pytest.raises(transire.Truncated):
        transire.seal(captures / "mutated" / "mtty2-both-ports.trunc-60.bin", transire.profile_of(stream))


@pytest.mark.parametrize(
    "arguments",
    [
        {"digest": "md5"},
        {"payload_format": "nothing"},
        {"payload_len": 95},
        {"stream_id": b"short"},
        {"device_label": ""},
    ],
)
def test_seal_refuses_what_makes_no_envelope(arguments: dict[str, Any], stream: Path, profile: Profile) -> None:
    with pytest.raises(ValueError, match=r".+"):
        transire.seal(stream, profile, **arguments)


def test_unseal_raises_for_what_the_target_refuses(
    sealed: bytes, stream: Path, one_port: Target, two_ports: Target
) -> None:
    with pytest.raises(transire.Incompatible):
        transire.unseal(sealed, one_port)
    with pytest.raises(transire.Truncated):
        transire.unseal(sealed[:-1], two_ports)
    with pytest.raises(transire.Unrecognized):
        transire.unseal(stream.read_bytes(), two_ports)


def test_a_sealed_stream_can_be_required(sealed: bytes, stream: Path) -> None:
    target = Target(vendor="mtty", attributes={"nr_ports": 2}, requires={"sealed": True, "digest": "blake3"})
    assert transire.verify(sealed, target).outcome is Outcome.COMPATIBLE
    native = transire.verify(stream, target)
    assert native.outcome is Outcome.INCOMPATIBLE
    assert "requires.sealed" in [reason.id for reason in native.reasons]


# decode, encode, inspect


@pytest.mark.parametrize("name", ALL_STREAMS)
def test_decode_and_encode_give_the_same_bytes(name: str) -> None:
    data = (CAPTURES / name).read_bytes()
    verdict = transire.verify(data)
    if verdict.outcome is not Outcome.COMPATIBLE:
        with pytest.raises(transire.TransireError) as caught:
            transire.decode(data)
        assert caught.value.verdict is not None
        assert caught.value.verdict.outcome is verdict.outcome
        return
    decoded = transire.decode(data)
    assert decoded.format == "mtty"
    assert transire.encode(decoded) == data
    assert [record.offset for record in decoded.records][:2] == [0, 24]
    made = transire.seal(data, transire.profile_of(data))
    assert isinstance(made, bytes)
    opened = transire.decode(made)
    assert opened.format == "sealed"
    assert transire.encode(opened) == made


def test_decode_a_profile(profile: Profile) -> None:
    decoded = transire.decode(profile.to_bytes())
    assert decoded.format == "profile"
    assert transire.encode(decoded) == profile.to_bytes()


def test_a_decoded_stream_can_be_changed(stream: Path, one_port: Target) -> None:
    decoded = transire.decode(stream)
    header, first, _ = decoded.records
    header.values["nr_ports"] = 1
    decoded.records = [header, first]
    assert transire.verify(transire.encode(decoded), one_port).outcome is Outcome.COMPATIBLE


@pytest.mark.parametrize(
    "change",
    [
        lambda decoded: decoded.records[0].values.update(nr_ports=1 << 32),
        lambda decoded: decoded.records[0].values.update(nr_ports=-1),
        lambda decoded: decoded.records[0].values.update(nr_ports=b"\0\0\0\0"),
        lambda decoded: decoded.records[0].values.pop("flags"),
        lambda decoded: decoded.records[1].values.update(fifo=b"short"),
        lambda decoded: decoded.records[1].values.update(other=1),
        lambda decoded: setattr(decoded.records[1], "name", "nothing"),
        lambda decoded: setattr(decoded, "format", "nothing"),
    ],
)
def test_encode_refuses_what_does_not_fit(change: Callable[[transire.Stream], object], stream: Path) -> None:
    decoded = transire.decode(stream)
    change(decoded)
    with pytest.raises((ValueError, OverflowError)):
        transire.encode(decoded)


NAMES = {
    "major": "major_ver",
    "minor": "minor_ver",
    "fifo_head": "head",
    "fifo_tail": "tail",
    "fifo_count": "count",
    "pad29": "padding",
    "pad35": "trailing_padding",
}


@pytest.mark.parametrize("name", STREAMS)
def test_inspect_shows_the_recorded_fields(name: str) -> None:
    data = (CAPTURES / name).read_bytes()
    inspection = transire.inspect(data)
    assert inspection.format == "mtty"
    assert inspection.verdict.outcome is Outcome.COMPATIBLE
    assert inspection.dropped == 0
    assert [structure.name for structure in inspection.structures] == ["header", "port", "port"][
        : len(inspection.structures)
    ]
    seen = {}
    for structure in inspection.structures:
        assert not structure.in_payload
        place = structure.offset
        for field in structure.fields:
            assert field.offset == place
            assert field.raw == data[place : place + field.length]
            assert field.meaning
            assert field.text
            place += field.length
            seen[structure.number, field.name] = field
        assert place == structure.offset + structure.length
    assert place == len(data)
    recorded = [row for row in rows("fields.tsv") if row["file"] == name]
    assert recorded
    for row in recorded:
        number = None if row["port"] == "-" else int(row["port"])
        if row["field"].startswith("uart_reg["):
            index = int(row["field"].removeprefix("uart_reg[").partition("]")[0])
            assert seen[number, "uart_reg"].raw[index] == int(row["value"], 0)
        elif row["field"] == "fifo":
            assert seen[number, "fifo"].value == bytes.fromhex(row["value"])
        else:
            field = seen[number, NAMES.get(row["field"], row["field"])]
            assert field.value == int(row["value"], 0)


def test_inspect_opens_a_sealed_stream(sealed: bytes) -> None:
    inspection = transire.inspect(sealed)
    assert inspection.format == "sealed"
    names = [structure.name for structure in inspection.structures]
    assert names[0] == "prologue"
    assert "attribute" in names
    assert names.count("frame") == 2
    inside = [structure for structure in inspection.structures if structure.in_payload]
    assert [(structure.name, structure.offset) for structure in inside] == [("header", 0), ("port", 24), ("port", 60)]
    document = inspection.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["schema"] == 1
    assert document["outcome"] == "compatible"
    assert len(document["structures"]) == len(names)
    assert document["structures"][0]["fields"][0]["raw"] == b"TRANSIRE".hex()


def test_inspect_shows_a_cut_stream_as_far_as_it_goes(stream: Path) -> None:
    data = stream.read_bytes()
    for length in range(len(data)):
        inspection = transire.inspect(data[:length])
        assert inspection.verdict.outcome is Outcome.TRUNCATED
        shown = sum(len(field.raw) for structure in inspection.structures for field in structure.fields)
        assert shown <= length
    assert len(transire.inspect(data[:70]).structures) == 3


# What is known


def test_vendors_and_formats() -> None:
    vendors = {vendor.name: vendor for vendor in transire.vendors()}
    assert "mtty" in vendors
    names = {format_.name for format_ in transire.formats()}
    for vendor in vendors.values():
        assert vendor.title
        assert set(vendor.formats) <= names
        assert {"vendor", "pci_id"} <= {attribute.name for attribute in vendor.attributes}
        for attribute in vendor.attributes:
            assert attribute.id
            assert attribute.type
            assert attribute.meaning
    for format_ in transire.formats():
        assert format_.title
        assert format_.identity
        assert format_.driver_checks
        assert format_.end
        assert format_.payload
        assert format_.sealing_adds
        kind, most = format_.hold
        assert kind in ("whole", "record", "prefix")
        assert most > 0
    (mtty,) = (format_ for format_ in transire.formats() if format_.name == "mtty")
    assert (mtty.vendor, mtty.judged_within, mtty.hold, mtty.has_driver) == ("mtty", 24, ("whole", 96), True)


@pytest.mark.parametrize("vendor", [vendor.name for vendor in transire.vendors()])
def test_templates_are_targets(vendor: str) -> None:
    text = transire.template(vendor)
    assert Target.read(text).vendor == vendor
    for attribute in next(each for each in transire.vendors() if each.name == vendor).attributes:
        if attribute.name != "vendor":
            assert f"\n#{attribute.name} = " in text
            assert attribute.meaning in text


def test_templates_of_unknown_vendors_name_the_known() -> None:
    with pytest.raises(ValueError, match="mtty"):
        transire.template("nothing")


@pytest.mark.parametrize("reason", transire.reason_ids())
def test_every_reason_is_explained(reason: str) -> None:
    explanation = transire.explain(reason)
    assert explanation.id == reason
    assert explanation.outcome in Outcome
    assert explanation.meaning
    assert explanation.remedy


def test_reasons_of_attributes_are_explained_with_attribute_and_rules() -> None:
    explanation = transire.explain("nr_ports.not-equal")
    assert explanation.id == "nr_ports.not-equal"
    assert explanation.outcome is Outcome.INCOMPATIBLE
    assert explanation.attribute is not None
    assert explanation.attribute.name == "nr_ports"
    assert [vendor for vendor, _, _ in explanation.rules] == ["mtty"]
    assert explanation.rules[0][2].kind == "driver"
    for unknown in ("nothing", "nr_prots.not-equal", "nr_ports.nothing", ""):
        with pytest.raises(ValueError, match=r".+"):
            transire.explain(unknown)


# Threads


def test_verify_lets_other_threads_run(profile: Profile, two_ports: Target) -> None:
    made = transire.seal(bytes(64 << 20), profile, payload_format="opaque")
    assert isinstance(made, bytes)
    stop = threading.Event()
    turns = 0

    def turn() -> None:
        nonlocal turns
        while not stop.is_set():
            turns += 1
            time.sleep(0)

    thread = threading.Thread(target=turn)
    thread.start()
    # Asked for once in a minute only: a lock that another thread gets before that was let go.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        before = turns
        verdict = transire.verify(made, two_ports)
        progressed = turns - before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    assert verdict.complete
    assert progressed > 0


def test_one_gate_a_thread(stream: Path, sealed: bytes, two_ports: Target) -> None:
    results: list[bool] = []

    def work() -> None:
        for _ in range(200):
            gate = transire.Gate(two_ports)
            results.append(gate.feed(sealed) + gate.finish() == stream.read_bytes() and gate.complete)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 800
    assert all(results)


def test_progress_is_told_and_can_stop_the_work(profile: Profile, two_ports: Target) -> None:
    made = transire.seal(bytes(48 << 20), profile, payload_format="opaque")
    assert isinstance(made, bytes)
    told: list[tuple[int, int | None]] = []
    verdict = transire.verify(made, two_ports, progress=lambda done, total: told.append((done, total)))
    assert verdict.complete
    assert told
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(total in (None, len(made)) for _, total in told)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transire.verify(made, two_ports, progress=stop)


def test_forms_of_proposals_that_were_never_merged() -> None:
    device = transire.Profile.from_migration_version("8086-5912-GVTg_V5_8-00000001\n")
    assert (device.vendor, device.attributes["pci_id"]) == ("gvt-g", "8086:5912")
    with pytest.raises(transire.ProfileError, match="offset"):
        transire.Profile.from_migration_version("8086-59zz-GVTg_V5_8-00000001")
    source = transire.Profile.from_self(
        "device_type=vfio_pci\nmdev_type=i915-GVTg_V5_2\ndevice_id=8086591d\naggregator=1\nsoftware_version=1.0.0\n"
    )
    compatible = (
        "device_type=vfio_pci\nmdev_type=i915-GVTg_V5_{val1:int:1,2,4,8}\ndevice_id=8086591d\n"
        "aggregator={val1}/2\nsoftware_version=1.0.0\n"
    )
    targets, dropped = transire.targets_from_compatible(source, compatible)
    assert (len(targets), len(dropped)) == (3, 1)
    assert any(transire.check(source, target).outcome is transire.Outcome.COMPATIBLE for target in targets)


@pytest.mark.parametrize("swap", [False, True])
def test_the_order_of_accepts_means_nothing(swap: bool) -> None:
    own: dict[str, dict[str, Any]] = {
        "page_size": {"rule": "ignore", "source": "one"},
        "page_sizes": {"rule": "in-range", "range": [4096, 4096], "source": "the other"},
    }
    names = list(reversed(own)) if swap else list(own)
    accepts = {name: own[name] for name in names}
    target = transire.Target(vendor="nvme", attributes={"page_sizes": [4096, 4096]}, accepts=accepts)
    verdict = transire.check(transire.Profile(vendor="nvme", attributes={"page_size": 8192}), target)
    # Both speak of one row: that of the target's attribute is asked.
    assert "page_size.not-in-range" in [reason.id for reason in verdict.reasons]
