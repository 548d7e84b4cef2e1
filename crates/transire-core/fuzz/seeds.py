"""Writes the seeds of the fuzz targets. Needs nothing but Python: python3 seeds.py"""

import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def crc32c(data: bytes) -> int:
    """CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF


def attribute(number: int, kind: int, value: bytes) -> bytes:
    """One attribute: id with its critical bit, type, zero, length, value."""
    return struct.pack("<HBBI", number, kind, 0, len(value)) + value


def profile(*attributes: bytes, minor: int = 0) -> bytes:
    """A prologue of content 1 and a header."""
    header = b"".join(attributes)
    prologue = struct.pack("<8sIIHHB3xI", b"TRANSIRE", len(header), crc32c(header), 1, minor, 1, 0)
    return prologue + struct.pack("<I", crc32c(prologue)) + header


def member(value: bytes) -> bytes:
    """A member of a set, a key or a value of a map."""
    return struct.pack("<H", len(value)) + value


VENDOR = attribute(0x8001, 3, b"mtty")

PROFILES = {
    "least": profile(VENDOR),
    "mtty-2": profile(
        VENDOR,
        attribute(0x0003, 3, b"vfio-pci"),
        attribute(0x0009, 3, b"mtty-2"),
        attribute(0x8100, 2, struct.pack("<Q", 2)),
        attribute(0x8101, 5, struct.pack("<3I", 1, 0, 0)),
    ),
    # One private attribute of each type, and one of a type that nobody knows.
    "every-type": profile(
        VENDOR,
        attribute(0x7000, 0, b"?"),
        attribute(0x7001, 1, b"\x01"),
        attribute(0x7002, 2, struct.pack("<Q", 2**53 + 1)),
        attribute(0x7003, 3, "größer".encode()),
        attribute(0x7004, 4, bytes(range(8))),
        attribute(0x7005, 5, struct.pack("<3I", 1, 2, 3)),
        attribute(0x7006, 6, struct.pack("<2Q", 1, 8)),
        attribute(0x7007, 7, b"\x00\x80\x01"),
        attribute(0x7008, 8, b"\x03" + member(b"a") + member(b"ab") + member(b"b")),
        attribute(0x7009, 9, struct.pack("<2I", 1, 8)),
        attribute(0x700A, 10, struct.pack("<2H", 0x8086, 0x4941)),
        attribute(0x700B, 11, member(b"compute") + member(b"1") + member(b"memory") + member(b"5")),
        attribute(0x700C, 12, b""),
    ),
    # From a writer of a later minor version, with values that were not reported.
    "minor-7": profile(VENDOR, attribute(0x0007, 12, b""), attribute(0x0050, 2, bytes(8)), minor=7),
}

for name, content in PROFILES.items():
    (CORPUS / "profile").mkdir(parents=True, exist_ok=True)
    (CORPUS / "profile" / name).write_bytes(content)
