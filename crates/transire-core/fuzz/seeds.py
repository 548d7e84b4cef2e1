"""Writes the seeds of the fuzz targets. Needs nothing but Python: python3 seeds.py"""

import base64
import itertools
import re
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

# What the docs show a target to be: blocks of TOML, and in the pages of the vendors indented ones.
DOCS = Path(__file__).parents[3] / "docs"


def documented() -> dict[str, bytes]:
    """The targets in the docs, by page and number."""
    found = {}
    for page in [DOCS / "targets.md", *sorted((DOCS / "vendors").glob("*.md"))]:
        text = page.read_text("utf-8")
        blocks = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        for block in re.findall(r"^(    vendor = .*\n(?:(?:    .*)?\n)*)", text, re.MULTILINE):
            lines = [line.removeprefix("    ") for line in block.rstrip().split("\n")]
            toml = itertools.takewhile(lambda line: not line.startswith(("$", "transire")), lines)
            blocks.append("\n".join(toml).rstrip() + "\n")
        for number, block in enumerate(blocks, 1):
            found[f"{page.stem}-{number}"] = block.encode()
    return found


def unfolded(times: int, head: bytes, part: bytes) -> bytes:
    """A beginning, and a part that the target `text` repeats 2^times times."""
    return bytes([0xFF, times, len(head)]) + head + part


SELF = b"device_type=vfio_pci\nmdev_type=i915-GVTg_V5_2\ndevice_id=8086591d\naggregator=1\nsoftware_version=1.0.0\n"
EVERY_TYPE = b"""schema = 1
vendor = "mtty"
[attributes]
driver_version = { unknown = true }
0x7001 = { type = "bool", value = true }
0x7002 = { type = "uint", value = "0x20000000000001" }
0x7003 = { type = "text", value = "gr\xc3\xb6\xc3\x9fer" }
0x7004 = { type = "bytes", value = "0001" }
0x7005 = { type = "version", value = "1.2.3" }
0x7006 = { type = "range", value = [1, 8] }
0x7007 = { type = "mask", value = "0x67" }
0x7008 = { type = "set", value = { members = "text", values = ["a", "ab"] } }
0x7009 = { type = "ratio", value = "1/8" }
0x700a = { type = "pci_id", value = "8086:4941" }
0x700b = { type = "map", value = { "a b" = "c" } }
0x700c = { type = "unknown" }
0x700d = { type = 200, bytes = "0a0b" }
"""

TEXTS = documented() | {
    "every-type": EVERY_TYPE,
    "json": b'{"schema": 1, "vendor": "mtty", "attributes": {"nr_ports": 2, "mdev_type": "mtty-2"}}\n',
    "line": b"transire1." + base64.urlsafe_b64encode(PROFILES["mtty-2"]).rstrip(b"="),
    "canonical": PROFILES["every-type"],
    "migration-version-2019": b"8086-5912-GVTg_V5_8-00000001\n",
    "migration-version-2020": b"i915-v1-8086-591d-i915-GVTg_V5_8-1\n",
    "self": SELF,
    "compatible": SELF.replace(b"V5_2", b"V5_{val1:int:2,4,8}").replace(b"=1\n", b"={val1}/2\n"),
    "compatible-text": b'remote_url={where:string:"a","b"}\nsoftware_version={n:int:1,2}.{n}*3.0\n',
    "dotted-keys": unfolded(14, b"", b"a."),
    "arrays": unfolded(14, b"vendor = ", b"["),
    "objects": unfolded(12, b"", b'{"a":'),
    "headers": unfolded(11, b"", b"[[a]]\n[a.b]\n"),
}

# One byte an attribute: what source and target have of it. 0x13 is one value on both sides, 0x2b two values, 0x03 and
# 0x28 one side alone, 0x0e not reported on either, 0x3f any type.
ATTRIBUTES = {"alike": b"\x13", "unlike": b"\x2b", "source": b"\x03", "both": b"\x13\x2b\x03\x28\x0e\x3f"}
JUDGED = {
    f"{vendor}-{name}": bytes([number, 9]) + (how * 40)[:40] + bytes(at * step % 256 for at in range(300))
    for number, vendor in enumerate(["mtty", "gvt-g", "nvme", "qat", "mlx5", "virtio", "ccw", "ap", "nvidia"])
    for (name, how), step in zip(ATTRIBUTES.items(), (3, 7, 11, 37), strict=True)
}

for target, seeds in {"profile": PROFILES, "text": TEXTS, "judge": JUDGED}.items():
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    for name, content in seeds.items():
        (CORPUS / target / name).write_bytes(content)
