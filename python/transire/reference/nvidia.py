"""nvidia: NVIDIA virtual GPUs. `docs/vendors/nvidia.md`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from construct import Bytes, Int32ul, Struct

from transire.reference import attributes as a
from transire.reference.attributes import UNSAID, Known, Stated, Value
from transire.reference.compare import HOLDS, Both, Finding, plain
from transire.reference.judge import Absent, Rule, Vendor
from transire.reference.verdict import Chosen, Like, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VGPU = Struct(
    "version" / Int32ul,
    "revision" / Int32ul,
    "guestInfoState" / Int32ul,
    "guestDriverVersion" / Bytes(80),
    "hostDriverVersion" / Bytes(80),
    "reserved" / Bytes(24),
    "vgpuVirtualizationCaps" / Int32ul,
    "guestVgpuVersion" / Int32ul,
    "opaqueDataSize" / Int32ul,
)
"""The public part of a virtual GPU's metadata."""
PGPU = Struct(
    "version" / Int32ul,
    "revision" / Int32ul,
    "hostDriverVersion" / Bytes(80),
    "pgpuVirtualizationCaps" / Int32ul,
    "reserved" / Bytes(20),
    "minVersion" / Int32ul,
    "maxVersion" / Int32ul,
    "opaqueDataSize" / Int32ul,
)
"""The public part of a physical GPU's."""
OPAQUE = 65_536
"""Most opaque bytes."""
DECLARED = 4
"""Opaque bytes that a record is declared with."""
VERSION_TEXT = re.compile(rb"[0-9]+(\.[0-9]+)+", re.ASCII)
BEGUN = re.compile(rb"([0-9][0-9.]*)?", re.ASCII)


def _like_text(field: bytes) -> str:
    """Whether the beginning of a text field is a version, could become one, is empty, or is none."""
    text, nul, _ = field.partition(b"\0")
    if not BEGUN.fullmatch(text):
        return "no"
    if not nul:
        return "begun"
    if not text:
        return "empty"
    return "whole" if VERSION_TEXT.fullmatch(text) else "no"


def like_vgpu(data: bytes, ended: bool) -> Like:
    """How much bytes look like the metadata of a virtual GPU."""
    short = Like.NO if ended else Like.SHORT
    if len(data) < 12:
        return short
    state, looks = int.from_bytes(data[8:12], "little"), _like_text(data[12:])
    if state <= 1 and looks in ("whole", "begun"):
        return Like.SHORT if len(data) < 64 else Like.POSSIBLE if looks == "whole" else Like.NO
    if state == 0 and looks == "empty":
        return Like.OPAQUE if len(data) >= 64 else short
    return Like.NO


def like_pgpu(data: bytes, ended: bool) -> Like:
    """How much bytes look like the metadata of a physical GPU."""
    if len(data) <= 8:
        return Like.NO if ended else Like.SHORT
    looks = _like_text(data[8:])
    if looks == "whole" and any(data[8:].partition(b"\0")[2]):
        return Like.NO
    if len(data) < 64 and looks in ("whole", "begun"):
        return Like.SHORT
    return Like.CERTAIN if looks == "whole" else Like.NO


def _read(
    data: bytes, ended: bool, layout: Any, texts: tuple[tuple[str, int], ...], reserved_at: int
) -> Iterator[Reason | Any]:
    """What both records have in common; the fields stand between what is found before and behind the profile."""
    size = layout.sizeof()
    if len(data) < size:
        if ended:
            yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
        return
    fields = layout.parse(data)
    if fields.opaqueDataSize > OPAQUE:
        yield Reason("nvidia.opaque-size", Outcome.CORRUPT, size - 4)
        return
    for name, at in texts:
        text, nul, _ = fields[name].partition(b"\0")
        if not nul or not all(0x20 <= byte <= 0x7E for byte in text):
            yield Reason("nvidia.text", Outcome.CORRUPT, at)
            return
    yield fields
    end, declared = size + fields.opaqueDataSize, size + DECLARED
    if len(data) <= max(end, declared) and not ended:
        return
    for name, at in texts:
        if any(fields[name].partition(b"\0")[2]):
            yield Reason("nvidia.filler", Outcome.COMPATIBLE, at)
    if any(fields.reserved):
        yield Reason("nvidia.filler", Outcome.COMPATIBLE, reserved_at)
    if len(data) < end:
        yield Reason("stream.truncated", Outcome.TRUNCATED, len(data))
    elif end < declared <= len(data):
        yield Reason("nvidia.filler", Outcome.COMPATIBLE, end)
        if len(data) > declared:
            yield Reason("stream.trailing", Outcome.CORRUPT, declared)
    elif len(data) > end:
        yield Reason("stream.trailing", Outcome.CORRUPT, end)


def _text_of(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii")


def read_vgpu(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the metadata of a virtual GPU, as `mtty.read`."""
    for found in _read(data, ended, VGPU, (("guestDriverVersion", 12), ("hostDriverVersion", 92)), 172):
        if isinstance(found, Reason):
            yield found
            continue
        if found.guestInfoState > 1:
            yield Reason("nvidia.guest-state", Outcome.CORRUPT, 8)
            return
        host, guest = _text_of(found.hostDriverVersion), version(_text_of(found.guestDriverVersion))
        source = {
            "vendor": Stated(Value(a.TEXT, "nvidia"), None),
            "migration_caps": Stated(Value(a.BOOL, bool(found.vgpuVirtualizationCaps & 1)), 196),
            **dict.fromkeys(("hypervisor", "vgpu_type_name", "gpu_board", "ecc_mode"), UNSAID),
        }
        if host:
            source["driver_build"] = Stated(Value(a.TEXT, host), 92)
        if found.guestInfoState == 0:
            source["vgpu_version"] = Stated(Value(a.UNKNOWN, None), 200)
            source["guest_driver"] = Stated(Value(a.UNKNOWN, None), 12)
        else:
            source["vgpu_version"] = Stated(Value(a.UINT, found.guestVgpuVersion), 200)
            if guest:
                source["guest_driver"] = Stated(Value(a.VERSION, guest), 12)
        yield source


def read_pgpu(data: bytes, ended: bool, _: Chosen) -> Iterator[Reason | dict[str, Stated]]:
    """What the strict standard finds in the metadata of a physical GPU."""
    for found in _read(data, ended, PGPU, (("hostDriverVersion", 8),), 92):
        if isinstance(found, Reason):
            yield found
            continue
        if found.minVersion > found.maxVersion:
            yield Reason("nvidia.version-range", Outcome.CORRUPT, 112)
            return
        host = _text_of(found.hostDriverVersion)
        source = {
            "vendor": Stated(Value(a.TEXT, "nvidia"), None),
            "vgpu_version_range": Stated(Value(a.RANGE, (found.minVersion, found.maxVersion)), 112),
            "migration_caps": Stated(Value(a.BOOL, bool(found.pgpuVirtualizationCaps & 1)), 88),
        }
        yield source | ({"driver_build": Stated(Value(a.TEXT, host), 8)} if host else {})


ATTRIBUTES = (
    Known(0x8100, "vgpu_type_name", a.TEXT),
    Known(0x8101, "gpu_board", a.TEXT),
    Known(0x8102, "framebuffer_mb", a.UINT),
    Known(0x8103, "num_heads", a.UINT),
    Known(0x8104, "max_resolution", a.TEXT),
    Known(0x8105, "hypervisor", a.TEXT),
    Known(0x8106, "vgpu_version", a.UINT),
    Known(0x8107, "vgpu_version_range", a.RANGE),
    Known(0x8108, "guest_driver", a.VERSION),
    Known(0x8109, "migration_caps", a.BOOL),
    Known(0x810A, "ecc_mode", a.BOOL),
    Known(0x810B, "uvm", a.BOOL),
    Known(0x810C, "debugger", a.BOOL),
    Known(0x810D, "profiler", a.BOOL),
    Known(0x810E, "gsp_firmware", a.BOOL),
    Known(0x810F, "frame_rate_limiter", a.UINT),
    Known(0x8110, "plugin_params", a.MAP),
    Known(0x0111, "placement_id", a.UINT),
    Known(0x0112, "gpu_instance_id", a.UINT),
    Known(0x0113, "scheduler", a.TEXT),
    Known(0x0114, "manager_version", a.VERSION),
)
"""What the vendor adds to the common ones."""

EXCLUDED = ({(0x10DE, 0x2331), (0x10DE, 0x2321)}, {(0x10DE, 0x2322), (0x10DE, 0x233A)})
"""H100 PCIe and NVL, H800 PCIe and NVL."""
FAMILIES = (
    (0x2330, 0x2331, 0x2321, 0x2339),
    (0x2322, 0x2324, 0x233A),
    (0x2335,),
)
"""Devices that are H100, H800 and H200. The H200 NVL is not named."""
BRANCHES = (430, 440, 450, 460, 470, 510, 525, 535, 550, 570, 580)
"""Of vGPU software 9 to 19."""
STAYS = 418
"""The branch of vGPU software 8, whose guests stay on it."""


def _excluded_boards(source: Value, target: Value, _: Both) -> Finding:
    return Finding("excluded-pair") if {source.plain, target.plain} in EXCLUDED else HOLDS


def _family(identity: tuple[int, int]) -> int | None:
    vendor, device = identity
    return next((at for at, family in enumerate(FAMILIES) if vendor == 0x10DE and device in family), None)


def _excluded_families(source: Value, target: Value, _: Both) -> Finding:
    one, other = _family(source.plain), _family(target.plain)
    return HOLDS if one is None or other is None or one == other else Finding("excluded-pair")


def _hypervisors(both: Both) -> list[str | None]:
    return [plain(side, "hypervisor") for side in (both.source, both.device)]


def _excluded_hypervisors(source: Value, target: Value, _: Both) -> Finding:
    said = (source.plain, target.plain)
    new = any(one == "RHEL 10" or one.startswith("RHEL 10.") for one in said)
    return Finding("excluded-pair") if new and "RHEL 9.4" in said else HOLDS


def _on_9_4(both: Both) -> bool:
    return "RHEL 9.4" in _hypervisors(both)


def _from_9_6(both: Both) -> bool:
    return all(one in ("RHEL 9.6", "RHEL 9.7", "RHEL 9.8") for one in _hypervisors(both))


def _otherwise(both: Both) -> bool:
    return not _on_9_4(both) and not _from_9_6(both)


def _may_differ(source: Value, target: Value, _: Both) -> Finding:
    return HOLDS if source == target else Finding(notes=("sources-disagree",))


def _guest(source: Value, target: Value, _: Both) -> Finding:
    guest, manager = source.plain[0], target.plain[0]
    if guest == manager:
        return HOLDS
    if guest in BRANCHES and manager in BRANCHES:
        return HOLDS if BRANCHES.index(manager) - BRANCHES.index(guest) == 1 else Finding("branch")
    return Finding("branch", ask=guest < manager and guest != STAYS)


def _params(source: Value, target: Value, _: Both) -> Finding:
    one, other = ({key: said for key, said in side.plain.items() if key != "loglevel"} for side in (source, target))
    return HOLDS if one == other else Finding("not-equal")


def version(build: str) -> tuple[int, int, int] | None:
    """The version that a build is."""
    parts = build.split(".")
    if len(parts) not in (2, 3) or not all(re.fullmatch("[0-9]+", part, re.ASCII) for part in parts):
        return None
    major, minor, patch = ([int(part) for part in parts] + [0, 0])[:3]
    return (major, minor, patch) if max(major, minor, patch) < 1 << 32 else None


def board(text: str) -> tuple[int, int] | None:
    """The PCI id of a board: what stands before the first space, whatever follows."""
    found = re.match(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4}) ", text, re.ASCII)
    return (int(found[1], 16), int(found[2], 16)) if found else None


def _follows(device: Mapping[str, Value]) -> dict[str, Value]:
    """What follows from others, whether it is said or not."""
    found: dict[str, Value] = {}
    build, said, text = plain(device, "driver_build"), plain(device, "driver_version"), plain(device, "gpu_board")
    of_build = version(build) if build else None
    of_board = board(text) if text else None
    if of_board:
        found["pci_id"] = Value(a.PCI_ID, of_board)
    if of_build:
        found["driver_version"] = Value(a.VERSION, of_build)
    if "driver_version" in device and said is None:
        found["manager_version"] = Value(a.UNKNOWN, None)
    elif said or of_build:
        found["manager_version"] = Value(a.VERSION, said or of_build)
    return found


def _derive(device: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in _follows(device).items() if name not in device}


def _contradiction(device: Mapping[str, Value]) -> str | None:
    follows = _follows(device)
    # A driver_version that has not been reported does not hide what the build says of the manager.
    if plain(device, "driver_version") is None and "driver_version" in follows:
        follows["manager_version"] = follows["driver_version"]
    for name, value in follows.items():
        if name in device and None not in (device[name].plain, value.plain) and device[name] != value:
            # Of the two the one with the higher number.
            return {"driver_version": "driver_build", "pci_id": "gpu_board"}.get(name, name)
    return None


def _possible(device: Mapping[str, Value]) -> bool:
    text = plain(device, "gpu_board")
    written = text is None or re.fullmatch("[0-9a-f]{4}:[0-9a-f]{4} [0-9a-f]{4}:[0-9a-f]{4}", text, re.ASCII)
    return written is not None and _contradiction(device) is None


VFIO_PCI, TRUE, FALSE = Value(a.TEXT, "vfio-pci"), Value(a.BOOL, True), Value(a.BOOL, False)
IGNORE, NOTE = Absent.IGNORE, Absent.NOTE

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("pci_id", _excluded_boards, IGNORE, IGNORE),
        Rule("pci_id", _excluded_families, IGNORE, IGNORE),
        Rule("hypervisor", _excluded_hypervisors),
        Rule("device_api", "equal", VFIO_PCI, VFIO_PCI),
        Rule("vgpu_type_name", "equal"),
        Rule("mdev_type", "ignore", IGNORE, IGNORE),
        Rule("gpu_board", "equal"),
        *(Rule(name, "equal", NOTE, NOTE) for name in ("framebuffer_mb", "num_heads", "max_resolution")),
        Rule("vgpu_version", "in-range", of_target="vgpu_version_range"),
        Rule("driver_version", "equal", when=_on_9_4),
        Rule("driver_build", "equal", IGNORE, IGNORE, when=_on_9_4),
        Rule("driver_version", _may_differ, IGNORE, IGNORE, when=_from_9_6),
        Rule("driver_version", "equal", ask=True, when=_otherwise),
        Rule("driver_build", "equal", IGNORE, IGNORE, ask=True, when=_otherwise),
        Rule("guest_driver", _guest, of_target="manager_version"),
        Rule("migration_caps", "is", constant=TRUE),
        Rule("ecc_mode", "equal"),
        *(Rule(name, "is", FALSE, FALSE, constant=FALSE) for name in ("uvm", "debugger", "profiler")),
        Rule("gsp_firmware", "is", IGNORE, IGNORE, constant=FALSE, ask=True),
        Rule("frame_rate_limiter", "equal", NOTE, NOTE),
        Rule("plugin_params", _params, NOTE, NOTE),
        *(Rule(name, "ignore", IGNORE, IGNORE) for name in ("placement_id", "gpu_instance_id", "scheduler")),
    ),
    _derive,
    _contradiction,
    _possible,
)
"""The vendor `nvidia`."""
