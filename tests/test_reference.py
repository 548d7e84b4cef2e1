"""The reference holds what `docs/` says: the worked examples, the captured streams, the guide to targets."""

from __future__ import annotations

import base64
import csv
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from transire import reference
from transire.reference import attributes as a
from transire.reference import mtty, sealed
from transire.reference.attributes import Known, Stated, Value
from transire.reference.blake3 import blake3
from transire.reference.crc32c import crc32c
from transire.reference.judge import Absent, Rule, Vendor, judge
from transire.reference.target import parse
from transire.reference.verdict import Outcome

ROOT = Path(__file__).parent.parent
FORMAT = (ROOT / "docs" / "format.md").read_text("utf-8")
TARGETS = (ROOT / "docs" / "targets.md").read_text("utf-8")
CAPTURES = ROOT / "fixtures" / "mtty"
ONE_PORT = {"vendor": "mtty", "attributes": {"nr_ports": 1}}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def found(reading: reference.Reading) -> list[tuple[str, int | None, bool]]:
    return sorted(((reason.id, reason.offset, reason.in_payload) for reason in reading.reasons), key=str)


# Checksums.


def test_crc32c_has_its_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0


@pytest.mark.parametrize(
    ("length", "digest"),
    [
        # BLAKE3's own test vectors, whose input is the bytes 0 to 250, repeated.
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
        (2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"),
    ],
)
def test_blake3_has_its_published_digests(length: int, digest: str) -> None:
    assert blake3(bytes(at % 251 for at in range(length))).hex() == digest


# The worked examples of format.md.


def example(name: str) -> bytes:
    match = re.search(rf"^```hex {name}\n(.*?)^```$", FORMAT, re.MULTILINE | re.DOTALL)
    assert match
    return bytes.fromhex("".join(line.partition(":")[2] for line in match[1].splitlines()))


def table(heading: str) -> list[list[str]]:
    body = FORMAT.partition(f"### {heading}\n")[2]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in body.splitlines() if line[:1] == "|"]
    width = len(cells[0])
    # The table ends where the width changes, or where the next heading is.
    body = body.partition("\n#")[0]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in body.splitlines() if line[:1] == "|"]
    return [row for row in cells[2:] if len(row) == width]


def put_right(data: bytes, what: str) -> bytes:
    """Computes again what the column of that name says."""
    new = bytearray(data)
    if what == "nothing":
        return data
    at = 32 + min(int.from_bytes(new[8:12], "little"), len(new) - 32)
    new[12:16] = crc32c(bytes(new[32:at])).to_bytes(4, "little")
    new[28:32] = crc32c(bytes(new[:28])).to_bytes(4, "little")
    while at + 16 <= len(new):
        end = at + 16 + int.from_bytes(new[at + 4 : at + 8], "little")
        check = crc32c(bytes(new[28:32] + new[at : at + 2] + new[at + 4 : at + 12])) & 0xFFFF
        new[at + 2 : at + 4] = check.to_bytes(2, "little")
        if end > len(new):
            break
        if what == "all" and new[at] == 2 and end == at + 56:
            new[at + 24 : end] = blake3(bytes(new[:at]))
        new[at + 12 : at + 16] = crc32c(bytes(new[28:32] + new[at : at + 12] + new[at + 16 : end])).to_bytes(
            4, "little"
        )
        at = end
    return bytes(new)


def expect(data: bytes, outcome: str, ids: str, offsets: str) -> None:
    reading = reference.read(data, ONE_PORT)
    assert reading.outcome.name.lower() == outcome
    expected = []
    if ids != "-":
        for identity, place in zip(ids.split(";"), offsets.split(";"), strict=True):
            number, _, where = place.strip(" `").partition(" ")
            expected.append((identity.strip(" `"), None if number == "-" else int(number), where == "of the payload"))
    assert found(reading) == sorted(expected, key=str)


@pytest.mark.parametrize("row", table("One byte changed"), ids=lambda row: f"{row[0]}-{row[2]}-{row[3]}")
def test_a_changed_byte_has_the_verdict_of_the_table(row: list[str]) -> None:
    at, before, after, what, outcome, ids, offsets = row
    data = bytearray(example("blake3"))
    assert data[int(at)] == int(before, 16)
    data[int(at)] = int(after, 16)
    expect(put_right(bytes(data), what), outcome, ids, offsets)


@pytest.mark.parametrize("row", table("Cut, and one byte more"), ids=lambda row: row[0].partition(",")[0])
def test_a_cut_has_the_verdict_of_the_table(row: list[str]) -> None:
    length, outcome, ids, offsets = row
    expect((example("blake3") + b"\0")[: int(length.partition(",")[0])], outcome, ids, offsets)


def test_the_tables_are_read() -> None:
    assert len(table("One byte changed")) > 50
    assert len(table("Cut, and one byte more")) > 10


@pytest.mark.parametrize("name", ["profile", "none", "blake3"])
def test_an_example_is_what_the_declarations_say(name: str) -> None:
    data = example(name)
    parsed = sealed.ENVELOPE.parse(data)
    assert sealed.ENVELOPE.build(parsed) == data
    reading = reference.read(data, ONE_PORT)
    assert (reading.outcome, reading.reasons, reading.ended) == (Outcome.COMPATIBLE, [], True)
    assert reading.attributes["nr_ports"].value == Value(a.UINT, 1)
    if name != "profile":
        assert reading.payload == (CAPTURES / "mtty1-text.bin").read_bytes()


def test_the_line_is_the_profile() -> None:
    match = re.search(r"^transire1\.([A-Za-z0-9_-]+)$", FORMAT, re.MULTILINE)
    assert match
    assert base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)) == example("profile")


def test_the_attributes_are_those_of_the_text() -> None:
    names = {kind: name for name, kind in reference.target.NAMES.items()}
    pattern = r"^\| (0x[0-9A-F]{4}) \| `(\w+)` \| (\w+)"
    listed = {(int(number, 16), name, kind) for number, name, kind in re.findall(pattern, FORMAT, re.MULTILINE)}
    assert listed == {(row.id, row.name, names[row.type]) for row in a.COMMON + a.STREAM + a.ANSWER}
    page = (ROOT / "docs" / "vendors" / "mtty.md").read_text("utf-8")
    listed = {(int(number, 16), name, kind) for number, name, kind in re.findall(pattern, page, re.MULTILINE)}
    assert listed == {(row.id, row.name, names[row.type]) for row in mtty.ATTRIBUTES}


# Values.


@pytest.mark.parametrize(
    ("kind", "data", "plain"),
    [
        (a.BOOL, "01", True),
        (a.BOOL, "02", None),
        (a.UINT, "0001000000000000", 256),
        (a.TEXT, "c3b6", "ö"),
        (a.TEXT, "e2808b", None),
        (a.TEXT, "eda080", None),
        (a.VERSION, "06000000 0c000000 5f000000", (6, 12, 95)),
        (a.RANGE, "0100000000000000 0100000000000000", (1, 1)),
        (a.RANGE, "0200000000000000 0100000000000000", None),
        (a.MASK, "00", 0),
        (a.MASK, "0080", 0x8000),
        (a.MASK, "0100", None),
        (a.SET, "03 0100 61 0200 6161", frozenset({Value(a.TEXT, "a"), Value(a.TEXT, "aa")})),
        (a.SET, "03 0200 6161 0100 61", None),
        (a.SET, "03 0100 61 0100 61", None),
        (a.SET, "03 0100 61 00", None),
        (a.SET, "04 0100 61", None),
        (a.SET, "02 0800 0001000000000000 0800 0100000000000000", frozenset({Value(a.UINT, 1), Value(a.UINT, 256)})),
        (a.RATIO, "02000000 04000000", None),
        (a.RATIO, "00000000 02000000", None),
        (a.RATIO, "00000000 01000000", 0),
        (a.PCI_ID, "8680 4149", (0x8086, 0x4941)),
        (a.MAP, "0100 61 0100 62", {"a": "b"}),
        (a.MAP, "0100 61 0000", None),
        (a.MAP, "0100 61 0100 62 0100 61 0100 63", None),
    ],
)
def test_a_value_is_well_formed_or_not(kind: int, data: str, plain: object) -> None:
    assert a.decode(kind, bytes.fromhex(data)) == (None if plain is None else Value(kind, plain))


# Captured streams.


@pytest.mark.parametrize("row", rows(CAPTURES / "strict.tsv"), ids=lambda row: f"{row['file']}-{row['target']}")
def test_a_captured_stream_has_the_verdict_of_the_table(row: dict[str, str]) -> None:
    target = {"vendor": "mtty", "attributes": {"nr_ports": int(row["target"][-1])}}
    reading = reference.read((CAPTURES / row["file"]).read_bytes(), target)
    shown = sorted(reading.reasons, key=lambda reason: -reason.outcome)
    outcome = reading.outcome
    # The table is a gate's, which reads no further behind a refusal.
    refusals = [reason for reason in reading.reasons if reason.outcome == Outcome.INCOMPATIBLE]
    if refusals:
        shown, outcome = refusals, Outcome.INCOMPATIBLE
    assert outcome.name.lower() == row["outcome"]
    identity, offset = (shown[0].id, str(shown[0].offset)) if shown else ("-", "-")
    assert (identity, offset) == (row["reason"], row["offset"])


def test_every_capture_is_in_the_table() -> None:
    streams = {path.relative_to(CAPTURES).as_posix() for path in CAPTURES.rglob("*.bin")}
    listed = {row["file"] for row in rows(CAPTURES / "strict.tsv")}
    assert {name for name in streams if not name.startswith("precopy/")} == listed


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.bin")), ids=lambda path: path.stem)
def test_a_capture_is_what_the_declarations_say(path: Path) -> None:
    data = path.read_bytes()
    assert mtty.STREAM.build(mtty.STREAM.parse(data)) == data
    assert reference.read(data).ended


# The guide to targets.


def guide() -> list[dict[str, Any]]:
    blocks = re.findall(r"^```toml\n(.*?)^```$", TARGETS, re.MULTILINE | re.DOTALL)
    return [tomllib.loads(block) for block in blocks]


def named(heading: str) -> dict[str, Any]:
    return next(target for target in guide() if heading in target)


def ask(target: dict[str, Any], vendor: Vendor, now: int | None = None, **source: Value) -> list[tuple[str, str]]:
    stated = {name: Stated(value, None) for name, value in source.items()}
    findings = judge(stated, parse(target, (*a.COMMON, *vendor.attributes)), vendor, now)
    return [(reason.id, reason.outcome.name.lower()) for reason, _ in findings if reason.outcome != Outcome.COMPATIBLE]


def version(text: str) -> Value:
    major, minor, patch = (int(number) for number in text.split("."))
    return Value(a.VERSION, (major, minor, patch))


def ports(number: int) -> Value:
    return Value(a.UINT, number)


def test_accepts_of_the_guide() -> None:
    target = named("accepts")
    assert target["accepts"]["driver_version"]["rule"] == "at-least"
    assert ask(target, mtty.VENDOR, nr_ports=ports(1), driver_version=version("6.12.90")) == []
    assert ask(target, mtty.VENDOR, nr_ports=ports(1), driver_version=version("6.13.0")) == [
        ("driver_version.not-at-least", "incompatible")
    ]
    assert ask(target, mtty.VENDOR, nr_ports=ports(1)) == [("driver_version.not-in-profile", "unknown")]
    narrow = next(target for target in guide() if "nr_ports" in target.get("accepts", {}))
    assert ask(narrow, mtty.VENDOR, nr_ports=ports(2)) == [("nr_ports.not-equal", "incompatible")]


def test_settable_of_the_guide() -> None:
    target = named("settable")
    assert ask(target, mtty.VENDOR, nr_ports=ports(2)) == [("nr_ports.set", "fixable")]
    target["attributes"]["mdev_type"] = "mtty-1"
    assert ask(target, mtty.VENDOR, nr_ports=ports(2)) == [("nr_ports.not-equal", "incompatible")]


def test_requires_of_the_guide() -> None:
    target = named("requires")
    native = (CAPTURES / "mtty1-text.bin").read_bytes()
    assert [reason.id for reason in reference.read(native, target).reasons] == ["requires.sealed"]
    assert [reason.id for reason in reference.read(example("none"), target).reasons] == ["requires.digest"]
    assert reference.read(example("blake3"), target).reasons == []
    assert reference.read(example("profile"), target).reasons == []


def test_assertions_of_the_guide() -> None:
    target = named("assertions")
    vendor = Vendor(
        (),
        (Rule("driver_build", "equal", Absent.ASK, Absent.ASK, ask=True),),
        lambda _: {},
        lambda _: None,
        lambda _: True,
    )
    pair, other = Value(a.TEXT, "550.054.10"), Value(a.TEXT, "550.054.11")
    unsettled = [("driver_build.needs-assertion", "unknown")]
    last = 1_801_439_999  # 2027-01-31T23:59:59Z
    assert ask(target, vendor, last, driver_build=pair) == []
    assert ask(target, vendor, last + 1, driver_build=pair) == unsettled
    assert ask(target, vendor, None, driver_build=pair) == unsettled
    assert ask(target, vendor, last, driver_build=other) == unsettled
    assert ask(target, vendor, last) == unsettled
    assert ask(target, vendor, last, driver_build=Value(a.UNKNOWN, None)) == unsettled


@pytest.mark.parametrize(
    ("rule", "kind", "written", "holds", "fails"),
    [
        ("equal", a.TEXT, "a", "a", "b"),
        ("in-range", a.RANGE, [10, 14], (11, 14), (9, 12)),
        ("subset", a.MASK, 0x67, 0x63, 0x08),
        ("subset", a.MAP, {"k": "v", "l": "w"}, {"k": "v"}, {"k": "w"}),
        ("at-least", a.UINT, 4, 4, 5),
        ("at-least", a.VERSION, "1.2.3", (1, 2, 3), (1, 2, 4)),
        ("version", a.VERSION, "1.2", (1, 2, 99), (1, 3, 0)),
        ("version", a.VERSION, "1.2", (1, 0, 0), (2, 0, 0)),
        ("branch", a.VERSION, "550.1", (535, 9, 9), (534, 0, 0)),
        ("branch", a.VERSION, "550.1", (550, 9, 9), (551, 0, 0)),
    ],
)
def test_comparisons_of_the_guide(rule: str, kind: int, written: Any, holds: Any, fails: Any) -> None:
    vendor = Vendor((Known(0x0100, "thing", kind),), (), lambda _: {}, lambda _: None, lambda _: True)
    accept = {"thing": {"rule": rule, "newer": 15, "source": "site rule"}}
    target = {"vendor": "invented", "attributes": {"thing": written}, "accepts": accept}
    assert ask(target, vendor, thing=Value(kind, holds)) == []
    assert [outcome for _, outcome in ask(target, vendor, thing=Value(kind, fails))] == ["incompatible"]


@pytest.mark.parametrize(
    ("absent", "not_there", "not_reported"),
    [
        (Absent.IGNORE, None, None),
        (Absent.NOTE, "absent", "absent"),
        (Absent.WANT, "not-in-profile", "not-reported-yet"),
        (Absent.INSIST, "missing", "not-reported-yet"),
        (Value(a.UINT, 1), None, "not-reported-yet"),
        (Absent.ASK, "needs-assertion", "needs-assertion"),
    ],
)
def test_absence_of_the_guide(absent: Absent | Value, not_there: str | None, not_reported: str | None) -> None:
    rule = Rule("thing", "equal", absent, absent)
    vendor = Vendor((Known(0x0100, "thing", a.UINT),), (rule,), lambda _: {}, lambda _: None, lambda _: True)
    target = parse({"vendor": "invented", "attributes": {"thing": 1}}, vendor.attributes)
    for source, expected in (({}, not_there), ({"thing": Stated(Value(a.UNKNOWN, None), 40)}, not_reported)):
        ids = [reason.id for reason, _ in judge(source, target, vendor, None)]
        assert ids == ([f"thing.{expected}"] if expected else [])


def test_the_judge_is_short() -> None:
    text = (ROOT / "python" / "transire" / "reference" / "judge.py").read_text("utf-8")
    assert len(text.splitlines()) < 200
