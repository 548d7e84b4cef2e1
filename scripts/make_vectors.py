"""Makes `fixtures/vectors/vectors.json` and the binary files beside it.

    python scripts/make_vectors.py [FOLDER]

Every input is built here from its parts, in plain Python, and every expectation is stated here, from `docs/format.md`,
`docs/targets.md` and the vendors' pages: nothing of transire is asked or imported. So the vectors can bind all of its
implementations, and anybody else's. Running it again gives the same bytes. `docs/vectors.md` says how to use them.
"""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import struct
import sys
from pathlib import Path
from typing import Any

# ---------------------------------------------------------------------------------------------------------------------
# Checksums, from their definitions.


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


_IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
_ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_LANES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8


def _turn(word: int, bits: int) -> int:
    return (word >> bits | word << 32 - bits) & 0xFFFFFFFF


def _compress(chaining: tuple[int, ...], block: bytes, counter: int, flags: int) -> tuple[int, ...]:
    message = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    state = [*chaining, *_IV[:4], counter & 0xFFFFFFFF, counter >> 32, len(block), flags]
    for _ in range(7):
        for step, (a, b, c, d) in enumerate(_LANES):
            for word, first, second in ((message[2 * step], 16, 12), (message[2 * step + 1], 8, 7)):
                state[a] = (state[a] + state[b] + word) & 0xFFFFFFFF
                state[d] = _turn(state[d] ^ state[a], first)
                state[c] = (state[c] + state[d]) & 0xFFFFFFFF
                state[b] = _turn(state[b] ^ state[c], second)
        message = [message[at] for at in _ORDER]
    return tuple(state[at] ^ state[at + 8] for at in range(8))


def _subtree(data: bytes, counter: int, root: int) -> tuple[int, ...]:
    if len(data) <= 1024:
        chaining: tuple[int, ...] = _IV
        for start in range(0, max(len(data), 1), 64):
            last = start + 64 >= len(data)
            flags = (_CHUNK_START if start == 0 else 0) | (_CHUNK_END | root if last else 0)
            chaining = _compress(chaining, data[start : start + 64], counter, flags)
        return chaining
    left = 1024 << ((len(data) - 1) // 1024).bit_length() - 1
    halves = (*_subtree(data[:left], counter, 0), *_subtree(data[left:], counter + left // 1024, 0))
    return _compress(_IV, struct.pack("<16I", *halves), 0, _PARENT | root)


def blake3(data: bytes) -> bytes:
    """BLAKE3-256."""
    return struct.pack("<8I", *_subtree(data, 0, _ROOT))


# ---------------------------------------------------------------------------------------------------------------------
# Parts of a header.


def u16(number: int) -> bytes:
    """Two bytes, the low one first."""
    return struct.pack("<H", number)


def u32(number: int) -> bytes:
    """Four bytes, the low one first."""
    return struct.pack("<I", number)


def u64(number: int) -> bytes:
    """Eight bytes, the low one first."""
    return struct.pack("<Q", number)


def attribute(number: int, code: int, value: bytes, *, zero: int = 0, length: int | None = None) -> bytes:
    """One attribute; what is wrong with it is said by name."""
    return struct.pack("<HBBI", number, code, zero, len(value) if length is None else length) + value


def text(number: int, value: str | bytes) -> bytes:
    """An attribute of type 3."""
    return attribute(number, 3, value.encode() if isinstance(value, str) else value)


def uint(number: int, value: int) -> bytes:
    """An attribute of type 2."""
    return attribute(number, 2, u64(value))


def version(number: int, major: int, minor: int = 0, patch: int = 0) -> bytes:
    """An attribute of type 5."""
    return attribute(number, 5, struct.pack("<3I", major, minor, patch))


def unreported(number: int) -> bytes:
    """An attribute of type 12."""
    return attribute(number, 12, b"")


def sized(*members: bytes) -> bytes:
    """Members of a set, or keys and values of a map: each behind its length."""
    return b"".join(u16(len(member)) + member for member in members)


def pci_id(number: int, vendor: int, device: int) -> bytes:
    """An attribute of type 10."""
    return attribute(number, 10, u16(vendor) + u16(device))


VENDOR = text(0x8001, "mtty")
DEVICE_API, PCI_ID, REVISION, DRIVER, DRIVER_VERSION, MDEV_TYPE, AGGREGATION = 3, 4, 6, 7, 8, 9, 10
CAPACITY, SOFTWARE_VERSION, DRIVER_BUILD = 11, 12, 13
PAYLOAD_FORMAT, DIGEST, PAYLOAD_LEN, STREAM_ID, DEVICE_LABEL = 0x80E0, 0x80E1, 0x00E2, 0x80E3, 0x00E4
ANSWERS, ANSWER_STAGE, ANSWER_OUTCOME, ANSWER_COMPLETE, ANSWER_REASONS = 0x80E5, 0x80E6, 0x80E7, 0x80E8, 0x00E9
NR_PORTS, STREAM_VERSION = 0x8100, 0x8101
ONE_PORT, TWO_PORTS = uint(NR_PORTS, 1), uint(NR_PORTS, 2)
ID = attribute(STREAM_ID, 4, bytes(range(16)))
# The private numbers: nobody's, so an attribute of any type may stand under them, and is a note.
PRIVATE = 0x7000


def prologue(header: bytes, content: int, **wrong: Any) -> bytes:
    """The 32 bytes before a header. What is wrong with them is said by name; prologue_crc is right by itself."""
    fields = {
        "magic": b"TRANSIRE",
        "header_len": len(header),
        "header_crc": crc32c(header),
        "major": 1,
        "minor": 0,
        "content": content,
        "zero": bytes(3),
        "features": 0,
    }
    crc = wrong.pop("prologue_crc", None)
    assert wrong.keys() <= fields.keys(), wrong
    first = struct.pack("<8sIIHHB3sI", *(fields | wrong).values())
    return first + u32(crc32c(first) if crc is None else crc)


def profile(*attributes: bytes, **wrong: Any) -> bytes:
    """A profile."""
    header = b"".join(attributes)
    return prologue(header, **{"content": 1, **wrong}) + header


def answer(*attributes: bytes, **wrong: Any) -> bytes:
    """An answer."""
    return profile(*attributes, **{"content": 3, **wrong})


def flag(number: int, value: int) -> bytes:
    """An attribute of type 1."""
    return attribute(number, 1, bytes([value]))


def texts(number: int, *members: str) -> bytes:
    """An attribute of type 8, a set of texts."""
    return attribute(number, 8, b"\3" + sized(*(member.encode() for member in members)))


def place(attributes: tuple[bytes, ...] | list[bytes], at: int) -> int:
    """The offset of an attribute in the input."""
    return 32 + sum(map(len, attributes[:at]))


# ---------------------------------------------------------------------------------------------------------------------
# Frames.

INITIAL, ITERATIVE, STOP_COPY, UNSPECIFIED = 1, 2, 3, 4


def sealed_header(
    *device: bytes,
    digest: int = 1,
    payload_format: str = "mtty",
    payload_len: int | None = None,
    vendor: bytes = VENDOR,
) -> list[bytes]:
    """The attributes of a sealed stream: those of the stream, and between and behind them the device's."""
    attributes = [vendor, text(PAYLOAD_FORMAT, payload_format), uint(DIGEST, digest), ID, *(device or (ONE_PORT,))]
    if payload_len is not None:
        attributes.append(uint(PAYLOAD_LEN, payload_len))
    return sorted(attributes, key=lambda one: int.from_bytes(one[:2], "little") & 0x7FFF)


class Sealed:
    """A sealed stream under construction."""

    def __init__(self, attributes: list[bytes] | None = None, **wrong: Any) -> None:
        self.attributes = sealed_header() if attributes is None else attributes
        header = b"".join(self.attributes)
        self.bytes = prologue(header, **{"content": 2, **wrong}) + header
        self.crc = self.bytes[28:32]
        self.seq = 0
        self.payload = b""
        self.starts: list[int] = []
        self.has_digest = uint(DIGEST, 2) in self.attributes

    def of(self, number: int) -> int:
        """The offset of the value of this attribute."""
        at = next(at for at, one in enumerate(self.attributes) if one[:2] == u16(number))
        return place(self.attributes, at) + 8

    @property
    def end_of_header(self) -> int:
        """The offset behind the header."""
        return place(self.attributes, len(self.attributes))

    def frame(self, kind: int, phase: int, payload: bytes, **wrong: int) -> Sealed:
        """Adds a frame. What is wrong with it is said by name; its checksums are right unless they are said."""
        length = wrong.pop("length", len(payload))
        seq = wrong.pop("seq", self.seq)
        head = struct.pack("<BB", kind, phase)
        tail = u32(length) + u32(seq)
        check = wrong.pop("head_check", crc32c(self.crc + head + tail) & 0xFFFF)
        head += u16(check) + tail
        crc = wrong.pop("crc", crc32c(self.crc + head + payload))
        assert not wrong, wrong
        self.starts.append(len(self.bytes))
        self.bytes += head + u32(crc) + payload
        self.seq = seq + 1
        return self

    def data(self, payload: bytes, phase: int = UNSPECIFIED, **wrong: int) -> Sealed:
        """Adds a data frame."""
        self.payload += payload
        return self.frame(1, phase, payload, **wrong)

    def end(self, *, total: int | None = None, digest: bytes | None = None, phase: int = 4, **wrong: int) -> Sealed:
        """Adds the end frame."""
        payload = u64(len(self.payload) if total is None else total)
        if digest is None and self.has_digest:
            digest = blake3(self.bytes)
        return self.frame(2, phase, payload + (digest or b""), **wrong)

    def abort(self, reason: bytes = b"", **wrong: int) -> Sealed:
        """Adds an abort frame."""
        return self.frame(3, 4, reason, **wrong)

    def ancillary(self, payload: bytes = b"", kind: int = 0x80, **wrong: int) -> Sealed:
        """Adds an ancillary frame."""
        return self.frame(kind, 4, payload, **wrong)


def changed(data: bytes, at: int, becomes: int | None = None) -> bytes:
    """The same bytes but for one; without a value its lowest bit is turned."""
    return data[:at] + bytes([data[at] ^ 1 if becomes is None else becomes]) + data[at + 1 :]


# ---------------------------------------------------------------------------------------------------------------------
# mtty.

MTTY_MAGIC = bytes.fromhex("4e2c3e8c89099d7e")
# What Linux 6.12.95 gave for a one-port card: 60 bytes, fixtures/mtty/mtty1-text.bin.
CAPTURED = bytes.fromhex(
    "4e2c3e8c89099d7e01000000000000000100000000000000"
    "000500030b00005a48656c6c6f2c205646494f21000000000c000c0000000c00c7100100"
)


def port(
    head: int = 3,
    tail: int = 1,
    count: int = 2,
    dlab: int = 0,
    overrun: int = 0,
    padding: int = 0,
    *,
    size: int = 16,
    trigger: int = 1,
    trailing: int = 0,
) -> bytes:
    """The record of a port."""
    registers = bytes([0, 5, 0, 3, 11, 0, 0, 90])
    return (
        registers
        + bytes(range(16))
        + bytes([head, tail, count, dlab, overrun, padding])
        + u16(12)
        + bytes([0xC1, size, trigger, trailing])
    )


def mtty(
    *ports: bytes, magic: bytes = MTTY_MAGIC, major: int = 1, minor: int = 0, count: int | None = None, flags: int = 0
) -> bytes:
    """A native stream."""
    number = len(ports) if count is None else count
    return magic + struct.pack("<4I", major, minor, number, flags) + b"".join(ports)


ONE = mtty(port())
TWO = mtty(port(), port(head=5, tail=5, count=0))


# ---------------------------------------------------------------------------------------------------------------------
# What is expected.

FLAGS = {
    "Answer": "The input is an answer: what the target of a sealed stream says back to its source.",
    "Aborted": "The source gave up.",
    "AncillaryFrame": "A frame of a kind that need not be understood: checked, counted, passed over, noted.",
    "Boundary": "A value at a limit, or the next one beside it.",
    "ContradictoryPayload": "The payload says another thing of its source than the header does.",
    "Damaged": "Bytes were changed and nothing was computed again, as by an accident on the way.",
    "Driver": "Judged by the standard `driver`: what the kernel driver does with the writes that are named.",
    "Extension": "What a later minor version, or a private party, may write, and a 1.0 reader must take or refuse.",
    "FromCapture": "The payload was given by a real driver on a real kernel.",
    "MendedChecksums": "Something is wrong, the checksums are right all the same: a check behind them has to see it.",
    "MultipleErrors": "Several things are wrong; the order of checks decides which one is reported.",
    "Native": "The input is a native stream.",
    "NonCanonical": "A value in another encoding than its only one.",
    "NotReported": "An attribute of type 12: it exists, its value has not been reported.",
    "Notes": "There is something to say, and it does not speak against loading.",
    "Profile": "The input is a profile.",
    "ReadsOn": "A verdict is known early, and reading goes on behind it: it may worsen.",
    "Rule": "The source is held against the target by rules, and these decide.",
    "Sealed": "The input is a sealed stream.",
    "TargetTerms": "The target has terms of its own: accepts, settable, requires or assertions.",
    "Trailing": "Bytes follow the end.",
    "Truncated": "The input, or a stream in it, ends early.",
    "Unicode": "Text that may stand in an attribute, or may not.",
}

# Mildest first.
OUTCOMES = ("compatible", "fixable", "unknown", "truncated", "incompatible", "corrupt", "unrecognized")

# The tables "Reason ids" of docs/format.md, and those of the vendors' pages.
REASONS = {
    "compatible": (
        "format.candidate attribute.unknown frame.ancillary .more-capacity .absent .accepted-by-target "
        ".accept-out-of-scope .asserted .assertion-expired mtty.intr-trigger-level mtty.padding "
        ".newer-than-target .respelled .other-index .reduced .rewritten .sources-disagree"
    ),
    "fixable": ".set",
    "unknown": "driver.depends .needs-assertion .not-reported-yet .not-in-profile",
    "truncated": (
        "magic.truncated prologue.truncated header.truncated frame.truncated frame.payload-truncated "
        "stream.aborted stream.truncated stream.stalled"
    ),
    "incompatible": (
        "format.not-of-target vendor.not-equal driver.refused driver.breaks requires.sealed requires.digest "
        ".not-equal .not-one-of .not-in-range .not-subset .not-at-least .version .branch .not-is "
        ".excluded-pair .not-same-capacity .refused .missing"
    ),
    "corrupt": (
        "prologue.crc prologue.zero prologue.header-len header.crc attribute.overrun attribute.id "
        "attribute.order attribute.zero attribute.misplaced attribute.critical-bit attribute.type "
        "attribute.length attribute.value attribute.missing profile.contradicts-itself "
        "profile.contradicts-payload frame.head-check frame.phase frame.len frame.seq frame.crc end.total "
        "end.payload-len end.digest abort.text stream.trailing mtty.nr-ports mtty.head mtty.tail mtty.count "
        "mtty.ring mtty.flag-byte mtty.max-fifo-size"
    ),
    "unrecognized": (
        "magic.unrecognized format.ambiguous format.describes-target prologue.major prologue.content "
        "prologue.features attribute.unknown-critical payload_format.unrecognized digest.unrecognized "
        "vendor.unrecognized frame.kind mtty.version mtty.flags"
    ),
}
OUTCOME_OF = {kind: outcome for outcome, kinds in REASONS.items() for kind in kinds.split()}

NOT_COVERED = {
    "stream.stalled": "only a running reader with a deadline can say it: it does not follow from bytes",
}


def add_containers() -> None:
    """Adds the reasons of containers, which are those of their pages, and are not covered."""
    for page in sorted((Path(__file__).parent.parent / "docs" / "containers").glob("*.md")):
        rows = re.findall(r"^\| `([a-z.-]+)` \| ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
        assert rows, page
        for kind, outcome in rows:
            assert kind not in OUTCOME_OF, kind
            OUTCOME_OF[kind] = outcome
            NOT_COVERED[kind] = (
                "containers have captures and golden tables of their own: fixtures/qemu, fixtures/qemu-vfio"
            )


add_containers()


def why(reason: str, offset: int | None = None, about: str | None = None, *, inside: bool = False) -> dict[str, Any]:
    """A reason that is expected. One of a rule names its attribute by itself."""
    kind = reason
    if kind not in OUTCOME_OF:
        name, dot, rest = reason.rpartition(".")
        about, kind = name, dot + rest
    assert kind in OUTCOME_OF, reason
    return {"id": reason, "kind": kind, "offset": offset, "in_payload": inside, "attribute": about}


class Vectors:
    """All vectors, and the files that they need."""

    def __init__(self) -> None:
        self.vectors: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.names: dict[bytes, str] = {}

    def input(self, name: str, data: bytes) -> dict[str, Any]:
        """Inline, or the name of a file; one file for equal bytes."""
        if len(data) <= 64:
            return {"hex": data.hex()}
        if data not in self.names:
            self.names[data] = f"{name}.bin"
            self.files[f"{name}.bin"] = data
        return {"file": self.names[data], "length": len(data)}

    def add(
        self,
        name: str,
        comment: str,
        data: bytes | Sealed,
        *reasons: dict[str, Any],
        target: dict[str, Any] | None = None,
        flags: str = "",
        writes: str | None = None,
        dropped: int = 0,
        driver: dict[str, Any] | None = None,
        **more: str | None,
    ) -> None:
        """Adds a vector. Outcome and completeness follow from the reasons and from what the input is."""
        stream = data.bytes if isinstance(data, Sealed) else data
        flag_set = set(flags.split())
        content = {b"\1": "Profile", b"\3": "Answer"}.get(stream[20:21] if stream[:8] == b"TRANSIRE" else b"")
        if stream[:8] == b"TRANSIRE" and len(stream) >= 32:
            flag_set.add(content or "Sealed")
        elif stream[:8] == MTTY_MAGIC:
            flag_set.add("Native")
        if writes is not None:
            flag_set.add("Driver")
        if set(target or ()) - {"vendor", "attributes"}:
            flag_set.add("TargetTerms")
        of_rules = ("vendor.not-equal", "format.not-of-target", "profile.contradicts-itself")
        if any(reason["kind"].startswith(".") or reason["kind"] in of_rules for reason in reasons):
            flag_set.add("Rule")
        severity = [OUTCOMES.index(OUTCOME_OF[reason["kind"]]) for reason in reasons]
        if 0 in severity:
            flag_set.add("Notes")
        assert flag_set <= FLAGS.keys(), (name, flag_set)
        assert all(vector["id"] != name for vector in self.vectors), name
        outcome = OUTCOMES[max(severity, default=0)]
        # Worst first; what is equally bad stays as it was found.
        ordered = [reason for _, reason in sorted(zip(severity, reasons, strict=True), key=lambda pair: -pair[0])]
        vector: dict[str, Any] = {
            "id": name,
            "comment": comment,
            "flags": sorted(flag_set),
            "input": self.input(name, stream),
        }
        vector["target"] = target
        vector["standard"] = "strict" if writes is None else "driver"
        if writes is not None:
            vector["writes"] = writes
        vector |= {key: value for key, value in more.items() if value is not None}
        vector["outcome"] = outcome
        vector["complete"] = outcome == "compatible" and content is None
        vector["reasons"] = [
            {key: reason[key] for key in ("id", "offset", "in_payload", "attribute")} for reason in ordered
        ]
        if dropped:
            vector["dropped"] = dropped
        if driver is not None:
            vector["driver"] = driver
        if vector["complete"]:
            payload = data.payload if isinstance(data, Sealed) else stream
            vector["payload"] = {"length": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
        self.vectors.append(vector)

    def write(self, folder: Path) -> None:
        """Writes vectors.json and the files, and removes files that belong to no vector any more."""
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.bin"):
            if old.name not in self.files:
                old.unlink()
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        table = {
            "schema": 1,
            "about": "Test vectors of sealed streams, profiles and rules; docs/vectors.md says how to use them.",
            "generated_by": "scripts/make_vectors.py",
            "flags": dict(sorted(FLAGS.items())),
            "outcomes": list(OUTCOMES),
            "reasons": dict(sorted(OUTCOME_OF.items())),
            "not_covered": dict(sorted(NOT_COVERED.items())),
            "count": len(self.vectors),
        }
        lines = [
            f"  {json.dumps(key)}: {json.dumps(value, indent=2).replace(chr(10), chr(10) + '  ')},"
            for key, value in table.items()
        ]
        vectors = ",\n".join("    " + json.dumps(vector, ensure_ascii=True) for vector in self.vectors)
        whole = "{\n" + "\n".join(lines) + '\n  "vectors": [\n' + vectors + "\n  ]\n}\n"
        assert json.loads(whole)["count"] == len(self.vectors)
        (folder / "vectors.json").write_bytes(whole.encode())


T1: dict[str, Any] = {"vendor": "mtty", "attributes": {"nr_ports": 1}}
T2: dict[str, Any] = {"vendor": "mtty", "attributes": {"nr_ports": 2}}


def with_terms(attributes: dict[str, Any] | None = None, **terms: Any) -> dict[str, Any]:
    """A one-port target with more attributes, and with terms."""
    return {"vendor": "mtty", "attributes": {"nr_ports": 1, **(attributes or {})}, **terms}


# ---------------------------------------------------------------------------------------------------------------------
# Check 1: magic and prologue.


def add_prologues(all_: Vectors) -> None:
    """What comes before the header."""
    good = profile(VENDOR, ONE_PORT)

    def cut(length: int, reason: str, comment: str) -> None:
        all_.add(f"cut-{length}", comment, good[:length], why(reason, length), target=T1, flags="Truncated Boundary")

    cut(0, "magic.truncated", "nothing at all agrees with every magic")
    cut(1, "magic.truncated", "one byte of the magic")
    cut(7, "magic.truncated", "the magic but for its last byte")
    cut(8, "prologue.truncated", "the magic and nothing behind it")
    cut(9, "prologue.truncated", "one byte of header_len")
    cut(31, "prologue.truncated", "the prologue but for its last byte")
    cut(32, "header.truncated", "the prologue and nothing behind it")
    cut(33, "header.truncated", "one byte of the header")
    cut(len(good) - 1, "header.truncated", "the header but for its last byte")

    def magic(name: str, data: bytes, comment: str) -> None:
        all_.add(f"magic-{name}", comment, data, why("magic.unrecognized", 0), target=T1)

    magic("first-byte", b"S", "one byte that begins no format: nothing more is needed to say so")
    magic("last-byte", b"TRANSIRX", "seven bytes of the magic are right, the eighth is not")
    magic("short-and-wrong", b"TRANSIX", "shorter than the magic, but it does not agree so far")
    magic("lower-case", b"transire" + good[8:], "letters are compared as bytes")
    magic(
        "line-form",
        b"transire1.VFJBTlNJUkU",
        "the one-line form is a form of text, not bytes that a stream begins with",
    )
    magic("mtty-other-endian", MTTY_MAGIC[::-1] + ONE[8:], "the magic of mtty as a big-endian host would write it")
    all_.add(
        "magic-of-mtty-7",
        "seven bytes of the magic of mtty: agrees with a native format",
        MTTY_MAGIC[:7],
        why("magic.truncated", 7),
        target=T1,
        flags="Truncated Boundary Native",
    )

    def damaged(name: str, at: int, becomes: int | None, comment: str) -> None:
        data = changed(good, at, becomes)
        all_.add(f"prologue-damaged-{name}", comment, data, why("prologue.crc", 28), target=T1, flags="Damaged")

    damaged("header-len", 8, None, "a length is not believed before its checksum agrees")
    damaged("header-crc", 12, None, "header_crc is covered by prologue_crc")
    damaged("major", 16, 2, "damage is not mistaken for a newer version")
    damaged("content", 20, 4, "damage is not mistaken for another content")
    damaged("features", 27, 0x80, "damage is not mistaken for a feature")
    damaged("crc", 31, None, "the checksum itself")

    def wrong(name: str, comment: str, reason: str, offset: int, flags: str = "", **fields: Any) -> None:
        data = profile(VENDOR, ONE_PORT, **fields)
        all_.add(f"prologue-{name}", comment, data, why(reason, offset), target=T1, flags=f"MendedChecksums {flags}")

    for major in (0, 2, 0xFFFF):
        wrong(
            f"major-{major}", "only major version 1 is known", "prologue.major", 16, "Extension Boundary", major=major
        )
    for content in (0, 4, 255):
        wrong(
            f"content-{content}",
            "a content that nobody assigned",
            "prologue.content",
            20,
            "Extension Boundary",
            content=content,
        )
    for at in range(3):
        zero = bytes(int(at == byte) for byte in range(3))
        comment = "the offset is that of the first zero byte, whichever of the three is wrong"
        wrong(f"zero-{at}", comment, "prologue.zero", 21, zero=zero)
    for bit in (0, 15, 31):
        wrong(f"features-bit-{bit}", "1.0 has no features", "prologue.features", 24, "Extension", features=1 << bit)
    for length in (0, 65_537, 0xFFFFFFFF):
        comment = "a header has 1 to 65,536 bytes, and no length beyond is waited for"
        wrong(f"header-len-{length}", comment, "prologue.header-len", 8, "Boundary", header_len=length)
    all_.add(
        "prologue-header-len-65537-alone",
        "the length is refused before a byte of the header is asked for",
        prologue(b"", 2, header_len=65_537),
        why("prologue.header-len", 8),
        target=T1,
        flags="Boundary MendedChecksums Truncated MultipleErrors",
    )
    every: dict[str, Any] = {"major": 2, "content": 9, "zero": b"\1\1\1", "features": 1, "header_len": 0}
    reasons = (("prologue.major", 16), ("prologue.content", 20), ("prologue.zero", 21), ("prologue.features", 24))
    for reason, offset in reasons:
        name = f"order-{reason.replace('.', '-')}"
        comment = "everything from this check on is wrong, and this check comes first"
        wrong(name, comment, reason, offset, "MultipleErrors", **every)
        every.pop(reason.removeprefix("prologue."))
    all_.add(
        "prologue-order-crc",
        "major 2 and a wrong checksum: the checksum comes first",
        profile(VENDOR, ONE_PORT, major=2, prologue_crc=0),
        why("prologue.crc", 28),
        target=T1,
        flags="Damaged MultipleErrors",
    )
    for minor in (1, 7, 0xFFFF):
        all_.add(
            f"prologue-minor-{minor}",
            "every minor version of major 1 is read",
            profile(VENDOR, ONE_PORT, minor=minor),
            target=T1,
            flags="Extension Boundary" if minor == 0xFFFF else "Extension",
        )
    all_.add(
        "prologue-minor-7-sealed",
        "every minor version of major 1 is read",
        Sealed(minor=7).data(ONE).end(),
        target=T1,
        flags="Extension",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Check 2: the header.


def add_headers(all_: Vectors) -> None:
    """The header as a whole: checksum, lengths, order of attributes."""
    good = profile(VENDOR, ONE_PORT)
    damaged = "Damaged"
    for name, at in (("first-byte", 32), ("length-field", 36), ("last-byte", len(good) - 1)):
        all_.add(
            f"header-damaged-{name}",
            "nothing in the header is looked at before its checksum agrees",
            changed(good, at),
            why("header.crc", 12),
            target=T1,
            flags=damaged,
        )
    all_.add(
        "header-crc-of-nothing",
        "header_crc is that of no bytes; prologue_crc is right",
        profile(VENDOR, ONE_PORT, header_crc=0),
        why("header.crc", 12),
        target=T1,
        flags="MendedChecksums",
    )
    all_.add(
        "header-cut-and-damaged",
        "a header that has not come cannot be checked: the cut is told",
        changed(good, 40)[:-1],
        why("header.truncated", len(good) - 1),
        target=T1,
        flags="Damaged Truncated MultipleErrors",
    )
    all_.add(
        "header-order-crc",
        "an attribute with number 0, and a wrong header_crc: the checksum comes first",
        profile(text(0, "mtty"), header_crc=1),
        why("header.crc", 12),
        target=T1,
        flags="MultipleErrors",
    )

    def attribute_wrong(
        name: str,
        comment: str,
        attributes: list[bytes],
        reason: str,
        offset: int,
        about: str | None = None,
        flags: str = "",
        target: dict[str, Any] | None = T1,
    ) -> None:
        flags = f"MendedChecksums {flags}"
        all_.add(name, comment, profile(*attributes), why(reason, offset, about), target=target, flags=flags)

    # a: fewer than 8 bytes are left
    attribute_wrong(
        "header-len-1",
        "the shortest header that the prologue can announce has no room for an attribute",
        [b"\1"],
        "attribute.overrun",
        32,
        flags="Boundary",
    )
    after = place([VENDOR, ONE_PORT], 2)
    for left in (1, 7):
        attribute_wrong(
            f"header-{left}-left",
            "nothing stands behind the last attribute",
            [VENDOR, ONE_PORT, bytes(left)],
            "attribute.overrun",
            after,
            flags="Boundary",
        )
    # b: number 0
    attribute_wrong("attribute-id-0", "the number 0 is never valid", [attribute(0, 3, b"mtty")], "attribute.id", 32)
    attribute_wrong(
        "attribute-id-8000",
        "the number 0 with the critical bit is the number 0",
        [VENDOR, attribute(0x8000, 2, u64(1))],
        "attribute.id",
        44,
        "0x8000",
    )
    attribute_wrong(
        "attribute-id-zeros",
        "eight zero bytes behind the last attribute are one with the number 0",
        [VENDOR, ONE_PORT, bytes(8)],
        "attribute.id",
        after,
    )
    # c: order
    driver = text(DRIVER, "mtty")
    attribute_wrong(
        "attribute-twice",
        "no number occurs twice",
        [VENDOR, driver, driver],
        "attribute.order",
        place([VENDOR, driver], 2),
        "driver",
        "NonCanonical",
    )
    attribute_wrong(
        "attribute-twice-critical",
        "the critical bit does not take part in the order",
        [VENDOR, text(PRIVATE, "a"), text(PRIVATE | 0x8000, "a")],
        "attribute.order",
        place([VENDOR, text(PRIVATE, "a")], 2),
        "0xf000",
        "NonCanonical",
    )
    attribute_wrong(
        "attribute-descending",
        "numbers ascend",
        [VENDOR, version(DRIVER_VERSION, 6), driver],
        "attribute.order",
        place([VENDOR, version(DRIVER_VERSION, 6)], 2),
        "driver",
        "NonCanonical",
    )
    attribute_wrong(
        "attribute-vendor-second",
        "vendor has the lowest number, so it cannot come second",
        [driver, VENDOR],
        "attribute.order",
        32 + len(driver),
        "vendor",
    )
    # d: the byte zero
    attribute_wrong(
        "attribute-zero-first",
        "the reserved byte of the first attribute",
        [attribute(0x8001, 3, b"mtty", zero=1), ONE_PORT],
        "attribute.zero",
        35,
        "vendor",
    )
    attribute_wrong(
        "attribute-zero-last",
        "the reserved byte of the last attribute, its highest bit",
        [VENDOR, attribute(NR_PORTS, 2, u64(1), zero=0x80)],
        "attribute.zero",
        47,
        "nr_ports",
    )
    attribute_wrong(
        "attribute-zero-unknown",
        "the reserved byte is zero in unknown attributes, too",
        [VENDOR, ONE_PORT, attribute(PRIVATE, 77, b"", zero=255)],
        "attribute.zero",
        after + 3,
        "0x7000",
        "Extension",
    )
    # e: len
    for name, length, comment in (
        ("by-one", 9, "one byte more than the header has left"),
        ("by-4-gib", 0xFFFFFFFF, "no length is trusted before it is compared with what is there"),
    ):
        attribute_wrong(
            f"attribute-overrun-{name}",
            comment,
            [VENDOR, attribute(NR_PORTS, 2, u64(1), length=length)],
            "attribute.overrun",
            48,
            "nr_ports",
            "Boundary",
        )
    attribute_wrong(
        "attribute-overrun-empty",
        "no bytes are left for a length of 1",
        [VENDOR, attribute(PRIVATE, 3, b"", length=1)],
        "attribute.overrun",
        48,
        "0x7000",
        "Boundary",
    )
    # f: attributes of the stream in a profile
    for number, value, name in (
        (PAYLOAD_FORMAT, 3, "payload_format"),
        (PAYLOAD_LEN, 2, "payload_len"),
        (0x00FF, 3, "0x00ff"),
    ):
        content = b"mtty" if value == 3 else u64(0)
        attribute_wrong(
            f"profile-with-{name.replace('_', '-')}",
            "a profile has no attributes about a stream, known ones or others",
            [VENDOR, attribute(number, value, content)],
            "attribute.misplaced",
            44,
            name,
        )
    # g: the critical bit
    for number, attributes, at, name in (
        (0x0001, [text(0x0001, "mtty")], 32, "vendor"),
        (0x8007, [VENDOR, text(0x8007, "mtty")], 44, "driver"),
        (0x0100, [VENDOR, uint(0x0100, 1)], 44, "nr_ports"),
    ):
        attribute_wrong(
            f"critical-bit-{number:04x}",
            "an attribute never changes its critical bit",
            attributes,
            "attribute.critical-bit",
            at,
            name,
        )
    header = sealed_header()
    header[1] = text(0x00E0, "mtty")
    stream = Sealed(header).data(ONE).end()
    all_.add(
        "critical-bit-00e0",
        "the attributes of the stream keep theirs, too",
        stream,
        why("attribute.critical-bit", stream.of(0x00E0) - 8, "payload_format"),
        target=T1,
        flags="MendedChecksums",
    )
    # h: the type
    for name, attributes, at, about in (
        ("driver-bytes", [VENDOR, attribute(DRIVER, 4, b"mtty")], 44, "driver"),
        ("driver-13", [VENDOR, attribute(DRIVER, 13, b"mtty")], 44, "driver"),
        ("driver-0", [VENDOR, attribute(DRIVER, 0, b"mtty")], 44, "driver"),
        ("nr-ports-version", [VENDOR, attribute(NR_PORTS, 5, bytes(12))], 44, "nr_ports"),
        ("vendor-12", [unreported(0x8001), ONE_PORT], 32, "vendor"),
    ):
        comment = "type 12 may not stand for vendor" if name == "vendor-12" else "an attribute never changes its type"
        attribute_wrong(f"type-{name}", comment, attributes, "attribute.type", at + 2, about)

    # 2.4: what is mandatory
    attribute_wrong(
        "missing-vendor",
        "vendor is mandatory; what is not there is missed at the end of the header",
        [driver],
        "attribute.missing",
        32 + len(driver),
        "vendor",
    )
    attribute_wrong(
        "missing-vendor-and-unknown",
        "an unknown critical attribute, and no vendor: what is missing comes first",
        [text(0x8002, "x")],
        "attribute.missing",
        32 + len(text(0x8002, "x")),
        "vendor",
        "MultipleErrors",
    )
    whole = sealed_header()
    for number, name in ((PAYLOAD_FORMAT, "payload_format"), (DIGEST, "digest"), (STREAM_ID, "stream_id")):
        stream = Sealed([one for one in whole if one[:2] != u16(number)]).data(ONE).end()
        all_.add(
            f"missing-{name.replace('_', '-')}",
            f"a sealed stream has a {name}",
            stream,
            why("attribute.missing", stream.end_of_header, name),
            target=T1,
            flags="MendedChecksums",
        )
    stream = Sealed([VENDOR, ONE_PORT]).data(ONE).end()
    all_.add(
        "missing-several",
        "of several that are missing the first is told",
        stream,
        why("attribute.missing", stream.end_of_header, "payload_format"),
        target=T1,
        flags="MendedChecksums MultipleErrors",
    )

    # 2.5: unknown and critical
    for number, comment in (
        (0x8002, "number 2 is not assigned"),
        (0x80DF, "the last common number"),
        (0x8102, "a number that mtty has not assigned"),
        (0xF000, "the first private number"),
        (0xFFFF, "the last number"),
    ):
        attribute_wrong(
            f"unknown-critical-{number:04x}",
            f"{comment}: nobody here can know that it does not matter",
            [VENDOR, text(number, "x")],
            "attribute.unknown-critical",
            44,
            f"0x{number:04x}",
            "Extension",
        )
    two = [VENDOR, text(0x80D0, "x"), ONE_PORT, text(0xF001, "y")]
    attribute_wrong(
        "unknown-critical-two",
        "of several the first is told; the others are not",
        two,
        "attribute.unknown-critical",
        44,
        "0x80d0",
        "Extension MultipleErrors",
    )
    bad = [VENDOR, text(0x80D0, "x"), attribute(NR_PORTS, 2, u64(3))]
    attribute_wrong(
        "unknown-critical-and-value",
        "a value that is wrong behind it is found first: the header is looked through",
        bad,
        "attribute.value",
        place(bad, 2) + 8,
        "nr_ports",
        "Extension MultipleErrors",
    )
    stream = Sealed([*sealed_header()[:4], uint(0x80EA, 0), ONE_PORT]).data(ONE).end()
    all_.add(
        "unknown-critical-stream",
        "a number about the stream that is not assigned",
        stream,
        why("attribute.unknown-critical", stream.of(0x80EA) - 8, "0x80ea"),
        target=T1,
        flags="MendedChecksums Extension",
    )

    # m: unknown and not critical
    for number, code, comment in (
        (0x0002, 2, "number 2 is not assigned: kept, passed on, noted"),
        (0x00DF, 3, "the last common number"),
        (0x6FFF, 3, "the last of the vendor's numbers"),
        (0x7FFF, 200, "a type of a later version: its bytes are opaque"),
        (PRIVATE, 0, "type 0 is not known, and not an error of an unknown attribute"),
    ):
        content = {2: u64(7), 3: b"x"}.get(code, b"\0\xff")
        attributes = sorted(
            [VENDOR, ONE_PORT, attribute(number, code, content)], key=lambda one: one[0] | (one[1] & 0x7F) << 8
        )
        at = place(attributes, attributes.index(attribute(number, code, content)))
        all_.add(
            f"unknown-{number:04x}",
            comment,
            profile(*attributes),
            why("attribute.unknown", at, f"0x{number:04x}"),
            target=T1,
            flags="Extension",
        )
    many = [VENDOR, ONE_PORT, *(uint(PRIVATE + at, at) for at in range(20))]
    all_.add(
        "unknown-20",
        "of the notes of one id the first 16 are kept and the others counted",
        profile(*many),
        *(why("attribute.unknown", place(many, 2 + at), f"0x{PRIVATE + at:04x}") for at in range(16)),
        target=T1,
        flags="Extension Boundary",
        dropped=4,
    )
    large = [VENDOR, ONE_PORT, *(attribute(PRIVATE + at, 4, bytes([at]) * 4096) for at in range(15))]
    rest = 65_536 - (place(large, len(large)) - 32) - 8
    large.append(attribute(PRIVATE + 15, 4, b"\xff" * rest))
    all_.add(
        "header-len-65536",
        "the longest header; it is long by unknown attributes",
        profile(*large),
        *(why("attribute.unknown", place(large, 2 + at), f"0x{PRIVATE + at:04x}") for at in range(16)),
        target=T1,
        flags="Extension Boundary",
    )

    # 2.6 to 2.9: names that nobody here knows
    for name in ("nosuch", "Mtty", "opaque ", "sealed"):
        stream = Sealed(sealed_header(payload_format=name)).data(ONE).end()
        comment = "an envelope is no native format" if name == "sealed" else "names are compared by their bytes"
        all_.add(
            f"payload-format-{name.strip().lower()}",
            comment,
            stream,
            why("payload_format.unrecognized", stream.of(PAYLOAD_FORMAT), "payload_format"),
            target=T1,
            flags="MendedChecksums Extension",
        )
    for code in (0, 3, 1 << 32, 2**64 - 1):
        stream = Sealed(sealed_header(digest=code)).data(ONE).end()
        comment = "3 is reserved for keyed digests" if code == 3 else "1 and 2 are the digests of version 1.0"
        all_.add(
            f"digest-{code}",
            comment,
            stream,
            why("digest.unrecognized", stream.of(DIGEST), "digest"),
            target=T1,
            flags="MendedChecksums Extension Boundary",
        )
    for name in ("nosuch", "MTTY", "mtty "):
        all_.add(
            f"vendor-{name.lower().replace(' ', '-space')}".replace("vendor-mtty", "vendor-like-mtty"),
            "names are compared by their bytes",
            profile(text(0x8001, name), ONE_PORT),
            why("vendor.unrecognized", 40, "vendor"),
            target=T1,
            flags="Extension",
        )
    nosuch = text(0x8001, "nosuch")
    all_.add(
        "vendor-unknown-attributes",
        "what an unknown vendor's numbers mean nobody here can know, critical ones and others",
        profile(nosuch, text(0x0100, "x"), text(0x8101, "y")),
        why("vendor.unrecognized", 40, "vendor"),
        target=T1,
        flags="Extension",
    )
    all_.add(
        "vendor-unknown-and-private-critical",
        "a private attribute that must be understood is refused before the vendor",
        profile(nosuch, text(0xF000, "x")),
        why("attribute.unknown-critical", 46, "0xf000"),
        target=T1,
        flags="Extension MultipleErrors",
    )
    stream = Sealed(sealed_header(vendor=nosuch)).data(ONE).end()
    all_.add(
        "vendor-unknown-sealed",
        "the format is mtty's and the vendor nobody's: the vendor comes first",
        stream,
        why("vendor.unrecognized", 40, "vendor"),
        target=T1,
        flags="Extension MultipleErrors",
    )
    stream = Sealed(sealed_header(payload_format="nosuch", digest=9, vendor=nosuch)).data(ONE).end()
    all_.add(
        "order-names",
        "payload_format, digest and vendor are all unknown: the format comes first",
        stream,
        why("payload_format.unrecognized", stream.of(PAYLOAD_FORMAT), "payload_format"),
        target=T1,
        flags="Extension MultipleErrors",
    )
    stream = Sealed(sealed_header(digest=9, vendor=nosuch)).data(ONE).end()
    all_.add(
        "order-digest-vendor",
        "digest and vendor are unknown: the digest comes first",
        stream,
        why("digest.unrecognized", stream.of(DIGEST), "digest"),
        target=T1,
        flags="Extension MultipleErrors",
    )

    # 2.14
    for name, attributes, about in (
        ("2-and-1", [VENDOR, text(MDEV_TYPE, "mtty-2"), ONE_PORT], "nr_ports"),
        ("1-and-2", [VENDOR, text(MDEV_TYPE, "mtty-1"), TWO_PORTS], "nr_ports"),
    ):
        target = T1 if attributes[2] == ONE_PORT else T2
        all_.add(
            f"contradicts-itself-{name}",
            "mdev_type and nr_ports cannot both be true; no rule has anything against it",
            profile(*attributes),
            why("profile.contradicts-itself", place(attributes, 2) + 8, about),
            target=target,
            flags="Rule",
        )
    attributes = [VENDOR, text(MDEV_TYPE, "mtty-2"), ONE_PORT]
    all_.add(
        "contradicts-itself-and-rule",
        "reading goes on: the rules are asked, too",
        profile(*attributes),
        why("profile.contradicts-itself", place(attributes, 2) + 8, "nr_ports"),
        why("nr_ports.not-equal", place(attributes, 2) + 8),
        target=T2,
        flags="Rule ReadsOn MultipleErrors",
    )
    all_.add(
        "contradicts-itself-no-target",
        "without a target it is not asked",
        profile(*attributes),
        flags="Rule",
    )

    # 2.16
    for behind, name in ((b"\0", "byte"), (good, "profile")):
        all_.add(
            f"profile-trailing-{name}",
            "the input ends where the header of a profile ends",
            good + behind,
            why("stream.trailing", len(good)),
            target=T1,
            flags="Trailing",
        )
    two_ports = profile(VENDOR, TWO_PORTS)
    all_.add(
        "profile-trailing-and-rule",
        "corrupt in place of incompatible: a verdict can worsen",
        two_ports + b"\0",
        why("nr_ports.not-equal", 52),
        why("stream.trailing", len(two_ports)),
        target=T1,
        flags="Trailing ReadsOn Rule",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Answers.

SAID = {
    0x8001: VENDOR,
    STREAM_ID: ID,
    # prologue_crc of the worked example in two phases.
    ANSWERS: uint(ANSWERS, 0x4E121C67),
    ANSWER_STAGE: text(ANSWER_STAGE, "final"),
    ANSWER_OUTCOME: text(ANSWER_OUTCOME, "compatible"),
    ANSWER_COMPLETE: flag(ANSWER_COMPLETE, 1),
}


NAMED_IN_ANSWERS = {
    PCI_ID: "pci_id",
    0x00E0: "payload_format",
    0x00E1: "digest",
    0x00E2: "payload_len",
    0x00E3: "stream_id",
    0x00E4: "device_label",
    0x00E5: "answers",
    0x00E6: "answer_stage",
    0x00E7: "answer_outcome",
    0x00E8: "answer_complete",
    0x00E9: "answer_reasons",
}


def said(*others: bytes, without: int | None = None) -> list[bytes]:
    """The attributes of a final and complete answer; others come besides, or in the place of those of their number."""
    parts = {number & 0x7FFF: part for number, part in SAID.items() if number != without}
    parts |= {int.from_bytes(other[:2], "little") & 0x7FFF: other for other in others}
    return [parts[number] for number in sorted(parts)]


def add_answers(all_: Vectors) -> None:
    """Answers, and what is wrong with them."""

    def good(name: str, comment: str, *others: bytes, flags: str = "", notes: tuple[dict[str, Any], ...] = ()) -> None:
        all_.add(f"answer-{name}", comment, answer(*said(*others)), *notes, flags=flags)

    early, refused = text(ANSWER_STAGE, "early"), flag(ANSWER_COMPLETE, 0)
    good(
        "final-complete",
        "the stream was read to its end and may be loaded; the answer itself is no stream, so never complete",
    )
    good("early", "the header was judged, and nothing speaks against it", early, refused)
    example = (early, text(ANSWER_OUTCOME, "incompatible"), refused, texts(ANSWER_REASONS, "nr_ports.not-equal"))
    good(
        "example", "the worked example of docs/format.md: an incompatible target, before the guest is stopped", *example
    )
    for outcome in OUTCOMES:
        good(f"final-{outcome}", "each outcome has its name", text(ANSWER_OUTCOME, outcome), refused)
    for outcome in ("fixable", "unknown"):
        comment = "the target's caller admits it: it may be loaded"
        good(f"final-complete-{outcome}", comment, text(ANSWER_OUTCOME, outcome), flags="Boundary")
    for crc in (0, 0xFFFFFFFF):
        good(f"answers-{crc:08x}", "a CRC may be any number of 32 bits", uint(ANSWERS, crc), flags="Boundary")
    most = tuple(sorted(f"x.{number:03}" for number in range(256)))
    good("reasons-256", "as many as a set holds", *example[:3], texts(ANSWER_REASONS, *most), flags="Boundary")
    all_.add(
        "answer-minor-7",
        "every minor version of major 1 is read",
        answer(*said(), minor=7),
        flags="Extension",
    )
    good("unknown-vendor", "nothing in it is of the vendor's, so nobody need know it", text(0x8001, "nosuch"))
    for number, name in ((PRIVATE, "private"), (0x00EA, "later"), (0x00FF, "last")):
        attributes = said(uint(number, 1))
        note = why("attribute.unknown", place(attributes, len(attributes) - 1), f"0x{number:04x}")
        good(f"note-{name}", "kept and noted", uint(number, 1), flags="Extension", notes=(note,))

    def bad(
        name: str,
        comment: str,
        attributes: list[bytes],
        reason: str,
        offset: int,
        about: str | None = None,
        flags: str = "",
        behind: bytes = b"",
    ) -> None:
        data = answer(*attributes) + behind
        all_.add(f"answer-{name}", comment, data, why(reason, offset, about), flags=f"MendedChecksums {flags}")

    def wrong(name: str, comment: str, other: bytes, reason: str, within: int, flags: str = "") -> None:
        """One attribute is wrong; the reason is about it, so many bytes within."""
        attributes, number = said(other), int.from_bytes(other[:2], "little")
        about = NAMED_IN_ANSWERS.get(number & 0x7FFF, f"0x{number:04x}")
        bad(name, comment, attributes, reason, place(attributes, attributes.index(other)) + within, about, flags)

    # 1 and 2.1, 2.2
    whole = answer(*said())
    for length, reason in ((31, "prologue.truncated"), (32, "header.truncated"), (len(whole) - 1, "header.truncated")):
        comment = "an answer that is cut is none"
        all_.add(f"answer-cut-{length}", comment, whole[:length], why(reason, length), flags="Truncated Boundary")
    all_.add("answer-damaged", "one bit of the outcome", changed(whole, 80), why("header.crc", 12), flags="Damaged")
    # f
    comment = "a device attribute: an answer describes no device"
    wrong("misplaced-common", comment, pci_id(PCI_ID, 0x8086, 0x4941), "attribute.misplaced", 0)
    for number in (0x0002, 0x000F, 0x00DF, 0x80DF):
        comment = "nor one that a later minor version may give it"
        wrong(f"misplaced-{number:04x}", comment, uint(number, 1), "attribute.misplaced", 0, "Boundary")
    for number in (0x0100, 0x8100, 0x6FFF):
        comment = "a number of the vendor's, known or not"
        wrong(f"misplaced-{number:04x}", comment, uint(number, 1), "attribute.misplaced", 0, "Boundary")
    for number in (PAYLOAD_FORMAT, DIGEST, PAYLOAD_LEN, DEVICE_LABEL):
        comment = "it says something of a stream, and stands in none but one"
        other = uint(number, 1) if number in (DIGEST, PAYLOAD_LEN) else text(number, "mtty")
        wrong(f"misplaced-{number:04x}", comment, other, "attribute.misplaced", 0)
    names = ("answers", "answer_stage", "answer_outcome", "answer_complete", "answer_reasons")
    parts = (*list(SAID.values())[2:], texts(ANSWER_REASONS, "header.crc"))
    for name, part in zip(names, parts, strict=True):
        comment = "what is of an answer stands nowhere else"
        stream = Sealed([*sealed_header()[:-1], part, ONE_PORT]).data(ONE).end()
        at = place(stream.attributes, 4)
        flags = "MendedChecksums"
        all_.add(
            f"answer-{name}-in-stream", comment, stream, why("attribute.misplaced", at, name), target=T1, flags=flags
        )
        data = profile(VENDOR, part, ONE_PORT)
        at = place([VENDOR], 1)
        all_.add(
            f"answer-{name}-in-profile", comment, data, why("attribute.misplaced", at, name), target=T1, flags=flags
        )
    # g to k
    wrong("critical-bit-reasons", "not critical", texts(0x80E9, "header.crc"), "attribute.critical-bit", 0)
    wrong("critical-bit-stage", "critical", text(0x00E6, "final"), "attribute.critical-bit", 0)
    for number in (ANSWERS, ANSWER_STAGE, ANSWER_OUTCOME, ANSWER_COMPLETE, ANSWER_REASONS):
        comment = "type 12 stands for nothing that is about a stream"
        wrong(f"unreported-{number:04x}", comment, unreported(number), "attribute.type", 2, "NotReported")
    wrong("type-answers", "a CRC is a number, not bytes", attribute(ANSWERS, 4, bytes(4)), "attribute.type", 2)
    wrong("complete-2", "a bool is 0 or 1", flag(ANSWER_COMPLETE, 2), "attribute.value", 8)
    wrong("answers-33-bits", "a CRC has 32 bits", uint(ANSWERS, 1 << 32), "attribute.value", 8, "Boundary")
    wrong(
        "stream-id-15", "a stream_id has 16 bytes", attribute(STREAM_ID, 4, bytes(15)), "attribute.value", 8, "Boundary"
    )
    for stage in ("late", "Early", "final "):
        name = f"stage-{stage.strip().lower()}-{len(stage)}"
        wrong(name, "neither early nor final", text(ANSWER_STAGE, stage), "attribute.value", 8)
    for outcome in ("fine", "COMPATIBLE"):
        wrong(f"outcome-{outcome.lower()}-no", "no outcome", text(ANSWER_OUTCOME, outcome), "attribute.value", 8)
    numbers = attribute(ANSWER_REASONS, 8, b"\2" + sized(u64(1)))
    wrong("reasons-of-numbers", "ids are texts", numbers, "attribute.value", 8)
    comment = "members of a set ascend"
    wrong("reasons-order", comment, texts(ANSWER_REASONS, "b.x", "a.x"), "attribute.value", 8, "NonCanonical")
    wrong("reasons-twice", "each once", texts(ANSWER_REASONS, "a.x", "a.x"), "attribute.value", 8, "NonCanonical")
    # 2.4, 2.5
    for number, name in zip(list(SAID)[:6], ("vendor", "stream_id", *names), strict=False):
        attributes = said(without=number)
        bad(f"without-{name}", "it is mandatory", attributes, "attribute.missing", place(attributes, 5), name)
    attributes = [VENDOR]
    bad("vendor-alone", "the first that is missing", attributes, "attribute.missing", place(attributes, 1), "stream_id")
    comment = "what must be understood and is not"
    wrong("unknown-critical", comment, uint(PRIVATE | 0x8000, 1), "attribute.unknown-critical", 0, "Extension")
    # 2.10
    for name, others in (
        ("early", [early]),
        ("truncated", [text(ANSWER_OUTCOME, "truncated")]),
        ("incompatible", [text(ANSWER_OUTCOME, "incompatible")]),
        ("corrupt", [text(ANSWER_OUTCOME, "corrupt")]),
        ("unrecognized", [text(ANSWER_OUTCOME, "unrecognized")]),
        ("early-and-corrupt", [early, text(ANSWER_OUTCOME, "corrupt")]),
    ):
        attributes = said(*others)
        comment = "complete, and yet early or refused: the two cannot both be true"
        at = place(attributes, 5) + 8
        bad(f"complete-{name}", comment, attributes, "profile.contradicts-itself", at, "answer_complete")
    # 2.11
    for name, comment, target in (
        ("before-its-target", "an answer is what a target says, and no stream", T1),
        ("before-another-target", "whatever the target is", with_terms(requires={"sealed": True})),
    ):
        all_.add(f"answer-{name}", comment, answer(*said()), why("format.describes-target", 20), target=target)
    all_.add(
        "answer-with-note-before-a-target",
        "notes of a header that is refused are not reported, nor is what follows it",
        answer(*said(uint(PRIVATE, 1))) + b"\0",
        why("format.describes-target", 20),
        target=T2,
        flags="MultipleErrors Trailing",
    )
    attributes = said(early)
    all_.add(
        "answer-contradicts-itself-before-a-target",
        "its form comes first",
        answer(*attributes),
        why("profile.contradicts-itself", place(attributes, 5) + 8, "answer_complete"),
        target=T1,
        flags="MultipleErrors",
    )
    # 2.16
    for name, behind in (("byte", b"\0"), ("answer", answer(*said()))):
        comment = "the input ends where the header of an answer ends: several are read one by one"
        bad(f"trailing-{name}", comment, said(), "stream.trailing", len(answer(*said())), None, "Trailing", behind)


# ---------------------------------------------------------------------------------------------------------------------
# Values of every type.


def add_values(all_: Vectors) -> None:
    """Under a private number, where only the type counts; and what a known attribute adds."""
    at = place([VENDOR, ONE_PORT], 2)

    def good(name: str, code: int, value: bytes, comment: str, flags: str = "Boundary") -> None:
        data = profile(VENDOR, ONE_PORT, attribute(PRIVATE, code, value))
        all_.add(f"value-{name}", comment, data, why("attribute.unknown", at, "0x7000"), target=T1, flags=flags)

    def length(name: str, code: int, value: bytes, comment: str) -> None:
        data = profile(VENDOR, ONE_PORT, attribute(PRIVATE, code, value))
        flags = "MendedChecksums Boundary"
        all_.add(f"value-{name}", comment, data, why("attribute.length", at + 4, "0x7000"), target=T1, flags=flags)

    def bad(name: str, code: int, value: bytes, comment: str, flags: str = "") -> None:
        data = profile(VENDOR, ONE_PORT, attribute(PRIVATE, code, value))
        flags = f"MendedChecksums {flags}"
        all_.add(f"value-{name}", comment, data, why("attribute.value", at + 8, "0x7000"), target=T1, flags=flags)

    for value in (0, 1):
        good(f"bool-{value}", 1, bytes([value]), "a bool is 0 or 1")
    bad("bool-2", 1, b"\2", "a bool is 0 or 1", "Boundary")
    bad("bool-255", 1, b"\xff", "a bool is 0 or 1", "Boundary")
    good("uint-max", 2, b"\xff" * 8, "every 8 bytes are a uint")
    good("version-max", 5, b"\xff" * 12, "every 12 bytes are a version")
    good("pci-id-max", 10, b"\xff" * 4, "every 4 bytes are a pci_id")
    good("unknown-empty", 12, b"", "type 12 has no bytes", "NotReported")
    for code, name, exact in (
        (1, "bool", 1),
        (2, "uint", 8),
        (5, "version", 12),
        (6, "range", 16),
        (9, "ratio", 8),
        (10, "pci-id", 4),
        (12, "unknown", 0),
    ):
        for wrong in (exact - 1, exact + 1):
            if wrong >= 0:
                length(f"{name}-{wrong}-bytes", code, b"\1" * wrong, f"a {name.replace('-', '_')} has {exact} bytes")
    for code, name, most in ((3, "text", 1024), (4, "bytes", 4096), (7, "mask", 32)):
        limit = f"{name} has 1 to {most} bytes"
        length(f"{name}-empty", code, b"", limit)
        good(f"{name}-1", code, b"a", limit)
        good(f"{name}-{most}", code, b"a" * most, limit)
        length(f"{name}-{most + 1}", code, b"a" * (most + 1), limit)
    length("set-3-bytes", 8, b"\2\1\0", "a set has at least 4 bytes")
    length("set-0-bytes", 8, b"", "a set has at least 4 bytes")
    length("map-5-bytes", 11, b"\1\0a\1\0", "a map has at least 6 bytes")
    length("map-0-bytes", 11, b"", "a map has at least 6 bytes")
    good("text-1024-of-512", 3, "\u00e9".encode() * 512, "limits count bytes, not characters", "Boundary Unicode")
    length("text-1026-of-513", 3, "\u00e9".encode() * 513, "limits count bytes, not characters")

    # Range, mask, ratio.
    good("range-equal", 6, u64(5) + u64(5), "low and high are inclusive and may be equal")
    good("range-all", 6, u64(0) + b"\xff" * 8, "the widest range")
    bad("range-descending", 6, u64(5) + u64(4), "low is not above high", "Boundary")
    good("mask-zero", 7, b"\0", "the empty mask is the one byte 0")
    bad("mask-zeros", 7, b"\0\0", "the last byte is not 0: the empty mask has one encoding", "NonCanonical")
    bad("mask-trailing-zero", 7, b"\1\0", "the last byte is not 0", "NonCanonical")
    good("mask-leading-zero", 7, b"\0\1", "only the last byte counts: bit 8")
    good("ratio-zero", 9, u32(0) + u32(1), "zero is 0/1")
    good("ratio-max", 9, b"\xff\xff\xff\xff\xfe\xff\xff\xff", "lowest terms")
    bad("ratio-0-of-2", 9, u32(0) + u32(2), "zero is 0/1", "NonCanonical")
    bad("ratio-2-of-4", 9, u32(2) + u32(4), "lowest terms", "NonCanonical")
    bad("ratio-3-of-3", 9, u32(3) + u32(3), "lowest terms", "NonCanonical")
    bad("ratio-1-of-0", 9, u32(1) + u32(0), "the denominator is above 0", "Boundary")
    bad("ratio-0-of-0", 9, u32(0) + u32(0), "the denominator is above 0", "Boundary")

    # Text.
    forbidden = (0x00, 0x0A, 0x1F, 0x7F, 0x80, 0x9F, 0x061C, 0x200B, 0x200F, 0x2028, 0x202E, 0x2060, 0x206F, 0xFEFF)
    for point in forbidden:
        encoding = f"a{chr(point)}b".encode()
        bad(f"text-{point:04x}", 3, encoding, "a control, direction or invisible character", "Unicode Boundary")
    for point in (
        0x20,
        0x7E,
        0xA0,
        0x061B,
        0x061D,
        0x200A,
        0x2010,
        0x2027,
        0x202F,
        0x205F,
        0x2070,
        0xFEFE,
        0xFFFF,
        0x10FFFF,
    ):
        good(f"text-{point:04x}", 3, f"a{chr(point)}b".encode(), "beside what is forbidden", "Unicode Boundary")
    for name, encoding in (
        ("overlong-nul", b"a\xc0\x80"),
        ("overlong-3", b"\xe0\x80\xaf"),
        ("surrogate", b"\xed\xa0\x80"),
        ("beyond-10ffff", b"\xf4\x90\x80\x80"),
        ("lone-continuation", b"a\x80"),
        ("cut", b"\xf0\x9f\x98"),
        ("ff", b"\xff"),
        ("latin-1", b"caf\xe9"),
    ):
        bad(f"text-{name}", 3, encoding, "not well-formed UTF-8", "Unicode")

    # Sets.
    def numbers(values: list[int]) -> bytes:
        return b"\2" + sized(*map(u64, values))

    good("set-1", 8, numbers([7]), "the smallest set")
    ascending = sorted(range(257), key=u64)
    good("set-256", 8, numbers([number for number in ascending if number != 256]), "the largest set")
    bad("set-257", 8, numbers(ascending), "one member more than a set can have", "Boundary")
    good("set-by-bytes", 8, numbers([256, 1]), "members stand in the order of their bytes: 256 before 1")
    bad(
        "set-by-value",
        8,
        numbers([1, 256]),
        "members stand in the order of their bytes, not of their values",
        "NonCanonical",
    )
    bad("set-twice", 8, numbers([7, 7]), "no member occurs twice", "NonCanonical")
    good("set-texts", 8, b"\3" + sized(b"a", b"ab", b"b"), "a prefix comes before what it is a prefix of")
    bad(
        "set-prefix-last", 8, b"\3" + sized(b"ab", b"a"), "a prefix comes before what it is a prefix of", "NonCanonical"
    )
    good("set-unsigned", 8, b"\3" + sized(b"z", "\u00e9".encode()), "bytes are compared as unsigned numbers")
    good(
        "set-pci-ids", 8, b"\x0a" + sized(u16(0x8086) + u16(0x4941), u16(0x8086) + u16(0x4943)), "a set of pci_ids", ""
    )
    for code in (0, 1, 4, 8, 12, 255):
        bad(f"set-of-type-{code}", 8, bytes([code]) + sized(b"\1" * 8), "members are of type 2, 3 or 10")
    bad("set-empty-text", 8, b"\3" + sized(b"") + b"\0", "a text has at least 1 byte", "Boundary")
    bad("set-short-uint", 8, b"\2" + sized(b"\1" * 7), "a uint has 8 bytes", "Boundary")
    bad("set-bad-text", 8, b"\3" + sized(b"a\n"), "each member is well formed", "Unicode")
    bad("set-cut-member", 8, b"\2" + u16(9) + u64(1), "the last member reaches beyond the value", "Boundary")
    bad("set-trailing", 8, numbers([7]) + b"\0", "nothing follows the last member", "Trailing")

    # Maps.
    good("map-1", 11, sized(b"k", b"v"), "the smallest map")
    pairs = [part for at in range(257) for part in (b"%03d" % at, b"v")]
    good("map-256", 11, sized(*pairs[:512]), "the largest map")
    bad("map-257", 11, sized(*pairs), "one pair more than a map can have", "Boundary")
    bad("map-descending", 11, sized(b"b", b"v", b"a", b"v"), "keys ascend", "NonCanonical")
    bad("map-key-twice", 11, sized(b"a", b"v", b"a", b"w"), "keys ascend strictly", "NonCanonical")
    good("map-values-any-order", 11, sized(b"a", b"w", b"b", b"v"), "only keys have an order", "")
    bad("map-empty-key", 11, sized(b"", b"value"), "a key is a text", "Boundary")
    bad("map-empty-value", 11, sized(b"key", b""), "a value is a text", "Boundary")
    bad("map-bad-value", 11, sized(b"k", b"\x1b[2J"), "a value is a text: no escapes to a terminal", "Unicode")
    bad("map-no-value", 11, sized(b"k", b"v", b"l"), "each key has a value")
    bad("map-trailing", 11, sized(b"k", b"v") + b"\0", "nothing follows the last pair", "Trailing")

    # What known attributes add.
    for name, attributes, which in (
        ("aggregation-0", [VENDOR, uint(AGGREGATION, 0), ONE_PORT], 1),
        ("nr-ports-0", [VENDOR, uint(NR_PORTS, 0)], 1),
        ("nr-ports-3", [VENDOR, uint(NR_PORTS, 3)], 1),
    ):
        about = name.rpartition("-")[0].replace("-", "_")
        all_.add(
            f"value-{name}",
            "well formed, but none that this attribute may have",
            profile(*attributes),
            why("attribute.value", place(attributes, which) + 8, about),
            target=T1,
            flags="MendedChecksums Boundary",
        )
    all_.add(
        "value-aggregation-1",
        "the least that aggregation may be",
        profile(VENDOR, uint(AGGREGATION, 1), ONE_PORT),
        target=T1,
        flags="Boundary",
    )
    for size in (15, 17):
        header = [*sealed_header()[:3], attribute(STREAM_ID, 4, bytes(size)), ONE_PORT]
        stream = Sealed(header).data(ONE).end()
        all_.add(
            f"value-stream-id-{size}",
            "a stream_id has 16 bytes",
            stream,
            why("attribute.value", stream.of(STREAM_ID), "stream_id"),
            target=T1,
            flags="MendedChecksums Boundary",
        )
    header = [*sealed_header()[:2], unreported(DIGEST), *sealed_header()[3:]]
    stream = Sealed(header).data(ONE).end()
    all_.add(
        "type-digest-12",
        "type 12 may not stand for an attribute about the stream",
        stream,
        why("attribute.type", stream.of(DIGEST) - 6, "digest"),
        target=T1,
        flags="MendedChecksums NotReported",
    )
    all_.add(
        "type-driver-12",
        "a known attribute whose value has not been reported; no rule asks for it",
        profile(VENDOR, unreported(DRIVER), ONE_PORT),
        target=T1,
        flags="NotReported",
    )
    example = [VENDOR, text(DRIVER, "mtty"), version(DRIVER_VERSION, 6, 12, 95), unreported(MDEV_TYPE), ONE_PORT]
    all_.add("profile-example", "the first worked example of docs/format.md", profile(*example), target=T1)
    every = [
        VENDOR,
        text(DEVICE_API, "vfio-pci"),
        pci_id(PCI_ID, 0x4348, 0x3253),
        pci_id(5, 0x4348, 0x3253),
        uint(REVISION, 16),
        text(DRIVER, "mtty"),
        version(DRIVER_VERSION, 6, 12, 95),
        text(MDEV_TYPE, "mtty-1"),
        uint(AGGREGATION, 1),
        attribute(CAPACITY, 9, u32(1) + u32(2)),
        version(SOFTWARE_VERSION, 1),
        text(DRIVER_BUILD, "6.12.095"),
        uint(14, 1_780_000_000),
        ONE_PORT,
        version(STREAM_VERSION, 1),
    ]
    all_.add("profile-all-attributes", "every common attribute and every one of mtty's", profile(*every), target=T1)


# ---------------------------------------------------------------------------------------------------------------------
# Check 3 and 4: frames, and what stands behind the end.


def opaque(**options: Any) -> list[bytes]:
    """The header of a sealed stream whose payload is not looked at."""
    return sealed_header(payload_format="opaque", **options)


def add_frames(all_: Vectors) -> None:
    """Frames of every kind, right and wrong."""

    def good(name: str, comment: str, stream: Sealed, *notes: dict[str, Any], flags: str = "") -> None:
        all_.add(name, comment, stream, *notes, target=T1, flags=flags)

    def bad(
        name: str,
        comment: str,
        stream: Sealed | bytes,
        reason: str,
        offset: int,
        about: str | None = None,
        flags: str = "MendedChecksums",
    ) -> None:
        all_.add(name, comment, stream, why(reason, offset, about), target=T1, flags=flags)

    captured = [VENDOR, text(PAYLOAD_FORMAT, "mtty"), uint(DIGEST, 1), ID, ONE_PORT]
    good(
        "sealed-example-none",
        "the second worked example of docs/format.md",
        Sealed(captured).data(CAPTURED).end(),
        flags="FromCapture",
    )
    captured[2] = uint(DIGEST, 2)
    example = Sealed(captured).data(CAPTURED[:24], INITIAL).data(CAPTURED[24:], STOP_COPY).end()
    good("sealed-example-blake3", "the third worked example of docs/format.md", example, flags="FromCapture")
    good(
        "sealed-empty-opaque", "an envelope without data is valid; opaque payload may be empty", Sealed(opaque()).end()
    )
    good("sealed-empty-opaque-blake3", "the digest covers prologue and header, too", Sealed(opaque(digest=2)).end())
    good(
        "sealed-payload-len",
        "payload_len announces the exact number of bytes",
        Sealed(sealed_header(payload_len=60)).data(ONE).end(),
    )
    good(
        "sealed-device-label",
        "which device of the virtual machine: optional, and about the stream",
        Sealed(sorted([*sealed_header(), text(DEVICE_LABEL, "net0")], key=lambda one: one[0] + 256 * (one[1] & 0x7F)))
        .data(ONE)
        .end(),
    )
    good(
        "sealed-byte-by-byte",
        "60 frames of one byte: how the payload is cut into frames means nothing",
        _each_byte(Sealed(sealed_header(digest=2)), ONE).end(),
        flags="Boundary",
    )
    long = Sealed(opaque(digest=2)).data(bytes(range(256)) * 20).data(b"\xa5" * 3000).end()
    good("sealed-blake3-tree", "more than one chunk of BLAKE3, and no power of two of them", long)

    # 3.1, 3.7: cuts
    whole = Sealed(sealed_header(digest=2)).data(ONE[:24], INITIAL).data(ONE[24:], STOP_COPY).end()
    first, second, end = whole.starts
    for length, reason, comment in (
        (
            first,
            "frame.truncated",
            "the header and nothing behind it: the early verdict stands, the stream is not whole",
        ),
        (first + 1, "frame.truncated", "one byte of a frame"),
        (first + 15, "frame.truncated", "the head of a frame but for its last byte"),
        (first + 16, "frame.payload-truncated", "the head of a frame and nothing behind it"),
        (second - 1, "frame.payload-truncated", "the payload of a frame but for its last byte"),
        (second, "frame.truncated", "a cut between two frames"),
        (end, "frame.truncated", "all data frames came, the end frame did not"),
        (end + 16, "frame.payload-truncated", "the end frame without its payload"),
        (len(whole.bytes) - 1, "frame.payload-truncated", "the digest but for its last byte"),
    ):
        bad(f"sealed-cut-{length}", comment, whole.bytes[:length], reason, length, flags="Truncated Boundary")

    # 3.2: head_check
    damaged = "Damaged"
    for name, at, becomes, comment in (
        ("kind", 0, 2, "a data frame is not mistaken for the end"),
        ("phase", 1, 9, "the phase is covered by head_check"),
        ("check", 2, None, "head_check itself"),
        ("len", 4, None, "no length is believed before head_check agrees"),
        ("len-high", 7, 0xFF, "nobody waits for 4 GiB because one byte was damaged"),
        ("seq", 8, None, "the number is covered by head_check"),
    ):
        data = changed(whole.bytes, first + at, becomes)
        bad(f"frame-damaged-{name}", comment, data, "frame.head-check", first + 2, flags=damaged)
    other = Sealed([*sealed_header()[:3], attribute(STREAM_ID, 4, bytes(16)), ONE_PORT]).data(ONE).end()
    here = Sealed()
    bad(
        "frame-of-another-stream",
        "the header of one stream, the frames of another of an identical device",
        here.bytes + other.bytes[len(here.bytes) :],
        "frame.head-check",
        len(here.bytes) + 2,
        flags="Damaged",
    )

    # 3.3: kinds
    for kind in (0, 4, 0x7F):
        stream = Sealed().data(ONE)
        bad(
            f"frame-kind-{kind}",
            "a kind below 0x80 must be understood",
            stream.frame(kind, 4, b"x").end(),
            "frame.kind",
            stream.starts[1],
            flags="MendedChecksums Extension Boundary",
        )

    # 3.4: phases
    for phase in (0, 5, 255):
        stream = Sealed().data(ONE, phase)
        bad(
            f"frame-phase-{phase}",
            "a data frame has phase 1 to 4",
            stream.end(),
            "frame.phase",
            stream.starts[0] + 1,
            flags="MendedChecksums Boundary",
        )
    for earlier, later in ((3, 1), (3, 2), (3, 4), (4, 1), (4, 2), (4, 3), (1, 4), (2, 4)):
        stream = Sealed(opaque()).data(b"a", earlier).data(b"b", later).end()
        bad(
            f"frame-phase-{earlier}-then-{later}",
            "phases that may not follow each other",
            stream,
            "frame.phase",
            stream.starts[1] + 1,
        )
    stream = Sealed(opaque())
    for phase in (2, 1, 2, 1, 1, 3, 3):
        stream.data(b"a", phase)
    good("frame-phases-live", "1 and 2 in any order, 1 may recur, then only 3", stream.end())
    stream = Sealed(opaque()).data(b"a", 1).ancillary().data(b"b", 2).ancillary().data(b"c", 3)
    good(
        "frame-phases-ancillary",
        "frames of other kinds take no part in the order of phases",
        stream.end(),
        *(why("frame.ancillary", stream.starts[at]) for at in (1, 3)),
        flags="AncillaryFrame",
    )
    stream = Sealed().data(ONE)
    bad("frame-end-phase-1", "an end frame has phase 4", stream.end(phase=1), "frame.phase", stream.starts[1] + 1)
    stream = Sealed().data(ONE)
    bad(
        "frame-ancillary-phase-3",
        "an ancillary frame has phase 4",
        stream.frame(0x80, 3, b"").end(),
        "frame.phase",
        stream.starts[1] + 1,
    )
    stream = Sealed().frame(3, 0, b"")
    bad("frame-abort-phase-0", "an abort frame has phase 4", stream, "frame.phase", stream.starts[0] + 1)

    # 3.5: lengths
    limit = "MendedChecksums Boundary"
    stream = Sealed().data(b"")
    bad(
        "frame-len-0",
        "a data frame is not empty",
        stream.data(ONE).end(),
        "frame.len",
        stream.starts[0] + 4,
        flags=limit,
    )
    stream = Sealed(opaque()).data(b"a").end()
    good("frame-len-1", "the shortest data frame", stream, flags="Boundary")
    stream = Sealed(opaque()).data(bytes(1 << 20)).end()
    good("frame-len-1-mib", "the longest data frame", stream, flags="Boundary")
    for length, name in (((1 << 20) + 1, "1-mib-and-1"), (0xFFFFFFFF, "4-gib")):
        stream = Sealed(opaque()).data(b"", length=length)
        bad(
            f"frame-len-{name}",
            "longer than a data frame can be: refused before its payload is waited for",
            stream,
            "frame.len",
            stream.starts[0] + 4,
            flags=f"{limit} Truncated MultipleErrors",
        )
    stream = Sealed(opaque()).ancillary(b"", length=(1 << 20) + 1)
    bad(
        "frame-len-ancillary",
        "longer than an ancillary frame can be",
        stream,
        "frame.len",
        stream.starts[0] + 4,
        flags=f"{limit} Truncated MultipleErrors AncillaryFrame",
    )
    for digest, length in ((1, 0), (1, 7), (1, 40), (2, 8), (2, 39), (2, 41)):
        stream = Sealed(opaque(digest=digest)).frame(2, 4, bytes(length))
        comment = (
            "an end frame with a digest has 40 bytes" if digest == 2 else "an end frame without a digest has 8 bytes"
        )
        bad(f"frame-len-end-{digest}-{length}", comment, stream, "frame.len", stream.starts[0] + 4, flags=limit)
    stream = Sealed().abort(b"a" * 1025)
    bad(
        "frame-len-abort-1025",
        "an abort frame has a text of at most 1,024 bytes",
        stream,
        "frame.len",
        stream.starts[0] + 4,
        flags=limit,
    )

    # 3.6: numbers
    for name, numbers, which, comment in (
        ("from-1", (1,), 0, "frames count from 0"),
        ("repeated", (0, 0), 1, "a frame that came twice"),
        ("skipped", (0, 2), 1, "a frame that did not come"),
        ("swapped", (1, 0), 0, "two frames in the other order"),
        ("max", (0, 0xFFFFFFFF), 1, "the last number there is, long before its turn"),
    ):
        stream = Sealed(opaque())
        for number in numbers:
            stream.data(b"a", seq=number)
        bad(f"frame-seq-{name}", comment, stream.end(seq=2), "frame.seq", stream.starts[which] + 8)
    stream = Sealed(opaque()).data(b"a").ancillary().end(seq=1)
    all_.add(
        "frame-seq-ancillary",
        "seq counts frames of all kinds",
        stream,
        why("frame.ancillary", stream.starts[1]),
        why("frame.seq", stream.starts[2] + 8),
        target=T1,
        flags="MendedChecksums AncillaryFrame",
    )

    # 3.8: checksums of frames
    for name, at, comment in (
        ("crc", first + 12, "the checksum itself"),
        ("payload", second - 1, "the last byte of a payload"),
        ("payload-late", end - 30, "a byte of the second frame; the first was right"),
        ("total", end + 16, "the end frame has a checksum as every frame"),
        ("digest", end + 24, "damage of the digest itself is seen by the frame's checksum"),
    ):
        offset = max(start for start in whole.starts if start <= at) + 12
        bad(f"frame-damaged-{name}", comment, changed(whole.bytes, at), "frame.crc", offset, flags="Damaged")

    # The order of checks in a frame: each of these has every error from its check on.
    order: list[tuple[str, int, dict[str, Any]]] = [
        ("frame.head-check", 2, {"kind": 4, "phase": 9, "length": 0, "seq": 7, "crc": 0, "head_check": 0}),
        ("frame.kind", 0, {"kind": 4, "phase": 9, "length": 0, "seq": 7, "crc": 0}),
        ("frame.phase", 1, {"kind": 1, "phase": 9, "length": 0, "seq": 7, "crc": 0}),
        ("frame.len", 4, {"kind": 1, "phase": 4, "length": 0, "seq": 7, "crc": 0}),
        ("frame.seq", 8, {"kind": 1, "phase": 4, "length": 9, "seq": 7, "crc": 0}),
        ("frame.crc", 12, {"kind": 2, "phase": 4, "payload": u64(5), "crc": 0}),
    ]
    for reason, at, fields in order:
        kind, phase, payload = fields.pop("kind"), fields.pop("phase"), fields.pop("payload", b"")
        stream = Sealed(opaque()).frame(kind, phase, payload, **fields)
        bad(
            f"order-{reason.replace('.', '-')}",
            "everything from this check on is wrong, and this check comes first",
            stream,
            reason,
            stream.starts[0] + at,
            flags="MendedChecksums MultipleErrors",
        )

    # 3.9 to 3.11: the end frame
    for total in (0, 59, 61, 2**64 - 1):
        stream = Sealed().data(ONE).end(total=total)
        bad(
            f"end-total-{total}",
            "total counts the bytes of all data payloads",
            stream,
            "end.total",
            stream.starts[1] + 16,
            flags=limit,
        )
    stream = Sealed(opaque()).data(b"abc").ancillary(b"de").end(total=5)
    all_.add(
        "end-total-ancillary",
        "payload of ancillary frames is not counted",
        stream,
        why("frame.ancillary", stream.starts[1]),
        why("end.total", stream.starts[2] + 16),
        target=T1,
        flags="MendedChecksums AncillaryFrame",
    )
    header = sealed_header(digest=2)
    stream = Sealed(header).data(ONE)
    right = blake3(stream.bytes)
    bad(
        "end-digest-flipped",
        "one bit of the digest",
        stream.end(digest=changed(right, 31)),
        "end.digest",
        stream.starts[1] + 24,
    )
    stream = Sealed(header).data(ONE)
    bad(
        "end-digest-of-payload",
        "the digest covers the stream, not only its payload",
        stream.end(digest=blake3(ONE)),
        "end.digest",
        stream.starts[1] + 24,
    )
    stream = Sealed(header).data(changed(ONE, 31))
    bad(
        "end-digest-altered",
        "a byte of the payload was altered and all checksums computed again",
        stream.end(digest=right),
        "end.digest",
        stream.starts[1] + 24,
    )
    stream = Sealed(header).data(ONE)
    right = blake3(stream.bytes)
    stream.ancillary(b"x").end(digest=right)
    all_.add(
        "end-digest-ancillary",
        "the digest covers ancillary frames, too",
        stream,
        why("frame.ancillary", stream.starts[1]),
        why("end.digest", stream.starts[2] + 24),
        target=T1,
        flags="MendedChecksums AncillaryFrame",
    )
    for announced in (0, 59, 61, 2**64 - 1):
        stream = Sealed(sealed_header(payload_len=announced)).data(ONE).end()
        bad(
            f"end-payload-len-{announced}",
            "the header announced another number of bytes than came",
            stream,
            "end.payload-len",
            stream.starts[1] + 16,
            "payload_len",
            flags=limit,
        )
    for reason, at, options in (
        ("end.total", 16, {"total": 1, "digest": bytes(32)}),
        ("end.digest", 24, {"digest": bytes(32)}),
    ):
        stream = Sealed(sealed_header(payload_len=5, digest=2)).data(ONE).end(**options)
        bad(
            f"order-{reason.replace('.', '-')}",
            "what the end frame says is wrong from this check on; total, digest, payload_len",
            stream,
            reason,
            stream.starts[1] + at,
            flags="MendedChecksums MultipleErrors",
        )

    # 3.12, 3.13: abort
    for name, content in (("control", b"out of memory\n"), ("utf-8", b"\xff"), ("direction", "\u202e".encode())):
        stream = Sealed().data(ONE[:24]).abort(content)
        bad(
            f"abort-text-{name}",
            "the reason is a text as an attribute's, or nothing",
            stream,
            "abort.text",
            stream.starts[1] + 16,
            flags="MendedChecksums Unicode Aborted",
        )
    for name, content in (("empty", b""), ("text", b"no space left"), ("1024", b"a" * 1024)):
        stream = Sealed().data(ONE[:24]).abort(content)
        bad(
            f"aborted-{name}",
            "the source gave up, with a reason or without",
            stream,
            "stream.aborted",
            stream.starts[1],
            flags="Aborted Truncated" + (" Boundary" if name == "1024" else ""),
        )
    stream = Sealed().abort()
    bad(
        "aborted-at-once",
        "before the first data frame",
        stream,
        "stream.aborted",
        stream.starts[0],
        flags="Aborted Truncated",
    )
    stream = Sealed().data(ONE).abort()
    bad(
        "aborted-whole-payload",
        "all of the payload came; without an end frame that does not count",
        stream,
        "stream.aborted",
        stream.starts[1],
        flags="Aborted Truncated",
    )
    bad(
        "aborted-and-more",
        "what follows an abort frame is not looked at",
        stream.bytes + b"\0" * 5,
        "stream.aborted",
        stream.starts[1],
        flags="Aborted Truncated Trailing",
    )

    # 3.14: ancillary frames
    for kind, content in ((0x80, b""), (0xFF, b"x" * 100)):
        stream = Sealed().data(ONE).ancillary(content, kind).end()
        good(
            f"ancillary-{kind:02x}",
            "checked, passed over, noted",
            stream,
            why("frame.ancillary", stream.starts[1]),
            flags="AncillaryFrame Extension Boundary",
        )
    stream = Sealed(sealed_header(digest=2)).ancillary(b"first").data(ONE[:30]).ancillary(b"between").data(ONE[30:])
    good(
        "ancillary-between",
        "anywhere before the end frame, also where a record of the payload is cut in two",
        stream.end(),
        *(why("frame.ancillary", stream.starts[at]) for at in (0, 2)),
        flags="AncillaryFrame Extension",
    )
    stream = Sealed().data(ONE)
    for _ in range(20):
        stream.ancillary()
    all_.add(
        "ancillary-20",
        "of the notes of one id the first 16 are kept and the others counted",
        stream.end(),
        *(why("frame.ancillary", start) for start in stream.starts[1:17]),
        target=T1,
        flags="AncillaryFrame Boundary",
        dropped=4,
    )
    stream = Sealed().data(ONE)
    bad(
        "ancillary-damaged",
        "an ancillary frame is checked as every frame",
        changed(stream.ancillary(b"abc").end().bytes, stream.starts[1] + 17),
        "frame.crc",
        stream.starts[1] + 12,
        flags="Damaged AncillaryFrame",
    )

    # 4.1
    for name, behind in (("byte", b"\0"), ("frame", whole.bytes[first:]), ("stream", whole.bytes)):
        bad(
            f"sealed-trailing-{name}",
            "a file ends behind the end frame",
            whole.bytes + behind,
            "stream.trailing",
            len(whole.bytes),
            flags="Trailing",
        )
    all_.add("sealed-no-target", "without a target only the structure is checked", whole)
    all_.add(
        "sealed-no-target-damaged",
        "without a target the structure is checked all the same",
        changed(whole.bytes, end - 1),
        why("frame.crc", second + 12),
        flags="Damaged",
    )


def _each_byte(stream: Sealed, payload: bytes) -> Sealed:
    for at in range(len(payload)):
        stream.data(payload[at : at + 1])
    return stream


# ---------------------------------------------------------------------------------------------------------------------
# The native stream of mtty, by itself and in an envelope.


def add_mtty(all_: Vectors) -> None:
    """What a native stream can have wrong, and what its payload adds to an envelope."""
    for name, native, target in (("one", ONE, T1), ("two", TWO, T2)):
        all_.add(f"mtty-{name}", "a native stream without an error", native, target=target)
        sealed = Sealed(sealed_header(ONE_PORT if native == ONE else TWO_PORTS)).data(native).end()
        all_.add(f"mtty-{name}-sealed", "the same in an envelope", sealed, target=target)
        all_.add(f"mtty-{name}-no-target", "a native stream without a target: its structure is checked", native)
    all_.add("mtty-captured", "a stream that Linux 6.12.95 gave", CAPTURED, target=T1, flags="FromCapture")

    def wrong(
        name: str,
        comment: str,
        stream: bytes,
        reason: str,
        offset: int,
        *notes: tuple[str, int],
        flags: str = "",
        both: bool = False,
    ) -> None:
        target = T2 if len(stream) >= 96 else T1
        reasons = [why(reason, offset), *(why(note, at) for note, at in notes)]
        all_.add(f"mtty-{name}", comment, stream, *reasons, target=target, flags=flags)
        if both:
            inside = [why(reason, offset, inside=True), *(why(note, at, inside=True) for note, at in notes)]
            sealed = Sealed(sealed_header(TWO_PORTS if target is T2 else ONE_PORT)).data(stream).end()
            comment = f"the same in an envelope, whose checksums say nothing against it: {comment}"
            all_.add(f"mtty-{name}-sealed", comment, sealed, *reasons[:0], *inside, target=target, flags=flags)

    one = port()
    wrong("version-2-0", "the driver takes no version but its own", mtty(one, major=2), "mtty.version", 8, both=True)
    wrong("version-0-0", "below the only version", mtty(one, major=0), "mtty.version", 8, flags="Boundary")
    wrong("version-1-1", "a higher minor version is refused, too", mtty(one, minor=1), "mtty.version", 12, both=True)
    wrong(
        "version-2-1",
        "major comes before minor",
        mtty(one, major=2, minor=1),
        "mtty.version",
        8,
        flags="MultipleErrors",
    )
    wrong("flags-1", "no known driver has a feature", mtty(one, flags=1), "mtty.flags", 20, both=True)
    wrong("flags-bit-31", "no known driver has a feature", mtty(one, flags=1 << 31), "mtty.flags", 20, flags="Boundary")
    wrong(
        "flags-and-ports",
        "flags come before nr_ports",
        mtty(one, flags=1, count=0),
        "mtty.flags",
        20,
        flags="MultipleErrors",
    )
    wrong("nr-ports-0", "one port or two", mtty(one, count=0), "mtty.nr-ports", 16, flags="Boundary")
    wrong("nr-ports-3", "one port or two", mtty(one, one, count=3), "mtty.nr-ports", 16, flags="Boundary", both=True)
    wrong(
        "nr-ports-max", "one port or two; no length follows from this", mtty(one, count=0xFFFFFFFF), "mtty.nr-ports", 16
    )
    for name, record, reason, at, comment in (
        ("head-16", port(head=16), "mtty.head", 24, "the ring has 16 bytes, so 15 is the last index"),
        ("head-255", port(head=255, tail=255, count=0), "mtty.head", 24, "the driver would index with it unchecked"),
        ("tail-16", port(tail=16), "mtty.tail", 25, "the ring has 16 bytes, so 15 is the last index"),
        ("tail-24", port(tail=24), "mtty.tail", 25, "the driver would read its own fcr field"),
        ("count-17", port(head=2, count=17), "mtty.count", 26, "a ring holds 16 bytes; 17 agrees modulo 16"),
        ("count-255", port(count=255), "mtty.count", 26, "a ring holds 16 bytes"),
        ("ring-off-by-one", port(head=3, tail=1, count=3), "mtty.ring", 26, "head minus tail is count"),
        ("ring-empty", port(head=3, tail=1, count=0), "mtty.ring", 26, "head minus tail is not 0"),
        ("ring-full", port(head=3, tail=1, count=16), "mtty.ring", 26, "a full ring has head = tail"),
        ("dlab-2", port(dlab=2), "mtty.flag-byte", 27, "a byte that says yes or no"),
        ("dlab-255", port(dlab=255, overrun=2), "mtty.flag-byte", 27, "dlab comes before overrun"),
        ("overrun-2", port(overrun=2), "mtty.flag-byte", 28, "a byte that says yes or no"),
        ("max-fifo-size-0", port(size=0), "mtty.max-fifo-size", 33, "1 or 16"),
        ("max-fifo-size-2", port(size=2), "mtty.max-fifo-size", 33, "1 or 16"),
        ("max-fifo-size-255", port(size=255), "mtty.max-fifo-size", 33, "1 or 16"),
    ):
        wrong(
            name,
            comment,
            mtty(record),
            reason,
            24 + at,
            flags="Boundary",
            both=name in ("head-16", "dlab-2", "ring-full"),
        )
        if name in ("head-16", "tail-16", "count-17", "overrun-2"):
            wrong(f"{name}-port-1", f"in the second port: {comment}", mtty(port(), record), reason, 60 + at)
    wrong(
        "both-ports",
        "ports are looked at from the first to the second",
        mtty(port(size=3), port(head=99)),
        "mtty.max-fifo-size",
        24 + 33,
        flags="MultipleErrors",
    )
    wrong(
        "head-and-tail",
        "by ascending offset; the first ends the reading",
        mtty(port(head=16, tail=16)),
        "mtty.head",
        48,
        flags="MultipleErrors",
    )
    wrong(
        "note-then-error",
        "a note that was found before stays",
        mtty(port(padding=1, size=2)),
        "mtty.max-fifo-size",
        57,
        ("mtty.padding", 53),
        flags="MultipleErrors",
    )
    wrong(
        "error-then-note",
        "behind the first error nothing is looked for",
        mtty(port(overrun=9, padding=1)),
        "mtty.flag-byte",
        52,
        flags="MultipleErrors",
    )
    for name, record, notes, comment in (
        ("padding", port(padding=0xAA), (("mtty.padding", 53),), "the driver loads and saves it as it is"),
        ("padding-trailing", port(trailing=1), (("mtty.padding", 59),), "the last byte of the record"),
        (
            "padding-both",
            port(padding=1, trailing=1),
            (("mtty.padding", 53), ("mtty.padding", 59)),
            "two notes of one id",
        ),
        ("trigger-2", port(trigger=2), (("mtty.intr-trigger-level", 58),), "no known driver saves more than 1"),
        ("trigger-255", port(trigger=255), (("mtty.intr-trigger-level", 58),), "no known driver saves more than 1"),
    ):
        (reason, at), *more = notes
        wrong(name, comment, mtty(record), reason, at, *more, flags="Boundary", both=name in ("padding", "trigger-2"))
    for name, record, comment in (
        ("ring-full-ok", port(head=7, tail=7, count=16), "a full ring"),
        ("ring-empty-ok", port(head=7, tail=7, count=0), "an empty ring"),
        ("ring-wrapped", port(head=1, tail=15, count=2), "a ring that goes round"),
        ("highest", port(head=15, tail=15, count=16, dlab=1, overrun=1, size=1, trigger=0), "every value at its limit"),
    ):
        all_.add(f"mtty-{name}", comment, mtty(record), target=T1, flags="Boundary")

    # Cuts, and more than there should be.
    for native, lengths in ((ONE, (8, 23, 24, 59)), (TWO, (60, 95))):
        for length in lengths:
            all_.add(
                f"mtty-{len(native)}-cut-{length}",
                "nothing marks the end: the length follows from nr_ports",
                native[:length],
                why("stream.truncated", length),
                target=T1 if native == ONE else T2,
                flags="Truncated Boundary",
            )
    all_.add(
        "mtty-cut-and-rule",
        "incompatible early; a cut leaves it so, and is told",
        TWO[:95],
        why("nr_ports.not-equal", 16),
        why("stream.truncated", 95),
        target=T1,
        flags="Truncated Rule ReadsOn",
    )
    all_.add(
        "mtty-damaged-and-rule",
        "incompatible early; damage makes it corrupt",
        mtty(port(), port(head=16)),
        why("nr_ports.not-equal", 16),
        why("mtty.head", 84),
        target=T1,
        flags="Rule ReadsOn",
    )
    wrong(
        "trailing",
        "a native stream ends where it ends",
        ONE + b"\0",
        "stream.trailing",
        60,
        flags="Trailing",
        both=True,
    )
    wrong("twice", "a stream behind a stream", ONE + ONE[:20], "stream.trailing", 60, flags="Trailing")
    wrong(
        "trailing-and-error",
        "the ports come before what follows them",
        mtty(port(head=16)) + b"\0",
        "mtty.head",
        48,
        flags="Trailing MultipleErrors",
    )
    for length, reason in (
        (0, "magic.truncated"),
        (7, "magic.truncated"),
        (8, "stream.truncated"),
        (59, "stream.truncated"),
    ):
        stream = Sealed()
        if length:
            stream.data(ONE[:length])
        all_.add(
            f"mtty-sealed-{length}-bytes",
            "the envelope is whole, its payload is not: the end of the payload tells",
            stream.end(),
            why(reason, length, inside=True),
            target=T1,
            flags="Truncated Boundary",
        )
    for name, payload in (("magic", changed(ONE, 0)), ("short", b"abcd"), ("sealed", Sealed().data(ONE).end().bytes)):
        all_.add(
            f"mtty-sealed-other-{name}",
            "the payload is in another format than the header says",
            Sealed().data(payload).end(),
            why("magic.unrecognized", 0, inside=True),
            target=T1,
            flags="MendedChecksums ContradictoryPayload",
        )
    stream = Sealed(sealed_header()).data(ONE).data(b"\0").end()
    all_.add(
        "mtty-sealed-trailing-frame",
        "a frame too many: the offset counts from the first byte of the payload",
        stream,
        why("stream.trailing", 60, inside=True),
        target=T1,
        flags="Trailing",
    )

    # What the payload says of its source, against the header.
    def contradicts(
        name: str,
        comment: str,
        header: list[bytes],
        payload: bytes,
        about: str,
        number: int | None,
        *reasons: dict[str, Any],
        target: dict[str, Any] | None = T1,
    ) -> None:
        stream = Sealed(header).data(payload).end()
        offset = None if number is None else stream.of(number)
        all_.add(
            f"contradicts-payload-{name}",
            comment,
            stream,
            *reasons,
            why("profile.contradicts-payload", offset, about),
            target=target,
            flags="ContradictoryPayload MendedChecksums",
        )

    contradicts(
        "2-of-1",
        "two ports in the header, one in the payload",
        sealed_header(TWO_PORTS),
        ONE,
        "nr_ports",
        NR_PORTS,
        target=T2,
    )
    contradicts("1-of-2", "one port in the header, two in the payload", sealed_header(), TWO, "nr_ports", NR_PORTS)
    at = Sealed(sealed_header(TWO_PORTS)).of(NR_PORTS)
    contradicts(
        "and-rule",
        "the rules have found the header's two ports before",
        sealed_header(TWO_PORTS),
        ONE,
        "nr_ports",
        NR_PORTS,
        why("nr_ports.not-equal", at),
    )
    contradicts(
        "by-type",
        "mdev_type says two ports; what only follows from others has no place of its own",
        sealed_header(text(MDEV_TYPE, "mtty-2")),
        ONE,
        "nr_ports",
        None,
        target=T2,
    )
    header = sealed_header(ONE_PORT, version(STREAM_VERSION, 1, 1))
    stream = Sealed(header)
    contradicts(
        "version",
        "the header has a stream_version that the payload has not",
        header,
        ONE,
        "stream_version",
        STREAM_VERSION,
        why("stream_version.not-equal", stream.of(STREAM_VERSION)),
    )
    contradicts(
        "no-target",
        "it is asked without a target, too",
        sealed_header(text(MDEV_TYPE, "mtty-2")),
        ONE,
        "0x8100",
        None,
        target=None,
    )
    stream = Sealed(sealed_header(unreported(NR_PORTS))).data(ONE).end()
    all_.add(
        "contradicts-payload-not-reported",
        "type 12 contradicts nothing; and that the payload states it later improves nothing",
        stream,
        why("nr_ports.not-reported-yet"),
        target=T1,
        flags="NotReported Rule",
    )
    for patch, held in ((90, True), (99, False)):
        header = sealed_header(version(DRIVER_VERSION, 6, 12, patch), uint(NR_PORTS, 1))
        value = Sealed(header).of(DRIVER_VERSION)
        found = [] if held else [why("driver_version.not-at-least", value)]
        all_.add(
            f"header-says-what-payload-does-not-{'held' if held else 'refused'}",
            "the rules are asked of payload and header together: the payload does not state driver_version",
            Sealed(header).data(ONE).end(),
            why("driver_version.accepted-by-target", None),
            *found,
            target=with_terms(
                {"driver_version": "6.12.95"},
                accepts={"driver_version": {"rule": "at-least", "source": "test vector"}},
            ),
            flags="Rule",
        )
    stream = Sealed(sealed_header(text(MDEV_TYPE, "mtty-2"), unreported(NR_PORTS))).data(ONE).end()
    all_.add(
        "contradicts-payload-type-and-not-reported",
        "that nr_ports is not reported does not hide what follows from mdev_type",
        stream,
        why("nr_ports.not-reported-yet"),
        why("profile.contradicts-payload", None, "nr_ports"),
        target=T1,
        flags="NotReported Rule MultipleErrors",
    )
    stream = Sealed(sealed_header(text(DRIVER, "mtty"))).data(ONE).end()
    all_.add(
        "header-without-ports",
        "the header does not say what the rule needs; that the payload does comes too late",
        stream,
        why("nr_ports.not-in-profile"),
        target=T1,
        flags="Rule",
    )
    stream = Sealed(sealed_header(text(DRIVER, "mtty"))).data(TWO).end()
    all_.add(
        "header-without-ports-and-rule",
        "the rules are asked again of what the payload says; its offset is in the payload",
        stream,
        why("nr_ports.not-in-profile"),
        why("nr_ports.not-equal", 16, inside=True),
        target=T1,
        flags="Rule ReadsOn",
    )
    stream = Sealed(sealed_header(TWO_PORTS)).data(TWO).end()
    all_.add(
        "header-and-payload-refused",
        "header and payload are refused by one rule: it is said once",
        stream,
        why("nr_ports.not-equal", stream.of(NR_PORTS)),
        target=T1,
        flags="Rule ReadsOn",
    )
    stream = Sealed(sealed_header(TWO_PORTS)).data(TWO)
    all_.add(
        "header-refused-and-cut",
        "incompatible early; a cut leaves it so",
        stream.bytes,
        why("nr_ports.not-equal", stream.of(NR_PORTS)),
        why("frame.truncated", len(stream.bytes)),
        target=T1,
        flags="Rule ReadsOn Truncated",
    )
    all_.add(
        "header-refused-and-aborted",
        "incompatible early, and then the source gave up",
        stream.abort().bytes,
        why("nr_ports.not-equal", stream.of(NR_PORTS)),
        why("stream.aborted", stream.starts[1]),
        target=T1,
        flags="Rule ReadsOn Aborted",
    )
    stream = Sealed(sealed_header(TWO_PORTS)).data(TWO).end()
    all_.add(
        "header-refused-and-damaged",
        "incompatible early; damage makes it corrupt",
        changed(stream.bytes, stream.starts[1] - 1),
        why("nr_ports.not-equal", stream.of(NR_PORTS)),
        why("frame.crc", stream.starts[0] + 12),
        target=T1,
        flags="Rule ReadsOn Damaged",
    )
    stream = Sealed(sealed_header(TWO_PORTS)).frame(9, 4, b"")
    all_.add(
        "header-refused-and-kind",
        "incompatible early; a frame that nobody here knows makes it unrecognized",
        stream,
        why("nr_ports.not-equal", stream.of(NR_PORTS)),
        why("frame.kind", stream.starts[0]),
        target=T1,
        flags="Rule ReadsOn MendedChecksums",
    )
    stream = Sealed(sealed_header(text(DRIVER, "mtty")))
    all_.add(
        "header-unknown-and-cut",
        "unknown early; a cut makes it truncated",
        stream,
        why("nr_ports.not-in-profile"),
        why("frame.truncated", len(stream.bytes)),
        target=T1,
        flags="Rule ReadsOn Truncated",
    )


# ---------------------------------------------------------------------------------------------------------------------
# mtty's rules, and targets with terms of their own.


def add_rules(all_: Vectors) -> None:
    """A profile of mtty, against targets."""

    def judged(
        name: str,
        comment: str,
        attributes: list[bytes],
        target: dict[str, Any],
        *found: tuple[str, int | None],
        flags: str = "",
    ) -> None:
        """`found`: the id, and which attribute's value it is about, by number in the header."""
        header = [VENDOR, *attributes]
        reasons = [why(reason, None if which is None else place(header, which) + 8) for reason, which in found]
        all_.add(name, comment, profile(*header), *reasons, target=target, flags=f"Rule {flags}")

    judged("rule-ports-1-into-2", "the driver demands the same number", [ONE_PORT], T2, ("nr_ports.not-equal", 1))
    judged("rule-ports-2-into-1", "the driver demands the same number", [TWO_PORTS], T1, ("nr_ports.not-equal", 1))
    judged("rule-ports-2-into-2", "the same number", [TWO_PORTS], T2)
    judged("rule-ports-by-type", "nr_ports follows from mdev_type", [text(MDEV_TYPE, "mtty-1")], T1)
    judged(
        "rule-ports-by-type-not-equal",
        "what only follows from others has no offset",
        [text(MDEV_TYPE, "mtty-2")],
        T1,
        ("nr_ports.not-equal", None),
    )
    judged(
        "rule-ports-of-target-by-type",
        "it follows in a target, too",
        [ONE_PORT],
        {"vendor": "mtty", "attributes": {"mdev_type": "mtty-1"}},
    )
    judged(
        "rule-ports-source-silent",
        "a profile that does not say it: a better one settles it",
        [],
        T1,
        ("nr_ports.not-in-profile", None),
    )
    judged(
        "rule-ports-target-silent",
        "the target does not say it",
        [ONE_PORT],
        {"vendor": "mtty", "attributes": {}},
        ("nr_ports.not-in-profile", None),
    )
    judged(
        "rule-ports-source-not-reported",
        "not the same as not there",
        [unreported(NR_PORTS)],
        T1,
        ("nr_ports.not-reported-yet", None),
        flags="NotReported",
    )
    judged(
        "rule-ports-target-not-reported",
        "not the same as not there",
        [ONE_PORT],
        {"vendor": "mtty", "attributes": {"nr_ports": {"unknown": True}}},
        ("nr_ports.not-reported-yet", None),
        flags="NotReported",
    )
    judged(
        "rule-version-default",
        "what does not say it has stream_version 1.0.0",
        [ONE_PORT, version(STREAM_VERSION, 1)],
        T1,
    )
    judged(
        "rule-version-1-1",
        "there is no compatibility between versions",
        [ONE_PORT, version(STREAM_VERSION, 1, 1)],
        T1,
        ("stream_version.not-equal", 2),
    )
    judged(
        "rule-version-of-target",
        "the default of the source, against the target's",
        [ONE_PORT],
        with_terms({"stream_version": "1.1.0"}),
        ("stream_version.not-equal", None),
    )
    judged(
        "rule-version-not-reported",
        "a default takes the place of what is not there, not of what is not reported",
        [ONE_PORT, unreported(STREAM_VERSION)],
        T1,
        ("stream_version.not-reported-yet", None),
        flags="NotReported",
    )
    judged(
        "rule-type-not-equal",
        "type and number of ports both differ, and both are said",
        [text(MDEV_TYPE, "mtty-2"), TWO_PORTS],
        with_terms({"mdev_type": "mtty-1"}),
        ("nr_ports.not-equal", 2),
        ("mdev_type.not-equal", 1),
    )
    judged(
        "rule-type-not-reported",
        "a rule that ignores what is not there ignores what is not reported",
        [unreported(MDEV_TYPE), ONE_PORT],
        with_terms({"mdev_type": "mtty-1"}),
        flags="NotReported",
    )
    judged("rule-api", "both types have the device_api vfio-pci", [text(DEVICE_API, "vfio-pci"), ONE_PORT], T1)
    judged(
        "rule-api-of-source",
        "another device_api",
        [text(DEVICE_API, "vfio-ccw"), ONE_PORT],
        T1,
        ("device_api.not-is", 1),
    )
    judged(
        "rule-api-of-target",
        "another device_api of the target; the source's is the default",
        [ONE_PORT],
        with_terms({"device_api": "vfio-ap"}),
        ("device_api.not-is", None),
    )
    judged(
        "rule-api-of-both",
        "the same on both sides, and not the one that both must have",
        [text(DEVICE_API, "vfio-ccw"), ONE_PORT],
        with_terms({"device_api": "vfio-ccw"}),
        ("device_api.not-is", 1),
    )
    judged(
        "rule-several",
        "all rules are asked, and every finding is reported, in the order of the table",
        [text(DEVICE_API, "vfio-ap"), text(MDEV_TYPE, "mtty-2"), TWO_PORTS, version(STREAM_VERSION, 2)],
        with_terms({"mdev_type": "mtty-1"}),
        ("stream_version.not-equal", 4),
        ("nr_ports.not-equal", 3),
        ("mdev_type.not-equal", 2),
        ("device_api.not-is", 1),
        flags="MultipleErrors",
    )
    judged(
        "rule-and-unknown",
        "the verdict is the worst of its reasons",
        [text(DEVICE_API, "vfio-ap")],
        T1,
        ("nr_ports.not-in-profile", None),
        ("device_api.not-is", 1),
        flags="MultipleErrors",
    )

    # settable
    def settable(**what: Any) -> dict[str, Any]:
        return with_terms(settable={"nr_ports": {"path": "nr_ports", **what}})

    judged(
        "settable-values",
        "the target can be set to two ports",
        [TWO_PORTS],
        settable(values=[1, 2]),
        ("nr_ports.set", 1),
    )
    judged("settable-range", "as a range", [TWO_PORTS], settable(range=[1, 2]), ("nr_ports.set", 1), flags="Boundary")
    judged("settable-any", "as anything", [TWO_PORTS], settable(any=True), ("nr_ports.set", 1))
    judged("settable-no-need", "nothing has to be set", [ONE_PORT], settable(values=[1, 2]))
    judged(
        "settable-not-to-this",
        "the target cannot be set to two",
        [TWO_PORTS],
        settable(values=[1]),
        ("nr_ports.not-equal", 1),
        flags="Boundary",
    )
    judged(
        "settable-not-possible",
        "with this mdev_type no device has two ports",
        [TWO_PORTS],
        with_terms({"mdev_type": "mtty-1"}, settable={"nr_ports": {"path": "nr_ports", "any": True}}),
        ("nr_ports.not-equal", 1),
    )
    judged(
        "settable-and-rule",
        "what can be set is said beside what cannot",
        [text(DEVICE_API, "vfio-ap"), TWO_PORTS],
        settable(any=True),
        ("nr_ports.set", 2),
        ("device_api.not-is", 1),
        flags="MultipleErrors",
    )
    stream = Sealed(sealed_header(TWO_PORTS)).data(TWO).end()
    all_.add(
        "settable-sealed",
        "a stream that can be loaded after a setting is not complete before",
        stream,
        why("nr_ports.set", stream.of(NR_PORTS)),
        target=settable(any=True),
        flags="Rule",
    )
    all_.add(
        "settable-native",
        "of a native stream the place is in the stream",
        TWO,
        why("nr_ports.set", 16),
        target=settable(any=True),
        flags="Rule",
    )
    all_.add(
        "settable-cut",
        "a cut makes a fixable verdict truncated",
        TWO[:50],
        why("nr_ports.set", 16),
        why("stream.truncated", 50),
        target=settable(any=True),
        flags="Rule Truncated ReadsOn",
    )

    # requires
    for name, requires in (
        ("sealed", {"sealed": True}),
        ("digest", {"digest": "blake3"}),
        ("digest-none", {"digest": "none"}),
    ):
        all_.add(
            f"requires-{name}-native",
            "a native stream, and a target that takes sealed ones only; digest implies sealed",
            ONE,
            why("requires.sealed"),
            target=with_terms(requires=requires),
        )
        judged(
            f"requires-{name}-profile",
            "profiles are no streams, and not asked",
            [ONE_PORT],
            with_terms(requires=requires),
        )
    plain, digested = Sealed().data(ONE).end(), Sealed(sealed_header(digest=2)).data(ONE).end()
    all_.add("requires-sealed-none", "sealed, without a digest", plain, target=with_terms(requires={"sealed": True}))
    all_.add(
        "requires-blake3-blake3",
        "the digest that is required",
        digested,
        target=with_terms(requires={"digest": "blake3"}),
    )
    all_.add(
        "requires-blake3-none",
        "no digest where one is required",
        plain,
        why("requires.digest", None, "digest"),
        target=with_terms(requires={"digest": "blake3"}),
    )
    all_.add(
        "requires-blake3-none-and-rule",
        "what the stream lacks and what the rules find",
        Sealed(sealed_header(TWO_PORTS)).data(TWO).end(),
        why("requires.digest", None, "digest"),
        why("nr_ports.not-equal", Sealed(sealed_header(TWO_PORTS)).of(NR_PORTS)),
        target=with_terms(requires={"sealed": True, "digest": "blake3"}),
        flags="Rule MultipleErrors",
    )
    all_.add(
        "requires-blake3-none-damaged",
        "reading goes on: damage makes it corrupt",
        changed(plain.bytes, plain.starts[1] - 1),
        why("requires.digest", None, "digest"),
        why("frame.crc", plain.starts[0] + 12),
        target=with_terms(requires={"digest": "blake3"}),
        flags="ReadsOn Damaged",
    )
    all_.add(
        "requires-none-none",
        "the digest that is required is none",
        plain,
        target=with_terms(requires={"digest": "none"}),
    )
    all_.add(
        "requires-none-blake3",
        "a stream may come with a digest that is worth more than the required one",
        digested,
        target=with_terms(requires={"digest": "none"}),
    )

    # accepts, for attributes that no rule of mtty is about
    def accepts(attribute: str, rule: str, own: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        return with_terms(own, accepts={attribute: {"rule": rule, "source": "test vector", **more}})

    def accepted(name: str, comment: str, value: bytes | None, about: str, target: dict[str, Any], *found: str) -> None:
        listed = (f"{about}.accepted-by-target", None)
        attributes = [value] if value is not None else []
        placed = [
            (
                f"{about}{reason}",
                None if reason in (".not-in-profile", ".not-reported-yet") else 1,
            )
            for reason in found
        ]
        judged(name, comment, [*attributes, ONE_PORT], target, listed, *placed)

    kernel = version(DRIVER_VERSION, 6, 12, 95)
    for name, found, comment in (
        ("6.12.95", (), "at least the source's"),
        ("6.12.94", (".not-at-least",), "one patch below"),
    ):
        target = accepts("driver_version", "at-least", {"driver_version": name})
        accepted(f"accepts-at-least-{name}", comment, kernel, "driver_version", target, *found)
    accepted(
        "accepts-at-least-value",
        "compared with the value that is named, not with the target's own",
        kernel,
        "driver_version",
        accepts("driver_version", "at-least", {"driver_version": "7.0.0"}, value="6.1.0"),
        ".not-at-least",
    )
    accepted(
        "accepts-at-least-uint",
        "numbers, too",
        uint(REVISION, 17),
        "revision",
        accepts("revision", "at-least", {"revision": 16}),
        ".not-at-least",
    )
    accepted(
        "accepts-at-least-ratio",
        "fractions by their value: 1/3 is below 1/2",
        attribute(CAPACITY, 9, u32(1) + u32(2)),
        "capacity",
        accepts("capacity", "at-least", {"capacity": "1/3"}),
        ".not-at-least",
    )
    accepted(
        "accepts-at-least-ratio-holds",
        "2/3 is above 1/2",
        attribute(CAPACITY, 9, u32(1) + u32(2)),
        "capacity",
        accepts("capacity", "at-least", {"capacity": "2/3"}),
    )
    accepted(
        "accepts-source-silent",
        "a side that lacks the attribute makes the verdict unknown",
        None,
        "driver_version",
        accepts("driver_version", "at-least", {"driver_version": "6.12.95"}),
        ".not-in-profile",
    )
    accepted(
        "accepts-target-silent",
        "a side that lacks the attribute makes the verdict unknown",
        kernel,
        "driver_version",
        accepts("driver_version", "at-least"),
        ".not-in-profile",
    )
    accepted(
        "accepts-source-not-reported",
        "not the same as not there",
        unreported(DRIVER_VERSION),
        "driver_version",
        accepts("driver_version", "at-least", {"driver_version": "6.12.95"}),
        ".not-reported-yet",
    )
    for value, found in (
        ((1, 2, 0), ()),
        ((1, 2, 9), ()),
        ((1, 3, 0), (".version",)),
        ((0, 9, 0), (".version",)),
        ((2, 0, 0), (".version",)),
    ):
        shown = ".".join(map(str, value))
        accepted(
            f"accepts-version-{shown}",
            "same major, the target's minor (1.2) not below, the patch ignored",
            version(SOFTWARE_VERSION, *value),
            "software_version",
            accepts("software_version", "version", {"software_version": "1.2.3"}),
            *found,
        )
    for number, found in ((4, (".branch",)), (5, ()), (6, ()), (7, (".branch",))):
        accepted(
            f"accepts-branch-{number}",
            "the target's major is 6, and may be at most 1 ahead",
            version(DRIVER_VERSION, number),
            "driver_version",
            accepts("driver_version", "branch", {"driver_version": "6.12.95"}, newer=1),
            *found,
        )
    accepted(
        "accepts-branch-0",
        "none ahead: the same major only",
        version(DRIVER_VERSION, 5),
        "driver_version",
        accepts("driver_version", "branch", {"driver_version": "6.12.95"}, newer=0),
        ".branch",
    )
    for number, found in ((9, (".not-in-range",)), (10, ()), (14, ()), (15, (".not-in-range",))):
        accepted(
            f"accepts-in-range-{number}",
            "10 to 14, both inclusive",
            uint(REVISION, number),
            "revision",
            accepts("revision", "in-range", range=[10, 14]),
            *found,
        )
    accepted(
        "accepts-in-range-max",
        "the largest number against a range that does not reach it",
        uint(REVISION, 2**64 - 1),
        "revision",
        accepts("revision", "in-range", range=[0, 1000]),
        ".not-in-range",
    )
    for device, found in ((0x4941, ()), (0x4943, ()), (0x4940, (".not-one-of",))):
        accepted(
            f"accepts-one-of-{device:04x}",
            "one of two pci_ids",
            pci_id(PCI_ID, 0x8086, device),
            "pci_id",
            accepts("pci_id", "one-of", values=["8086:4941", "8086:4943"]),
            *found,
        )
    accepted(
        "accepts-one-of-text",
        "texts are compared by their bytes",
        text(DRIVER, "mtty"),
        "driver",
        accepts("driver", "one-of", values=["MTTY", "mtty2"]),
        ".not-one-of",
    )
    accepted(
        "accepts-one-of-number",
        "a value that is not in the list",
        uint(REVISION, 3),
        "revision",
        accepts("revision", "one-of", values=[1, 2, 4]),
        ".not-one-of",
    )
    accepted(
        "accepts-equal-value",
        "the value that is named",
        text(DRIVER_BUILD, "6.12.95-1"),
        "driver_build",
        accepts("driver_build", "equal", value="6.12.95-2"),
        ".not-equal",
    )
    accepted(
        "accepts-ignore", "never compared", text(DRIVER_BUILD, "x"), "driver_build", accepts("driver_build", "ignore")
    )

    # accepts, for attributes with a rule of the driver's: only with a scope that the target's driver meets
    def scoped(scope: Any, own: str | None = "6.12.95", rule: str = "one-of", **more: Any) -> dict[str, Any]:
        accept = {"rule": rule, "source": "test vector", **(more or {"values": [1, 2]})}
        if scope is not None:
            accept["driver_version"] = scope
        return with_terms({"driver_version": own} if own else {}, accepts={"nr_ports": accept})

    in_force, not_in_force = ("nr_ports.accepted-by-target", None), ("nr_ports.accept-out-of-scope", None)
    refused = ("nr_ports.not-equal", 1)
    for name, target, comment in (
        ("from", scoped("6.12.95"), "from the target's own version on"),
        ("span", scoped(["6.0.0", "6.12.95"]), "both ends inclusive"),
        ("older", scoped("1.0.0"), "from an older version on"),
    ):
        judged(f"accepts-scope-{name}", comment, [TWO_PORTS], target, in_force, flags="Boundary")
    for name, target, comment in (
        ("newer", scoped("6.12.96"), "from a version on that the target does not have yet"),
        ("past", scoped(["6.0.0", "6.12.94"]), "up to a version that the target is past"),
        ("none", scoped(None), "a check of the driver's is not replaced without naming the driver"),
        ("target-silent", scoped("6.12.95", own=None), "a target that does not say which driver it has"),
    ):
        judged(f"accepts-scope-{name}", comment, [TWO_PORTS], target, not_in_force, refused, flags="Boundary")
    judged(
        "accepts-scope-refuses",
        "an override in force can refuse what the vendor's rule takes",
        [ONE_PORT],
        scoped("6.0.0", values=[2]),
        in_force,
        ("nr_ports.not-one-of", 1),
    )
    judged(
        "accepts-scope-equal-value",
        "the value that is named, against the vendor's own rule",
        [ONE_PORT],
        scoped("6.0.0", rule="equal", value=2),
        in_force,
        ("nr_ports.not-equal", 1),
    )
    judged(
        "accepts-scope-silent",
        "what it means that a value is not there stays the vendor's matter",
        [],
        scoped("6.0.0"),
        in_force,
        ("nr_ports.not-in-profile", None),
    )
    all_.add(
        "accepts-native",
        "of a native stream, too",
        TWO,
        why("nr_ports.accepted-by-target"),
        target=scoped("6.0.0"),
        flags="Rule",
    )
    stream = Sealed(sealed_header(TWO_PORTS)).data(TWO).end()
    all_.add(
        "accepts-sealed",
        "it is said once, of the header, and not again of the payload",
        stream,
        why("nr_ports.accepted-by-target"),
        target=scoped("6.0.0"),
        flags="Rule",
    )


# ---------------------------------------------------------------------------------------------------------------------
# The standard `driver`, for mtty.


def add_driver(all_: Vectors) -> None:
    """What the kernel driver does with the writes: recorded at 6.12.95, fixtures/mtty/acceptance.tsv."""

    def answer(
        name: str,
        comment: str,
        stream: bytes,
        target: dict[str, Any],
        writes: str,
        offset: int | None = None,
        step: str | None = None,
        errno: str | None = None,
        holds: str | None = None,
    ) -> None:
        reasons = [] if offset is None else [why("driver.refused", offset)]
        driver = {"step": step, "errno": errno, "if_ignored": holds}
        flags = "FromCapture" if stream == CAPTURED else ""
        all_.add(f"driver-{name}", comment, stream, *reasons, target=target, writes=writes, driver=driver, flags=flags)

    answer("whole", "one write of a good stream", CAPTURED, T1, "whole")
    answer("each-1", "the driver takes it byte by byte, too", CAPTURED, T1, "each:1")
    answer("split-24-60", "as it was saved: the header, then the ports", ONE, T1, "split:24,60")
    answer("empty-write", "an empty write before the first byte, and behind the last", ONE, T1, "split:0,60")
    answer("bad-port", "nothing in a port record is checked: strict refuses this", mtty(port(tail=24)), T1, "whole")
    answer("bad-padding", "nothing in a port record is checked", mtty(port(255, 255, 255, 255, 255, 255)), T1, "each:7")
    efault = {"step": "write", "errno": "EFAULT"}
    answer(
        "magic",
        "the test of the header does not tell its parts apart",
        changed(ONE, 0),
        T1,
        "whole",
        0,
        **efault,
        holds="input",
    )
    answer(
        "magic-each-1",
        "the write that completes the header is refused",
        changed(ONE, 0),
        T1,
        "each:1",
        23,
        **efault,
        holds="input",
    )
    answer(
        "magic-split-10",
        "the second write completes the header; the first was taken",
        changed(ONE, 0),
        T1,
        "split:10",
        10,
        **efault,
        holds="input",
    )
    answer(
        "major",
        "the driver takes its own version only",
        mtty(port(), major=2),
        T1,
        "each:8",
        16,
        **efault,
        holds="input",
    )
    answer(
        "minor",
        "also a higher minor version is refused",
        mtty(port(), minor=1),
        T1,
        "whole",
        0,
        **efault,
        holds="input",
    )
    answer("flags", "the driver knows no flags", mtty(port(), flags=1), T1, "split:24", 0, **efault, holds="input")
    answer(
        "nr-ports", "one port cut from a stream of two", mtty(port(), count=2), T1, "whole", 0, **efault, holds="input"
    )
    answer(
        "one-into-two",
        "refused, and too short besides: the device keeps what it had",
        ONE,
        T2,
        "whole",
        0,
        **efault,
        holds="previous",
    )
    answer(
        "two-into-one",
        "in one write it passes the total: that is tested first, and nothing of it is taken",
        TWO,
        T1,
        "whole",
        0,
        "write",
        "ENOMEM",
        "previous",
    )
    answer(
        "two-into-one-each-1",
        "byte by byte the header is refused first",
        TWO,
        T1,
        "each:1",
        23,
        **efault,
        holds="input",
    )
    for length in (0, 10, 23, 24, 59):
        answer(
            f"cut-{length}",
            "every write is taken; the change out of RESUMING is refused",
            ONE[:length],
            T1,
            "whole",
            length,
            "set_state",
            "EINVAL",
            "previous",
        )
    answer(
        "cut-each-16",
        "the offset is that behind the last write",
        ONE[:50],
        T1,
        "each:16",
        50,
        "set_state",
        "EINVAL",
        "previous",
    )
    answer("trailing", "one byte too many in one write", ONE + b"\0", T1, "whole", 0, "write", "ENOMEM", "previous")
    answer(
        "trailing-split-60",
        "one byte too many in a write of its own: the stream before it is whole",
        ONE + b"\0",
        T1,
        "split:60",
        60,
        "write",
        "ENOMEM",
        "input",
    )
    answer("trailing-each-1", "the 61st write", ONE + b"\0", T1, "each:1", 60, "write", "ENOMEM", "input")
    answer(
        "magic-and-trailing",
        "the total is tested before the header",
        changed(ONE, 0) + b"\0",
        T1,
        "whole",
        0,
        "write",
        "ENOMEM",
        "previous",
    )
    answer("two", "a good stream of two ports", TWO, T2, "each:36")


# ---------------------------------------------------------------------------------------------------------------------
# The other vendors: their rules, on profiles and in envelopes around opaque payload.

# The attributes that are used below: number with its critical bit, and type. The common ones, then each vendor's.
NUMBERS = {
    "": {
        "device_api": (3, 3), "pci_id": (4, 10), "driver_version": (8, 5), "mdev_type": (9, 3), "aggregation": (10, 2),
        "software_version": (12, 5),
    },
    "gvt-g": {"platform": (0x8105, 3), "pv_mode": (0x8106, 8), "image_generation": (0x8107, 2)},
    "qat": {
        "stream_version": (0x8100, 2), "capabilities": (0x8101, 7), "service_map": (0x8102, 2),
        "extended_compression": (0x8103, 7), "pfvf_version": (0x0104, 2), "rate_limits": (0x8105, 11),
    },
    "nvme": {
        "remote_url": (0x8100, 3), "state_layout": (0x8103, 3), "state_version": (0x8104, 2),
        "state_formats": (0x8105, 11),
        "state_index": (0x0106, 2), "vendor_format": (0x8107, 3), "vendor_formats": (0x8108, 11),
        "vendor_index": (0x0109, 2), "hmlms": (0x010A, 1), "max_io_queues": (0x010B, 2), "io_queues": (0x010C, 2),
        "max_queue_entries": (0x010D, 2), "queue_entries": (0x010E, 2), "contiguous_queues": (0x0113, 1),
        "arbitration": (0x0114, 7), "controller_id": (0x0116, 2), "serial_number": (0x0117, 3),
    },
    "ccw": {
        "subchannel_type": (0x8100, 2), "chpid_type": (0x8101, 3), "cu_type": (0x8102, 3), "cu_model": (0x8103, 3),
        "dev_type": (0x8104, 3), "dev_model": (0x8105, 3), "volume_uid": (0x8106, 3), "availability": (0x0107, 3),
    },
    "ap": {
        "apqns": (0x8100, 8), "control_domains": (0x8101, 8), "ap_type": (0x8102, 11), "mode": (0x8103, 11),
        "queue_facilities": (0x8104, 11), "master_keys": (0x8105, 11),
    },
    "nvidia": {
        "vgpu_type_name": (0x8100, 3), "gpu_board": (0x8101, 3), "framebuffer_mb": (0x8102, 2),
        "num_heads": (0x8103, 2),
        "max_resolution": (0x8104, 3), "hypervisor": (0x8105, 3), "vgpu_version": (0x8106, 2),
        "vgpu_version_range": (0x8107, 6), "guest_driver": (0x8108, 5), "migration_caps": (0x8109, 1),
        "ecc_mode": (0x810A, 1), "frame_rate_limiter": (0x810F, 2), "plugin_params": (0x8110, 11),
    },
}  # fmt: skip

NOT_REPORTED = {"unknown": True}


def encoded(code: int, value: Any) -> bytes:
    """A value as a target's JSON has it, as bytes of this type."""
    match code:
        case 1:
            return bytes([value])
        case 2:
            return u64(value)
        case 3:
            return bytes(value.encode())
        case 5:
            numbers = [*map(int, value.split(".")), 0, 0][:3]
            return struct.pack("<3I", *numbers)
        case 6:
            return u64(value[0]) + u64(value[1])
        case 7:
            return bytes(value.to_bytes(max(1, (value.bit_length() + 7) // 8), "little"))
        case 8:
            return b"\3" + sized(*sorted(member.encode() for member in value))
        case 10:
            vendor, device = value.split(":")
            return u16(int(vendor, 16)) + u16(int(device, 16))
        case _:
            pairs = sorted((key.encode(), content.encode()) for key, content in value.items())
            return sized(*(part for pair in pairs for part in pair))


class Device:
    """A device of a vendor: its attributes as a target's JSON has them, and as a source's header."""

    def __init__(self, vendor: str, values: dict[str, Any]) -> None:
        self.vendor = vendor
        self.values = {name: value for name, value in values.items() if value is not None}
        table = NUMBERS[""] | NUMBERS[vendor]
        found = [(text(0x8001, vendor), "vendor")]
        for name, value in self.values.items():
            number, code = table[name]
            same = unreported(number) if value == NOT_REPORTED else attribute(number, code, encoded(code, value))
            found.append((same, name))
        found.sort(key=lambda one: int.from_bytes(one[0][:2], "little") & 0x7FFF)
        self.attributes = [one for one, _ in found]
        self.names = [name for _, name in found]

    def but(self, **values: Any) -> Device:
        """The same, but for these; `None` takes one away."""
        return Device(self.vendor, self.values | values)

    def target(self, **terms: Any) -> dict[str, Any]:
        """As a target."""
        return {"vendor": self.vendor, "attributes": self.values, **terms}

    def of(self, name: str) -> int:
        """The offset of a value in the profile."""
        return place(self.attributes, self.names.index(name)) + 8


VGPU = Device(
    "nvidia",
    {
        "vgpu_type_name": "GRID RTX6000-1Q", "gpu_board": "10de:1e30 10de:1329", "framebuffer_mb": 1024, "num_heads": 4,
        "max_resolution": "5120x2880", "hypervisor": "RHEL 9.6", "driver_version": "550.54.10", "vgpu_version": 13,
        "vgpu_version_range": [10, 14], "guest_driver": "550.54.14", "migration_caps": True, "ecc_mode": False,
        "frame_rate_limiter": 60, "plugin_params": {"disable_vnc": "1"},
    },
)  # fmt: skip
GVT = Device(
    "gvt-g",
    {"pci_id": "8086:591d", "software_version": "1.0.0", "mdev_type": "i915-GVTg_V5_4", "image_generation": 3},
)
QAT = Device(
    "qat",
    {
        "pci_id": "8086:4941", "capabilities": 0x67, "service_map": 0x1249, "extended_compression": 0,
        "pfvf_version": 4,
        "rate_limits": {"none": "none"},
    },
)  # fmt: skip
UUID = "0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11"
NVME = Device(
    "nvme",
    {
        "pci_id": "1b36:0010", "software_version": "1.0.0", "remote_url": "nvme+tcp://stor1/nqn.2014-08.org.example:vol7",
        "hmlms": True, "state_layout": "nvme-2.1", "state_version": 0, "state_index": 1,
        "state_formats": {"1": "0", "2": "1"}, "max_io_queues": 64, "io_queues": 16, "max_queue_entries": 1024,
        "queue_entries": 256,
    },
)  # fmt: skip
CCW = Device(
    "ccw",
    {
        "subchannel_type": 0, "chpid_type": "1a", "cu_type": "3990", "cu_model": "e9", "dev_type": "3390",
        "dev_model": "0c",
        "volume_uid": "A", "availability": "good",
    },
)  # fmt: skip
AP = Device(
    "ap",
    {
        "apqns": ["05.0004", "05.00ab"], "control_domains": ["0004", "00ab"],
        "ap_type": {"05.0004": "14", "05.00ab": "14"}, "mode": {"05.0004": "cca", "05.00ab": "cca"},
        "queue_facilities": {"05.0004": "0xb2800000", "05.00ab": "0xb2800000"},
        "master_keys": {"0004": "11", "00ab": "22"},
    },
)  # fmt: skip


def add_vendors(all_: Vectors) -> None:
    """The worked pairs of the vendors' pages, and what none of mtty's rules can say."""

    def pair(
        name: str,
        comment: str,
        source: Device,
        target: Device,
        *found: str,
        nowhere: str = "",
        flags: str = "",
        sealed: bool = False,
        **terms: Any,
    ) -> None:
        """`found`: ids in the order of the rules; those in `nowhere` have no offset."""
        reasons = []
        for identifier in found:
            about = identifier.rpartition(".")[0]
            reasons.append(why(identifier, None if identifier in nowhere.split() else source.of(about)))
        name = f"{source.vendor}-{name}"
        judged = target.target(**terms)
        all_.add(name, comment, profile(*source.attributes), *reasons, target=judged, flags=f"Rule {flags}")
        if sealed:
            stream = (
                Sealed(
                    sealed_header(
                        *source.attributes[1:], payload_format="opaque", digest=2, vendor=source.attributes[0]
                    )
                )
                .data(b"opaque")
                .end()
            )
            for reason in reasons:
                if reason["offset"] is not None:
                    number, _ = (NUMBERS[""] | NUMBERS[source.vendor])[reason["attribute"]]
                    reason["offset"] = stream.of(number)
            comment = f"the same as the header of a sealed stream: {comment}"
            all_.add(f"{name}-sealed", comment, stream, *reasons, target=judged, flags=f"Rule {flags}")

    # Another vendor than the target's.
    stream = Sealed(opaque()).data(b"a").end()
    for name, data, target in (
        ("mtty-into-qat", profile(VENDOR, ONE_PORT), QAT.target()),
        ("qat-into-mtty", profile(*QAT.attributes), T1),
        ("ccw-into-ap", profile(*CCW.attributes), AP.target()),
        ("mtty-into-gvt-g-sealed", stream, GVT.target()),
    ):
        all_.add(
            f"other-vendor-{name}",
            "the vendor is not the target's: no rule is asked",
            data,
            why("vendor.not-equal", 40, "vendor"),
            target=target,
            flags="Rule",
        )
    stream = Sealed(opaque()).data(b"a").end()
    all_.add(
        "other-vendor-damaged",
        "reading goes on: damage makes it corrupt",
        changed(stream.bytes, stream.starts[1] - 1),
        why("vendor.not-equal", 40, "vendor"),
        why("frame.crc", stream.starts[0] + 12),
        target=QAT.target(),
        flags="Rule ReadsOn Damaged",
    )
    stream = Sealed().data(ONE).end()
    all_.add(
        "other-vendor-payload",
        "the rules are not asked of the payload, either; its format is checked all the same",
        stream,
        why("vendor.not-equal", 40, "vendor"),
        target=QAT.target(),
        flags="Rule ReadsOn",
    )
    for name, native, target, more in (
        ("mtty-into-qat", ONE, QAT.target(), []),
        ("mtty-into-nvidia", TWO, VGPU.target(), []),
        ("mtty-into-ccw", CAPTURED, CCW.target(), []),
        ("damaged", mtty(port(head=16)), QAT.target(), [why("mtty.head", 48)]),
        ("cut", ONE[:59], QAT.target(), [why("stream.truncated", 59)]),
    ):
        all_.add(
            f"other-format-{name}",
            "a native stream of another vendor than the target's: recognised, and refused",
            native,
            why("format.not-of-target", 0),
            *more,
            target=target,
            flags="ReadsOn" if more else "",
        )
    stream = Sealed(sealed_header(*QAT.attributes[1:], vendor=QAT.attributes[0])).data(ONE).end()
    all_.add(
        "other-vendor-of-payload",
        "the payload_format is one of another vendor than the header's",
        stream,
        why("profile.contradicts-payload", stream.of(PAYLOAD_FORMAT), "payload_format"),
        target=QAT.target(),
        flags="ContradictoryPayload",
    )

    # gvt-g
    two, one = "i915-GVTg_V5_2", "i915-GVTg_V5_1"
    pair("same", "the same device", GVT, GVT, sealed=True)
    pair("1.0-into-1.2", "versions go up", GVT, GVT.but(software_version="1.2.0"))
    pair(
        "1.2-into-1.0", "and not down", GVT.but(software_version="1.2.0"), GVT, "software_version.version", sealed=True
    )
    pair(
        "two-quarters-into-half",
        "the memory scales with the aggregation; the weight differs, which is noted",
        GVT.but(aggregation=2),
        GVT.but(mdev_type=two),
        "mdev_type.more-capacity",
    )
    pair(
        "half-into-two-quarters",
        "the other way round",
        GVT.but(mdev_type=two),
        GVT.but(aggregation=2),
        "mdev_type.more-capacity",
        sealed=True,
    )
    pair(
        "four-quarters-into-whole",
        "all of the device",
        GVT.but(aggregation=4),
        GVT.but(mdev_type=one),
        "mdev_type.more-capacity",
    )
    pair(
        "eighth-into-quarter",
        "a type of less memory and of less resolution",
        GVT.but(mdev_type="i915-GVTg_V5_8"),
        GVT,
        "mdev_type.not-same-capacity",
        "low_gm_mb.not-equal",
        "high_gm_mb.not-equal",
        "resolution.not-equal",
        nowhere="low_gm_mb.not-equal high_gm_mb.not-equal resolution.not-equal",
    )
    pair(
        "quarter-into-two",
        "half of what the target has",
        GVT,
        GVT.but(aggregation=2),
        "mdev_type.not-same-capacity",
        sealed=True,
    )
    pair(
        "other-generation",
        "equal figures, other hardware",
        GVT.but(mdev_type="i915-GVTg_V4_2"),
        GVT.but(mdev_type=two),
        "mdev_type.not-same-capacity",
    )
    derived = "high_gm_mb.not-equal resolution.not-equal"
    pair(
        "equal-ratio",
        "half of the device on both sides, with other memory",
        GVT.but(mdev_type="i915-GVTg_V5_8", aggregation=4),
        GVT.but(aggregation=2),
        "mdev_type.not-same-capacity",
        *derived.split(),
        nowhere=derived,
    )
    settable = {"aggregation": {"range": [1, 4], "path": "mdev/aggregation"}}
    for name, source in (("two-quarters", GVT.but(aggregation=2)), ("half", GVT.but(mdev_type=two))):
        pair(
            f"{name}-settable",
            "the target can be set to two: said of aggregation, at the value of mdev_type, whose rule it is",
            source,
            GVT,
            "aggregation.set",
            nowhere="aggregation.set",
            settable=settable,
        )
        all_.vectors[-1]["reasons"][0]["offset"] = source.of("mdev_type")
    for own, other in ((3, None), (None, 3)):
        pair(
            f"image-generation-{own or 'none'}",
            "the layout of one side only is known: noted",
            GVT.but(image_generation=own),
            GVT.but(image_generation=other),
            "image_generation.absent",
            nowhere="image_generation.absent",
            sealed=own is None,
        )
    pair(
        "pv-modes",
        "the target lacks a paravirtual interface",
        GVT.but(pv_mode=["context", "none", "ppgtt"]),
        GVT.but(pv_mode=["none", "ppgtt"]),
        "pv_mode.not-subset",
    )

    # qat
    pair("same", "the same device", QAT, QAT, sealed=True)
    pair("more-capabilities", "more on the target", QAT, QAT.but(capabilities=0x80000067))
    pair(
        "less-capabilities",
        "one bit less on the target",
        QAT,
        QAT.but(capabilities=0x66),
        "capabilities.not-subset",
        sealed=True,
    )
    pair(
        "all-three",
        "in the driver's order",
        QAT.but(capabilities=0x37F, service_map=0x2492, extended_compression=1),
        QAT,
        "capabilities.not-subset",
        "service_map.not-equal",
        "extended_compression.not-subset",
        flags="MultipleErrors",
    )
    pair(
        "version-2",
        "the target's stream version is below",
        QAT.but(stream_version=2),
        QAT,
        "stream_version.not-at-least",
    )
    pair(
        "protocol-5-into-4",
        "the driver takes it; noted",
        QAT.but(pfvf_version=5),
        QAT,
        "pfvf_version.newer-than-target",
        sealed=True,
    )
    pair(
        "protocol-255-into-5",
        "the driver takes it; noted",
        QAT.but(pfvf_version=255),
        QAT.but(pfvf_version=5),
        "pfvf_version.newer-than-target",
        flags="Boundary",
    )
    pair("protocol-0", "never agreed on: noted", QAT.but(pfvf_version=0), QAT, "pfvf_version.absent", flags="Boundary")
    limits = {"asym 0x300": "50/50", "dc 0xc00": "10/1000"}
    pair(
        "limits-same",
        "each limit is met by one of the target's",
        QAT.but(rate_limits=limits),
        QAT.but(rate_limits=limits),
    )
    pair(
        "limits-lower",
        "peaks below the source's",
        QAT.but(rate_limits=limits),
        QAT.but(rate_limits={"asym 0x300": "50/49", "dc 0xc00": "10/999"}),
        "rate_limits.not-at-least",
    )
    pair("limits-none", "the target has none", QAT.but(rate_limits=limits), QAT, "rate_limits.not-subset")
    for name, bad in (
        ("service", {"video 0x300": "50/50"}),
        ("mask", {"asym 300": "50/50"}),
        ("rate", {"asym 0x300": "50"}),
    ):
        pair(
            f"limits-bad-{name}",
            "a limit that says nothing of a limit fits none",
            QAT.but(rate_limits=bad),
            QAT.but(rate_limits=limits),
            "rate_limits.refused",
            sealed=name == "mask",
        )
    listed = {"rule": "one-of", "values": ["8086:4941", "8086:4943"], "source": "release note"}
    pair(
        "id-accepted",
        "the target lists both ids",
        QAT,
        QAT.but(pci_id="8086:4943"),
        "pci_id.accepted-by-target",
        nowhere="pci_id.accepted-by-target",
        accepts={"pci_id": listed},
    )
    older = {**listed, "driver_version": "1.4.0"}
    pair(
        "id-out-of-scope",
        "the override holds from driver 1.4 on, and the target has 1.3",
        QAT,
        QAT.but(pci_id="8086:4943", driver_version="1.3.9"),
        "pci_id.accept-out-of-scope",
        "pci_id.not-equal",
        nowhere="pci_id.accept-out-of-scope",
        accepts={"pci_id": older},
    )
    pair(
        "limits-settable",
        "the target can be given the source's limits",
        QAT.but(rate_limits=limits),
        QAT,
        "rate_limits.set",
        settable={"rate_limits": {"any": True, "path": "qat_rl"}},
    )

    pair(
        "type-ignored",
        "a target that ignores the type's name refuses the memory that follows from it",
        GVT.but(aggregation=2),
        GVT,
        "mdev_type.accepted-by-target",
        "low_gm_mb.not-equal",
        "high_gm_mb.not-equal",
        nowhere="mdev_type.accepted-by-target low_gm_mb.not-equal high_gm_mb.not-equal",
        accepts={"mdev_type": {"rule": "ignore", "source": "site rule"}},
    )

    # nvme
    url = "nvme+tcp://stor1/nqn.2014-08.org.example:vol7"
    pair("same", "the same controller", NVME, NVME, sealed=True)
    pair(
        "queues-own-rule",
        "the target's own rule stands for both rows: nothing is noted, nothing left to an administrator",
        NVME,
        NVME.but(max_io_queues=32, io_queues=None),
        "max_io_queues.accepted-by-target",
        "max_io_queues.not-equal",
        nowhere="max_io_queues.accepted-by-target",
        accepts={"max_io_queues": {"rule": "equal", "source": "site rule"}},
    )
    pair("other-url", "another store", NVME, NVME.but(remote_url=url.replace("vol7", "vol8")), "remote_url.not-equal")
    pair(
        "settable-url",
        "another store, and the target can be given the source's",
        NVME,
        NVME.but(remote_url=url.replace("vol7", "vol8")),
        "remote_url.set",
        sealed=True,
        settable={"remote_url": {"any": True, "path": "config"}},
    )
    for name, respelled in (
        ("scheme", url.replace("nvme+tcp", "NVMe+TCP")),
        ("host", url.replace("stor1", "STOR1")),
        ("both", url.replace("nvme+tcp://stor1", "NVME+TCP://Stor1")),
    ):
        pair(
            f"respelled-{name}",
            "scheme and host in other letters are the same",
            NVME.but(remote_url=respelled),
            NVME,
            "remote_url.respelled",
            sealed=name == "both",
        )
    pair(
        "credentials",
        "an address with a password",
        NVME.but(remote_url=url.replace("stor1", "me:pw@stor1")),
        NVME,
        "remote_url.refused",
    )
    pair(
        "other-index",
        "the same version, under the target's own index",
        NVME,
        NVME.but(state_formats={"1": "1", "2": "0"}),
        "state_version.other-index",
        sealed=True,
    )
    pair(
        "other-vendor-index",
        "the same vendor's part, under the target's own index",
        NVME.but(vendor_format=UUID, vendor_index=2),
        NVME.but(vendor_formats={"1": UUID}),
        "vendor_format.other-index",
    )
    pair(
        "version-not-listed",
        "a version that the target does not list",
        NVME.but(state_version=7),
        NVME,
        "state_version.not-one-of",
    )
    ask = "max_io_queues.needs-assertion"
    pair(
        "fewer-queues",
        "fewer than the source has, as many as the guest uses: noted, and somebody has to say",
        NVME,
        NVME.but(max_io_queues=32),
        "max_io_queues.reduced",
        ask,
    )
    pair(
        "just-enough-queues",
        "exactly as many as the guest uses",
        NVME,
        NVME.but(max_io_queues=16),
        "max_io_queues.reduced",
        ask,
        flags="Boundary",
        sealed=True,
    )
    pair(
        "too-few-queues",
        "one less than the guest uses",
        NVME,
        NVME.but(max_io_queues=15, io_queues=None),
        "max_io_queues.not-at-least",
        "io_queues.not-at-least",
        flags="Boundary",
    )
    pair(
        "fewer-entries",
        "fewer than the source has, as many as the guest uses",
        NVME,
        NVME.but(max_queue_entries=256),
        "max_queue_entries.reduced",
        "max_queue_entries.needs-assertion",
    )
    pair(
        "contiguous",
        "the target requires what the source did not",
        NVME.but(contiguous_queues=False),
        NVME.but(contiguous_queues=True),
        "contiguous_queues.excluded-pair",
    )
    pair(
        "arbitration",
        "a mechanism that the target lacks",
        NVME.but(arbitration=3),
        NVME.but(arbitration=1),
        "arbitration.not-subset",
    )
    pair(
        "other-id",
        "expected to be rewritten on load",
        NVME.but(controller_id=1),
        NVME.but(controller_id=2),
        "controller_id.rewritten",
    )
    pair(
        "other-serial",
        "expected to be rewritten on load",
        NVME.but(serial_number="S0"),
        NVME.but(serial_number="S1"),
        "serial_number.rewritten",
        sealed=True,
    )
    pair("not-managed", "the target cannot be migrated by the host", NVME, NVME.but(hmlms=False), "hmlms.not-is")

    # ccw
    pair("same", "the same device", CCW, CCW, sealed=True)
    pair("chpid-type", "paths of another type", CCW, CCW.but(chpid_type="1b"), "chpid_type.not-equal")
    pair("no-path", "the target has lost its paths", CCW, CCW.but(availability="no path"), "availability.not-is")
    silent = CCW.but(volume_uid=None)
    needed = "volume_uid.needs-assertion"
    pair("silent-target", "the target says nothing of its volume", CCW, silent, needed, nowhere=needed, sealed=True)
    pair("silent-source", "the source says nothing of its volume", silent, CCW, needed, nowhere=needed)
    five = " ".join(
        f"{name}.needs-assertion" for name in ("cu_type", "cu_model", "dev_type", "dev_model", "volume_uid")
    )
    bare = CCW.but(cu_type=None, cu_model=None, dev_type=None, dev_model=None, volume_uid=None)
    pair(
        "bare",
        "both sides say only what sysfs shows while vfio-ccw is bound",
        bare,
        bare,
        *five.split(),
        nowhere=five,
        flags="MultipleErrors",
    )

    def vouched(**says: Any) -> dict[str, Any]:
        return {"assertions": [{"attribute": "volume_uid", "by": "storage team", "reason": "same volume", **says}]}

    asserted, expired = "volume_uid.asserted", "volume_uid.assertion-expired"
    pair(
        "asserted",
        "an administrator vouches for source A and a target that does not say",
        CCW,
        silent,
        asserted,
        nowhere=asserted,
        sealed=True,
        **vouched(source="A"),
    )
    pair(
        "asserted-silent",
        "vouched for a source that does not say",
        silent,
        CCW,
        asserted,
        nowhere=asserted,
        **vouched(target="A"),
    )
    pair(
        "asserted-until",
        "vouched for until a day that is far away",
        CCW,
        silent,
        asserted,
        nowhere=asserted,
        **vouched(source="A", until="9999-12-31"),
    )
    pair(
        "asserted-other",
        "an assertion holds for the values that it names only",
        CCW.but(volume_uid="B"),
        silent,
        needed,
        nowhere=needed,
        **vouched(source="A"),
    )
    pair(
        "asserted-not-equal",
        "an assertion never lifts an incompatible",
        CCW,
        CCW.but(volume_uid="B"),
        "volume_uid.not-equal",
        **vouched(source="A", target="B"),
    )
    for name, until in (("day", "2020-12-31"), ("epoch", "1970-01-01"), ("seconds", 1)):
        both = f"{needed} {expired}"
        pair(
            f"expired-{name}",
            "the assertion has ended",
            CCW,
            silent,
            expired,
            needed,
            nowhere=both,
            flags="Boundary",
            **vouched(source="A", until=until),
        )

    # ap
    pair("same", "the same queues", AP, AP, sealed=True)
    pair(
        "no-domains",
        "the target does not say its control domains: it has none",
        AP,
        AP.but(control_domains=None),
        "control_domains.missing",
        nowhere="control_domains.missing",
        sealed=True,
    )
    pair(
        "no-domains-and-type",
        "the target has no control domains, and older adapters",
        AP,
        AP.but(control_domains=None, ap_type={"05.0004": "14", "05.00ab": "13"}),
        "control_domains.missing",
        "ap_type.not-at-least",
        nowhere="control_domains.missing",
        flags="MultipleErrors",
    )
    pair(
        "source-without-domains",
        "a source without control domains: noted",
        AP.but(control_domains=None),
        AP,
        "control_domains.absent",
        nowhere="control_domains.absent",
    )
    pair(
        "queue-more",
        "the guest would see a queue more: noted",
        AP,
        AP.but(apqns=["05.0004", "05.00ab", "06.0004"]),
        "apqns.more-capacity",
    )
    pair("queue-less", "a queue less", AP, AP.but(apqns=["05.0004"]), "apqns.not-subset")
    pair("keys", "other master keys", AP, AP.but(master_keys={"0004": "11", "00ab": "33"}), "master_keys.not-subset")
    pair(
        "keys-silent",
        "nobody sees the target's master keys",
        AP,
        AP.but(master_keys=None),
        "master_keys.needs-assertion",
        nowhere="master_keys.needs-assertion",
    )

    # nvidia
    pair("same", "the same virtual GPU", VGPU, VGPU, sealed=True)
    pair(
        "range-14-to-16",
        "the version agreed on is outside the target's range",
        VGPU,
        VGPU.but(vgpu_version_range=[14, 16], vgpu_version=None),
        "vgpu_version.not-in-range",
        flags="Boundary",
    )
    pair("range-13-to-13", "the range is one number", VGPU, VGPU.but(vgpu_version_range=[13, 13]), flags="Boundary")
    pair(
        "not-reported",
        "the guest's driver has not reported yet",
        VGPU.but(vgpu_version=NOT_REPORTED, guest_driver=NOT_REPORTED),
        VGPU,
        "vgpu_version.not-reported-yet",
        "guest_driver.not-reported-yet",
        nowhere="vgpu_version.not-reported-yet guest_driver.not-reported-yet",
        flags="NotReported",
    )
    pair("ecc", "error correction on one side only", VGPU, VGPU.but(ecc_mode=True), "ecc_mode.not-equal")
    pair("limiter", "the frame limiter is off", VGPU, VGPU.but(frame_rate_limiter=0), "frame_rate_limiter.not-equal")
    pair(
        "limiter-settable",
        "and the target can be set",
        VGPU,
        VGPU.but(frame_rate_limiter=0),
        "frame_rate_limiter.set",
        settable={"frame_rate_limiter": {"range": [0, 240], "path": "nvidia/vgpu_params"}},
    )
    pcie, nvl = "10de:2331 10de:1626", "10de:2321 10de:1839"
    pair(
        "h100-pcie-into-nvl",
        "excluded boards; pci_id follows from gpu_board, so it has no place",
        VGPU.but(gpu_board=pcie),
        VGPU.but(gpu_board=nvl),
        "pci_id.excluded-pair",
        "gpu_board.not-equal",
        nowhere="pci_id.excluded-pair",
    )
    boards = {"rule": "one-of", "values": [pcie, nvl], "source": "release note"}
    pair(
        "h100-accepted",
        "an override of the board leaves the exclusion",
        VGPU.but(gpu_board=pcie),
        VGPU.but(gpu_board=nvl),
        "gpu_board.accepted-by-target",
        "pci_id.excluded-pair",
        nowhere="gpu_board.accepted-by-target pci_id.excluded-pair",
        accepts={"gpu_board": boards},
    )
    pair(
        "rhel-10-into-9.4",
        "excluded hypervisors",
        VGPU.but(hypervisor="RHEL 10.0"),
        VGPU.but(hypervisor="RHEL 9.4"),
        "hypervisor.excluded-pair",
    )
    manager = {"driver_version": "550.90.0"}
    for here, there in (("RHEL 9.6", "RHEL 9.6"), ("RHEL 9.6", "RHEL 9.8"), ("RHEL 9.7", "RHEL 9.6")):
        pair(
            f"managers-{here[5:]}-{there[5:]}",
            "managers differ: one document allows it, another says that it fails",
            VGPU.but(hypervisor=here),
            VGPU.but(hypervisor=there, **manager),
            "driver_version.sources-disagree",
        )
    pair(
        "managers-9.4",
        "managers are identical on 9.4",
        VGPU.but(hypervisor="RHEL 9.4"),
        VGPU.but(hypervisor="RHEL 9.4", **manager),
        "driver_version.not-equal",
    )
    pair(
        "managers-ubuntu",
        "nothing is known of managers that differ: an administrator has to say",
        VGPU.but(hypervisor="Ubuntu 24.04"),
        VGPU.but(hypervisor="Ubuntu 24.04", **manager),
        "driver_version.needs-assertion",
    )
    for newer, reasons in (
        ("570.0.0", ()),
        ("580.0.0", ("guest_driver.branch",)),
        ("595.0.0", ("guest_driver.needs-assertion",)),
    ):
        found = ("driver_version.sources-disagree", *reasons)
        pair(
            f"guest-550-manager-{newer[:3]}",
            "the manager is of the guest's branch or one newer; 570 is followed by 580",
            VGPU,
            VGPU.but(driver_version=newer),
            *found,
        )
    pair(
        "guest-418-manager-595",
        "a guest of R418 stays on its branch, also before a manager of a branch that is not known",
        VGPU.but(guest_driver="418.66.0"),
        VGPU.but(driver_version="595.0.0"),
        "driver_version.sources-disagree",
        "guest_driver.branch",
    )
    pair(
        "hypervisor-not-reported",
        "said once, and what is found of the managers is said, too",
        VGPU.but(hypervisor=NOT_REPORTED),
        VGPU.but(**manager),
        "hypervisor.not-reported-yet",
        "driver_version.needs-assertion",
        nowhere="hypervisor.not-reported-yet",
        flags="NotReported",
    )
    pair(
        "managers-own-rule",
        "the target's own rule is asked whatever the hypervisor, and nobody is asked instead",
        VGPU.but(hypervisor="Ubuntu 24.04"),
        VGPU.but(hypervisor="Ubuntu 24.04", **manager),
        "driver_version.accepted-by-target",
        "driver_version.not-equal",
        nowhere="driver_version.accepted-by-target",
        accepts={"driver_version": {"rule": "equal", "source": "site rule"}},
    )


# ---------------------------------------------------------------------------------------------------------------------


class Native:
    """What a vendor's file in `scripts/vectors` adds to: vectors of its native formats.

    Such a file has REASONS_OF_VENDOR, outcome by outcome the ids that only the vendor's page lists, and a function
    `add`, which gets this.
    """

    def __init__(self, all_: Vectors, vendor: str) -> None:
        self.all_ = all_
        self.vendor = vendor

    def strict(
        self,
        name: str,
        comment: str,
        stream: bytes,
        *reasons: tuple[str, int | None] | tuple[str, int | None, str],
        target: dict[str, Any] | None = None,
        format_: str | None = None,
        dropped: int = 0,
        flags: str = "",
    ) -> None:
        """A native stream under `strict`: each reason with its offset, and the attribute of a shared id that has one.
        In the order in which they are found; `format_` names a format as users do.
        """
        expected = [why(*reason) for reason in reasons]
        self.all_.add(
            f"{self.vendor}-{name}",
            comment,
            stream,
            *expected,
            target=target,
            flags=f"Native {flags}",
            dropped=dropped,
            format=format_,
        )

    def sealed(
        self,
        name: str,
        comment: str,
        header: list[bytes],
        payload: list[bytes],
        *reasons: tuple[str, int | None, bool] | tuple[str, int | None, bool, str],
        payload_format: str,
        target: dict[str, Any] | None = None,
        flags: str = "",
    ) -> None:
        """The payload, a frame each, in an envelope whose header has these attributes besides the vendor (made with
        `attribute`, `uint`, `text` and the others here); of each reason, whether its offset counts in the payload.
        """
        vendor = text(0x8001, self.vendor)
        stream = Sealed(sealed_header(*header, payload_format=payload_format, vendor=vendor))
        for frame in payload:
            stream.data(frame)
        expected = [why(one, at, *about, inside=inside) for one, at, inside, *about in reasons]
        self.all_.add(f"{self.vendor}-{name}", comment, stream.end(), *expected, target=target, flags=flags)

    def driver(
        self,
        name: str,
        comment: str,
        stream: bytes,
        writes: str,
        *,
        target: dict[str, Any],
        at: int | None = None,
        step: str | None = None,
        errno: str | None = None,
        holds: str | None = None,
        breaks: str | None = None,
        depends: bool = False,
        format_: str | None = None,
        earlier: str | None = None,
        flags: str = "",
    ) -> None:
        """What the kernel driver does: nothing but `writes` for one that takes everything; `at` is the offset of the
        write that is refused, or that the driver breaks in.
        """
        answer: dict[str, Any] = {"step": step, "errno": errno, "if_ignored": holds}
        reasons = [why("driver.refused", at)] if errno else []
        if breaks:
            answer, reasons = {"step": step, "breaks": breaks}, [why("driver.breaks", at)]
        if depends:
            answer, reasons = {"depends": True}, [why("driver.depends")]
        self.all_.add(
            f"{self.vendor}-driver-{name}",
            comment,
            stream,
            *reasons,
            target=target,
            writes=writes,
            driver=answer,
            flags=f"Native {flags}",
            format=format_,
            earlier=earlier,
        )


def add_natives(all_: Vectors) -> None:
    """The vendors' own files, in the order of their names; what they need of this one they get by name."""
    tools = {name: value for name, value in globals().items() if not name.startswith("_")}
    for path in sorted((Path(__file__).parent / "vectors").glob("*.py")):
        module = runpy.run_path(str(path), tools)
        for outcome, kinds in module["REASONS_OF_VENDOR"].items():
            for kind in kinds.split():
                assert kind not in OUTCOME_OF, kind
                OUTCOME_OF[kind] = outcome
        module["add"](Native(all_, path.stem))


def make(folder: Path) -> None:
    """Writes all vectors to the folder."""
    all_ = Vectors()
    add_prologues(all_)
    add_headers(all_)
    add_answers(all_)
    add_values(all_)
    add_frames(all_)
    add_mtty(all_)
    add_rules(all_)
    add_driver(all_)
    add_vendors(all_)
    add_natives(all_)
    all_.write(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "fixtures" / "vectors")
