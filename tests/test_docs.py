"""The documentation holds: examples, tables and reason ids are those of the code."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CORE = ROOT / "crates" / "transire-core" / "src"
FORMAT = (DOCS / "format.md").read_text(encoding="utf-8")
PAYLOAD = (ROOT / "fixtures" / "mtty" / "mtty1-text.bin").read_bytes()
EXAMPLES = ("profile", "none", "blake3", "answer")
STREAMS = ("profile", "none", "blake3")
"""What is held against a target."""
CONTENTS = {"profile": 1, "none": 2, "blake3": 2, "answer": 3}


# What the examples are checked with: the plainest form of each checksum, from its definition alone.


def crc32c(data: bytes | bytearray) -> int:
    """CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, ROOT_FLAG = 1, 2, 8
COLUMNS_AND_DIAGONALS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def blake3(data: bytes) -> bytes:
    """BLAKE3-256 of one chunk: of at most 1,024 bytes, which is all that the examples need."""
    assert 0 < len(data) <= 1024

    def turn(word: int, bits: int) -> int:
        return (word >> bits | word << 32 - bits) & 0xFFFFFFFF

    chaining = list(IV)
    for start in range(0, len(data), 64):
        block = data[start : start + 64]
        last = start + 64 >= len(data)
        flags = (CHUNK_START if start == 0 else 0) | (CHUNK_END | ROOT_FLAG if last else 0)
        message = list(struct.unpack("<16I", block.ljust(64, b"\0")))
        state = [*chaining, *IV[:4], 0, 0, len(block), flags]
        for _ in range(7):
            for step, (a, b, c, d) in enumerate(COLUMNS_AND_DIAGONALS):
                for word, first, second in ((message[2 * step], 16, 12), (message[2 * step + 1], 8, 7)):
                    state[a] = (state[a] + state[b] + word) & 0xFFFFFFFF
                    state[d] = turn(state[d] ^ state[a], first)
                    state[c] = (state[c] + state[d]) & 0xFFFFFFFF
                    state[b] = turn(state[b] ^ state[c], second)
            message = [message[at] for at in ORDER]
        chaining = [state[at] ^ state[at + 8] for at in range(8)]
    return struct.pack("<8I", *chaining)


def test_the_checksums_here_are_those_of_their_definitions() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    # The first of BLAKE3's own test vectors that has a byte, and two of more than one block: bytes 0 to 250, repeated.
    expected = {
        1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        65: "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee",
        1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    }
    for length, digest in expected.items():
        assert blake3(bytes(at % 251 for at in range(length))).hex() == digest


# Reading the text.


def section(name: str, text: str = FORMAT) -> str:
    """The text below a heading, up to the next one of its level."""
    match = re.search(rf"^(#+) {re.escape(name)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no section {name!r}"
    return match[2]


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, without its head."""
    found = re.findall(r"^\|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n?)+)", text, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in body.splitlines()] for body in found]


def example(name: str) -> bytes:
    """The bytes of a hex block, whose offsets must be right."""
    match = re.search(rf"^```hex {name}\n(.*?)^```$", FORMAT, re.MULTILINE | re.DOTALL)
    assert match, f"no hex block {name!r}"
    data = b""
    for line in match[1].splitlines():
        offset, _, digits = line.partition(":")
        assert int(offset, 16) == len(data), line
        data += bytes.fromhex(digits)
    return data


class Attribute(NamedTuple):
    """An attribute of a header."""

    identity: int
    kind: int
    value: bytes


class Frame(NamedTuple):
    """A frame and its offset."""

    offset: int
    kind: int
    phase: int
    head_check: int
    length: int
    sequence: int
    crc: int
    payload: bytes


def header_length(data: bytes) -> int:
    return int.from_bytes(data[8:12], "little")


def attributes(data: bytes) -> list[Attribute]:
    header = data[32 : 32 + header_length(data)]
    found = []
    at = 0
    while at < len(header):
        identity, kind, zero, length = struct.unpack_from("<HBBI", header, at)
        assert zero == 0
        value = header[at + 8 : at + 8 + length]
        assert len(value) == length
        found.append(Attribute(identity, kind, value))
        at += 8 + length
    return found


def frames(data: bytes) -> list[Frame]:
    found = []
    at = 32 + header_length(data)
    while at + 16 <= len(data):
        kind, phase, head_check, length, sequence, crc = struct.unpack_from("<BBHIII", data, at)
        payload = data[at + 16 : at + 16 + length]
        if len(payload) != length:
            break
        found.append(Frame(at, kind, phase, head_check, length, sequence, crc, payload))
        at += 16 + len(payload)
    return found


def head_check_of(data: bytes | bytearray, at: int) -> int:
    return crc32c(data[28:32] + data[at : at + 2] + data[at + 4 : at + 12]) & 0xFFFF


def crc_of(data: bytes | bytearray, at: int, length: int) -> int:
    return crc32c(data[28:32] + data[at : at + 12] + data[at + 16 : at + 16 + length])


def put_right(data: bytes, what: str) -> bytes:
    """Computes again what the column of that name says, as far as the lengths lead."""
    if what == "nothing":
        return data
    assert what in ("checksums", "all")
    new = bytearray(data)
    length = min(header_length(data), len(data) - 32)
    struct.pack_into("<I", new, 12, crc32c(new[32 : 32 + length]))
    struct.pack_into("<I", new, 28, crc32c(new[:28]))
    at = 32 + length
    while at + 16 <= len(new):
        struct.pack_into("<H", new, at + 2, head_check_of(new, at))
        size = struct.unpack_from("<I", new, at + 4)[0]
        if at + 16 + size > len(new):
            break
        if what == "all" and new[at] == 2 and size == 40:
            new[at + 24 : at + 56] = blake3(bytes(new[:at]))
        struct.pack_into("<I", new, at + 12, crc_of(new, at, size))
        at += 16 + size
    return bytes(new)


# The examples by themselves.


@pytest.mark.parametrize("name", EXAMPLES)
def test_prologue_and_header_of_an_example(name: str) -> None:
    data = example(name)
    magic, length, header_crc, major, minor, content, zero, features, prologue_crc = struct.unpack_from(
        "<8sIIHHB3sII", data
    )
    assert (magic, major, minor, zero, features) == (b"TRANSIRE", 1, 0, b"\0\0\0", 0)
    assert content == CONTENTS[name]
    assert header_crc == crc32c(data[32 : 32 + length])
    assert prologue_crc == crc32c(data[:28])
    found = attributes(data)
    numbers = [attribute.identity & 0x7FFF for attribute in found]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    if name == "profile":
        assert len(data) == 32 + length
        assert not [number for number in numbers if 0xE0 <= number <= 0xFF]
    elif name == "answer":
        assert len(data) == 32 + length
        assert numbers == [1, 0xE3, *range(0xE5, 0xEA)]
        values = {attribute.identity: attribute.value for attribute in found}
        assert values[0x80E3] == bytes(range(16))
        assert values[0x80E5] == example("blake3")[28:32] + bytes(4)
        assert values[0x00E9] == b"\3" + struct.pack("<H", 18) + b"nr_ports.not-equal"
    else:
        values = {attribute.identity: attribute.value for attribute in found}
        assert values[0x80E0] == b"mtty"
        assert int.from_bytes(values[0x80E1], "little") == (2 if name == "blake3" else 1)
        assert values[0x80E3] == bytes(range(16))


@pytest.mark.parametrize(("name", "phases"), [("none", [4]), ("blake3", [1, 3])])
def test_frames_of_an_example(name: str, phases: list[int]) -> None:
    data = example(name)
    *payload, end = frames(data)
    assert [(frame.kind, frame.phase) for frame in payload] == [(1, phase) for phase in phases]
    assert (end.kind, end.phase, end.length) == (2, 4, 40 if name == "blake3" else 8)
    assert end.offset + 16 + end.length == len(data)
    for number, frame in enumerate([*payload, end]):
        assert frame.sequence == number
        assert frame.head_check == head_check_of(data, frame.offset)
        assert frame.crc == crc_of(data, frame.offset, frame.length)
    assert b"".join(frame.payload for frame in payload) == PAYLOAD
    assert int.from_bytes(end.payload[:8], "little") == len(PAYLOAD)
    assert end.payload[8:] == (blake3(data[: end.offset]) if name == "blake3" else b"")


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("profile", "A profile"),
        ("none", "A sealed stream, digest none, one frame"),
        ("blake3", "A sealed stream with BLAKE3, in two phases"),
        ("answer", "An answer, early, to that stream"),
    ],
)
def test_every_byte_of_an_example_is_explained(name: str, heading: str) -> None:
    explained = b""
    for offset, digits, *_ in tables(section(heading))[0]:
        assert int(offset) == len(explained)
        explained += bytes.fromhex(digits.strip("`"))
    assert explained == example(name)
    assert f"{len(explained)} bytes" in section(heading)


def test_the_arithmetic_is_right() -> None:
    data = example("blake3")
    rows = tables(section("A sealed stream with BLAKE3, in two phases"))[1]
    assert len(rows) == 2 * len(frames(data))
    for at, covered, value, meaning in rows:
        match = re.fullmatch(r"`([0-9a-f ]+)`(?:, bytes (\d+) to (\d+))?", covered)
        assert match
        more = data[int(match[2]) : int(match[3]) + 1] if match[2] else b""
        crc = crc32c(bytes.fromhex(match[1]) + more)
        assert crc == int(value, 16)
        if meaning == "crc":
            assert crc == crc_of(data, int(at), len(more))
        else:
            assert meaning == f"head_check 0x{head_check_of(data, int(at)):04X}"


def test_the_line_is_the_profile() -> None:
    match = re.search(r"^```line profile\ntransire1\.([A-Za-z0-9_-]+)\n```$", FORMAT, re.MULTILINE)
    assert match
    assert base64.urlsafe_b64encode(example("profile")).rstrip(b"=") == match[1].encode()
    assert base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)) == example("profile")


# The examples through the package.


def changes() -> list[list[str]]:
    return tables(section("One byte changed"))[0]


def check_verdict(data: bytes, outcome: str, ids: str, offsets: str) -> None:
    transire = pytest.importorskip("transire")
    verdict = transire.verify(data, transire.Target(vendor="mtty", attributes={"nr_ports": 1}))
    assert verdict.outcome.name.lower() == outcome
    expected = [] if ids == "-" else [part.strip("` ") for part in ids.split(";")]
    places = [part.split() for part in offsets.split(";")] if expected else []
    numbers = [None if place[0] == "-" else int(place[0]) for place in places]
    inside = [place[1:] == ["of", "the", "payload"] for place in places]
    found = [(reason.id, reason.offset, reason.in_payload) for reason in verdict.reasons]
    assert sorted(found, key=str) == sorted(zip(expected, numbers, inside, strict=True), key=str)


@pytest.mark.parametrize("row", changes(), ids=lambda row: f"{row[0]}-{row[2].strip('`')}-{row[3]}")
def test_a_changed_byte_has_the_verdict_of_the_table(row: list[str]) -> None:
    at, before, after, what, outcome, ids, offsets = row
    data = bytearray(example("blake3"))
    assert data[int(at)] == int(before.strip("`"), 16)
    data[int(at)] = int(after.strip("`"), 16)
    assert bytes(data) != example("blake3")
    check_verdict(put_right(bytes(data), what), outcome, ids, offsets)


def test_putting_right_changes_nothing_that_is_right() -> None:
    for name in EXAMPLES:
        assert put_right(example(name), "all") == example(name)


@pytest.mark.parametrize("row", tables(section("Cut, and one byte more"))[0], ids=lambda row: row[0].split(",")[0])
def test_a_cut_has_the_verdict_of_the_table(row: list[str]) -> None:
    length, outcome, ids, offsets = row
    data = example("blake3") + b"\0"
    check_verdict(data[: int(length.split(",")[0])], outcome, ids, offsets)


@pytest.mark.parametrize("name", STREAMS)
def test_the_examples_are_compatible(name: str) -> None:
    check_verdict(example(name), "compatible", "-", "-")


def test_the_answer_is_what_a_target_says_to_the_example() -> None:
    transire = pytest.importorskip("transire")
    gate = transire.Gate(transire.Target(vendor="mtty", attributes={"nr_ports": 2}))
    stream = example("blake3")
    gate.feed(stream[:112])
    assert gate.answer() == example("answer")
    answer = transire.Answer.read(example("answer"))
    assert answer.is_for(stream)
    assert not answer.is_for(example("none"))
    assert (answer.stage, answer.outcome, answer.complete) == ("early", "incompatible", False)
    assert answer.reasons == ("nr_ports.not-equal",)
    assert gate.answer("final") == put_right(example("answer").replace(b"early", b"final"), "checksums")
    check_verdict(example("answer"), "unrecognized", "`format.describes-target`", "20")


def target_examples() -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```$", (DOCS / "targets.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(target_examples())))
def test_the_targets_of_the_guide_load(number: int, tmp_path: Path) -> None:
    transire = pytest.importorskip("transire")
    path = tmp_path / "target.toml"
    path.write_text(target_examples()[number], encoding="utf-8")
    assert transire.Target.load(path)


def test_the_example_of_the_page_on_qemu_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transire")
    text = (DOCS / "containers" / "qemu.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(code, {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed[:2]] == [
        ["0000:00:04.0", "compatible"],
        ["0000:00:05.0", "compatible"],
    ]
    assert len(printed) > 30


# Ids.


def catalogue() -> dict[str, str]:
    """Every reason id of the code with its outcome."""
    found: dict[str, str] = {}
    block_pattern = r"^( *)(?:crate::)?catalogue! \{(.*?)^\1\}$"
    row_pattern = r'^\s*[A-Z0-9_]+:\s*"([^"]+)",\s*([A-Z][a-z]+),'
    for path in sorted(CORE.rglob("*.rs")):
        for _, block in re.findall(block_pattern, path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            for identity, outcome in re.findall(row_pattern, block, re.MULTILINE):
                assert identity not in found, f"{identity} stands twice"
                found[identity] = outcome.lower()
    assert len(found) > 80
    return found


def listed_ids(text: str) -> list[tuple[str, str]]:
    """The ids of the section "Reason ids" with their outcomes; what stands behind a colon explains."""
    return [
        (row[0].strip("`"), row[1].split(":")[0])
        for table in tables(section("Reason ids", text))
        for row in table
        if row[0].startswith("`")
    ]


# Pages of vendors and of containers, each with the reason ids that only it gives.
PAGES = sorted(path for folder in ("vendors", "containers") for path in (DOCS / folder).glob("*.md"))


def test_reason_ids_are_those_of_the_code() -> None:
    pages = [path.read_text("utf-8") for path in PAGES]
    listed = [row for text in (FORMAT, *pages) if "Reason ids\n" in text for row in listed_ids(text)]
    assert len(listed) == len(dict(listed)), "an id is listed twice"
    assert dict(listed) == catalogue()


def test_reason_ids_of_the_check_tables_have_their_outcome() -> None:
    known = catalogue()
    checked = 0
    for table in tables(section("Order of checks")):
        for _, _, identity, outcome, *_ in (row for row in table if len(row) == 5):
            name = identity.strip("`")
            if name in known:
                assert outcome == known[name], name
                checked += 1
    assert checked > 30


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_no_page_names_a_reason_id_that_does_not_exist(path: Path) -> None:
    # The guide to adding a vendor brings its own.
    text = path.read_text("utf-8")
    known = catalogue() | dict.fromkeys(re.findall(r'^ +[A-Z_]+: "([a-z.-]+)", [A-Z]', text, re.MULTILINE), "")
    for name in re.findall(r"`([a-z_]*\.[a-z][a-z_-]*)`", text):
        is_file = name.rpartition(".")[2] in ("md", "py", "rs", "toml", "bin", "tsv", "c", "h", "a", "txt")
        if is_file or name.startswith("transire."):
            continue
        assert name in known or name[name.index(".") :] in known, name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_lists_its_reason_ids(path: Path) -> None:
    own = {identity for identity in catalogue() if identity.startswith(path.stem + ".")}
    assert {identity for identity, _ in listed_ids(path.read_text("utf-8"))} == own


def test_the_attributes_are_those_of_the_code() -> None:
    source = (CORE / "attribute.rs").read_text("utf-8")
    pattern = r"^/// `(\w+)`[^\n]*\npub const [A-Z_]+: AttributeId = AttributeId\((0x[0-9a-f]{4})\);"
    of_code = {name: int(number, 16) for name, number in re.findall(pattern, source, re.MULTILINE)}
    rows = [row for name in ("Common attributes", "Stream attributes") for row in tables(section(name))[0]]
    assert {row[1].strip("`"): int(row[0], 16) for row in rows} == of_code


# Links.


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8")):
        if "://" not in link:
            assert (path.parent / link).exists(), link
