"""Vectors of NVIDIA's metadata records. `docs/vendors/nvidia.md`."""
# ruff: noqa: F821  # what make_vectors.py gives

from __future__ import annotations

import struct
from typing import Any

REASONS_OF_VENDOR = {
    "compatible": "nvidia.filler",
    "corrupt": "nvidia.opaque-size nvidia.text nvidia.guest-state nvidia.version-range",
}

VGPU, PGPU = "nvidia-vgpu-metadata", "nvidia-pgpu-metadata"


def vgpu(**fields: Any) -> bytes:
    """The metadata of a virtual GPU; `size` where it is not that of the opaque bytes."""
    said = {"state": 1, "guest": b"550.54.14", "host": b"550.54.10", "reserved": b"", "caps": 1, "version": 13} | fields
    opaque = said.get("opaque", bytes(4))
    texts = (said["guest"], said["host"], said["reserved"])
    numbers = (said["caps"], said["version"], said.get("size", len(opaque)))
    return struct.pack("<III80s80s24sIII", said.get("layout", 4), 1, said["state"], *texts, *numbers) + opaque


def pgpu(**fields: Any) -> bytes:
    """The metadata of a physical GPU."""
    said = {"host": b"550.54.10", "caps": 1, "reserved": b"", "least": 10, "most": 14} | fields
    opaque = said.get("opaque", bytes(4))
    numbers = (said["least"], said["most"], said.get("size", len(opaque)))
    return struct.pack("<II80sI20sIII", 4, 1, said["host"], said["caps"], said["reserved"], *numbers) + opaque


def add(native: Any) -> None:
    """All of them."""
    strict = native.strict

    # A virtual GPU.
    strict("vgpu", "the example", vgpu())
    strict("vgpu-any-layout", "any version is taken", vgpu(layout=0xFFFFFFFF))
    strict("vgpu-no-opaque", "no opaque bytes", vgpu(opaque=b""), flags="Boundary")
    strict("vgpu-not-reported", "nothing speaks for it", vgpu(state=0, guest=b"", version=0), ("magic.unrecognized", 0))
    strict("vgpu-not-reported-named", "the guest has not started", vgpu(state=0, guest=b"", version=0), format_=VGPU)
    strict("vgpu-reported-before", "its text is old, and not looked at", vgpu(state=0))
    for length in (0, 11):
        one = ("magic.truncated", 0) if not length else ("magic.unrecognized", 0)
        strict(f"vgpu-cut-{length}", "too short to look like anything", vgpu()[:length], one, flags="Truncated")
    for length in (12, 63):
        strict(
            f"vgpu-cut-{length}", "it may become one", vgpu()[:length], ("magic.truncated", length), flags="Truncated"
        )
    for length in (64, 207, 208, 211):
        strict(f"vgpu-cut-{length}", "it is one", vgpu()[:length], ("stream.truncated", length), flags="Truncated")
    strict("vgpu-trailing", "a byte more", vgpu() + b"\0", ("stream.trailing", 212), flags="Trailing")
    strict("vgpu-opaque-5-of-4", "a byte less", vgpu(size=5), ("stream.truncated", 212), flags="Truncated")
    for size in (0, 1, 3):
        comment = "as long as it is declared"
        strict(f"vgpu-opaque-{size}-of-4", comment, vgpu(size=size), ("nvidia.filler", 208 + size), flags="Boundary")
    between = vgpu(size=1, opaque=bytes(2))
    strict("vgpu-opaque-1-of-2", "neither what it says nor what it is declared with", between, ("stream.trailing", 209))
    declared = [("nvidia.filler", 208), ("stream.trailing", 212)]
    strict("vgpu-declared-trailing", "a byte more than is declared", vgpu(size=0, opaque=bytes(5)), *declared)
    strict("vgpu-opaque-65536", "the most", vgpu(size=65536), ("stream.truncated", 212), flags="Boundary Truncated")
    for size in (65537, 0xFFFFFFFF):
        strict(
            f"vgpu-opaque-{size}", "more than is taken", vgpu(size=size), ("nvidia.opaque-size", 204), flags="Boundary"
        )
    for state in (2, 0xFFFFFFFF):
        stream = vgpu(state=state)
        strict(f"vgpu-state-{state}", "neither 0 nor 1", stream, ("nvidia.guest-state", 8), format_=VGPU)
    strict("vgpu-state-2-unnamed", "with nothing to go by it is none", vgpu(state=2), ("magic.unrecognized", 0))
    strict("vgpu-state-and-text", "texts come first", vgpu(state=2, host=b"\x7f"), ("nvidia.text", 92), format_=VGPU)
    strict(
        "vgpu-state-and-size",
        "sizes come before",
        vgpu(state=2, size=1 << 31),
        ("nvidia.opaque-size", 204),
        format_=VGPU,
    )
    third = vgpu(state=7, guest=b"", version=0)
    strict("vgpu-state-7", "whatever else it says", third, ("nvidia.guest-state", 8), format_=VGPU)
    strict(
        "vgpu-guest-80",
        "no room for the NUL",
        vgpu(guest=b"5" * 80),
        ("nvidia.text", 12),
        format_=VGPU,
        flags="Boundary",
    )
    strict("vgpu-guest-79", "room for it", vgpu(guest=b"5" * 79), format_=VGPU, flags="Boundary")
    strict("vgpu-host-escape", "what a terminal would obey", vgpu(host=b"550\x1b[2J"), ("nvidia.text", 92))
    strict("vgpu-host-latin", "no ASCII", vgpu(host=b"550\xe9"), ("nvidia.text", 92))
    strict("vgpu-host-none", "nothing said of it", vgpu(host=b""))
    filler = vgpu(guest=b"550.54.14\0x", host=b"550.54.10\0y", reserved=bytes(23) + b"z", size=2)
    notes = [("nvidia.filler", 12), ("nvidia.filler", 92), ("nvidia.filler", 172), ("nvidia.filler", 210)]
    strict("vgpu-filler", "bytes that mean nothing", filler, *notes)

    # Before a target. The record can say nothing of the four, and the five are noted wherever they lack.
    absent = ("framebuffer_mb", "num_heads", "max_resolution", "frame_rate_limiter", "plugin_params")
    notes = [(f"{name}.absent", None) for name in absent[3:]]
    figures = [(f"{name}.absent", None) for name in absent[:3]]
    unknown = [(f"{name}.absent", None) for name in ("hypervisor", "vgpu_type_name", "gpu_board")]
    ecc = ("ecc_mode.absent", None)

    def before(**attributes: Any) -> dict[str, Any]:
        said = {"driver_build": "550.54.10", "vgpu_version_range": [10, 14], "migration_caps": True} | attributes
        return {"vendor": "nvidia", "attributes": said}

    def judged(name: str, comment: str, stream: bytes, *reasons: Any, target: dict[str, Any] | None = None) -> None:
        strict(f"vgpu-{name}", comment, stream, *unknown, *figures, *reasons, ecc, *notes, target=target or before())

    judged("in-range", "13 is in 10 to 14", vgpu())
    newer = before(vgpu_version_range=[14, 16])
    judged("not-in-range", "13 is not in 14 to 16", vgpu(), ("vgpu_version.not-in-range", 200), target=newer)
    judged("caps", "it cannot be migrated", vgpu(caps=0xFFFFFFFE), ("migration_caps.not-is", 196))
    judged("guest-newer", "newer than the manager", vgpu(guest=b"570.10"), ("guest_driver.branch", 12))
    judged("guest-no-version", "what is no version", vgpu(guest=b"550.1.2.3"), ("guest_driver.not-in-profile", None))
    fresh = [(f"{name}.not-reported-yet", None) for name in ("vgpu_version", "guest_driver")]
    judged("fresh", "the target's vendor decides what it is", vgpu(state=0, guest=b"", version=0), *fresh)

    # A physical GPU: no stream.
    describes = ("format.describes-target", 0)
    strict("pgpu", "what a target says of itself", pgpu(), describes)
    strict("pgpu-before-target", "before a target too", pgpu(), describes, target=before())
    strict("pgpu-named-before-target", "whatever it is called", pgpu(), describes, target=before(), format_=PGPU)
    strict(
        "pgpu-before-mtty",
        "before another vendor's",
        pgpu(),
        describes,
        target={"vendor": "mtty", "attributes": {"nr_ports": 1}},
    )
    strict("pgpu-named", "one can look at it", pgpu(), describes, format_=PGPU)
    for length, one in (
        (8, ("magic.unrecognized", 0)),
        (9, ("magic.truncated", 9)),
        (63, ("magic.truncated", 63)),
        (64, describes),
    ):
        strict(f"pgpu-cut-{length}", "as far as it looks like one", pgpu()[:length], one, flags="Truncated")
    for length in (0, 123, 127):
        strict(
            f"pgpu-named-cut-{length}",
            "cut",
            pgpu()[:length],
            ("stream.truncated", length),
            format_=PGPU,
            flags="Truncated",
        )
    for least, most in ((14, 10), (1, 0), (0xFFFFFFFF, 0xFFFFFFFE)):
        stream = pgpu(least=least, most=most)
        strict(f"pgpu-{least}-to-{most}", "an empty range", stream, ("nvidia.version-range", 112), format_=PGPU)
    strict("pgpu-one-version", "a range of one", pgpu(least=14), describes, format_=PGPU, flags="Boundary")
    strict("pgpu-text", "no NUL", pgpu(host=b"5" * 80, least=15), ("nvidia.text", 8), format_=PGPU)
    strict("pgpu-opaque-65537", "more than is taken", pgpu(size=65537), ("nvidia.opaque-size", 120), format_=PGPU)
    filler = pgpu(host=b"550.54.10\0z", reserved=b"\1", size=0)
    strict(
        "pgpu-filler",
        "bytes that mean nothing",
        filler,
        ("nvidia.filler", 8),
        ("nvidia.filler", 92),
        ("nvidia.filler", 124),
        describes,
        format_=PGPU,
    )
    strict("pgpu-filler-unnamed", "what is behind the text speaks against it", filler, ("magic.unrecognized", 0))

    # In an envelope.
    native.sealed(
        "vgpu-sealed", "the example in an envelope", [text(DRIVER_BUILD, "550.54.10")], [vgpu()], payload_format=VGPU
    )
    at = Sealed(sealed_header(text(DRIVER_BUILD, "550.54.010"), vendor=text(0x8001, "nvidia"), payload_format=VGPU)).of(
        DRIVER_BUILD
    )
    native.sealed(
        "vgpu-contradicted", "another build of one version", [text(DRIVER_BUILD, "550.54.010")], [vgpu()],
        ("profile.contradicts-payload", at, False, "driver_build"), payload_format=VGPU,
    )  # fmt: skip
    of_target = Sealed(
        sealed_header(text(DRIVER_BUILD, "550.54.10"), vendor=text(0x8001, "nvidia"), payload_format=PGPU)
    )
    native.sealed(
        "pgpu-sealed", "what a target says of itself is no payload", [text(DRIVER_BUILD, "550.54.10")], [pgpu()],
        ("payload_format.unrecognized", of_target.of(PAYLOAD_FORMAT), False, "payload_format"), payload_format=PGPU,
    )  # fmt: skip
