"""The vectors of qat, from `docs/vendors/qat.md`."""
# ruff: noqa: F821 - `make_vectors.py` gives this file what it has by name

from __future__ import annotations

from typing import Any

REASONS_OF_VENDOR = {
    "unrecognized": "qat.version qat.section-unknown",
    "corrupt": (
        "qat.preamble qat.section-bounds qat.section-count qat.section-order qat.section-size "
        "qat.flag-byte qat.rate-limit"
    ),
    "compatible": "qat.exception qat.padding",
}

MAGIC = 0xADF5CAEA
BANK = bytes(472)
SETUP = 90
EXAMPLE_SHA256 = "d20efcd18cfa1ccb389e5e9bc318ee5cc6f35b42c5de7ef28a1ee2257fbb844a"


def block(content: bytes, sections: int, *, magic: int = MAGIC, version: int = 1, length: int = 16) -> bytes:
    """A preamble and what stands behind it."""
    return u32(magic) + u32(version) + u16(length) + u16(sections) + u32(len(content)) + content


def section(name: str, content: bytes, children: int = 0) -> bytes:
    """A header and what stands behind it."""
    return name.encode().ljust(8, b"\0") + u32(len(content)) + u32(children) + content


CAPABILITIES, SERVICES, COMPRESSION = (
    section("gencap", u32(0x67)),
    section("svcmap", u16(0x1249)),
    section("extdc", u32(0)),
)


def setup(*values: bytes) -> bytes:
    """A setup block with these sections in CONFIG."""
    values = values or (CAPABILITIES, SERVICES, COMPRESSION)
    return block(section("CONFIG", b"".join(values), len(values)), 1)


def limit(service: int, mask: int, committed: int, peak: int, padding: int = 0) -> bytes:
    """A rate limit."""
    return u32(service) + u32(padding) + u64(mask) + u32(committed) + u32(peak)


def state(*limits: bytes, initialised: int = 1, protocol: int = 4, banks: tuple[bytes, ...] = (BANK,) * 4) -> bytes:
    """A state block with these limits and banks; the registers of MISCBAR are 0."""
    general = section("iovinit", bytes([initialised])) + section("compver", bytes([protocol]))
    general += section("sla", b"".join(limits))
    names = ("visrc", "vimsk", "vispv", "vimpv", "pf2vm", "vm2pf")
    all_banks = (section(f"bnk{at:x}", section("mregs", bank), 1) for at, bank in enumerate(banks))
    content = section("GENER", general, 3)
    content += section("MISCBAR", b"".join(section(name, u32(0)) for name in names), 6)
    return block(content + section("ETRBAR", b"".join(all_banks), len(banks)), 3)


def stream(*blocks: bytes) -> bytes:
    """The blocks, and zeros to 4,096 bytes."""
    return b"".join(blocks).ljust(4096, b"\0")


def put(data: bytes, at: int, new: bytes) -> bytes:
    """The same with other bytes at a place."""
    return data[:at] + new + data[at + len(new) :]


ANY_DEVICE = {"pci_id": {"rule": "ignore", "source": "all hosts of this site have the same device"}}
ATTRIBUTES: dict[str, Any] = {
    "pci_id": "8086:4941",
    "capabilities": 0x67,
    "service_map": 0x1249,
    "extended_compression": 0,
    "pfvf_version": 4,
    "rate_limits": {"none": "none"},
}
TARGET: dict[str, Any] = {"vendor": "qat", "attributes": ATTRIBUTES, "accepts": ANY_DEVICE}
ACCEPTED = ("pci_id.accepted-by-target", None)
EXAMPLE = stream(setup(), state())
LIMITS = (limit(0, 0x300, 50, 50), limit(2, 0xC00, 10, 1000))
NAMED_LIMITS = {"asym 0x300": "50/50", "dc 0xc00": "10/1000"}


DEVICE = attribute(0x0004, 10, u16(0x8086) + u16(0x4941))


def before(**attributes: Any) -> dict[str, Any]:
    """The target, with other attributes."""
    return {**TARGET, "attributes": {**ATTRIBUTES, **attributes}}


def add(native: Native) -> None:
    """All vectors of the vendor."""
    assert hashlib.sha256(EXAMPLE).hexdigest() == EXAMPLE_SHA256
    add_good(native)
    add_setup(native)
    add_state(native)
    add_rules(native)
    add_driver(native)


def add_good(native: Native) -> None:
    """Streams that pass, and where they are cut."""
    native.strict(
        "stream-example", "the worked example, before a target that takes any device", EXAMPLE, ACCEPTED, target=TARGET
    )
    native.strict("stream-example-no-target", "its structure alone", EXAMPLE)
    limited = stream(setup(), state(*LIMITS))
    native.strict("stream-limits", "two rate limits", limited, ACCEPTED, target=before(rate_limits=NAMED_LIMITS))
    four = [limit(at, 0x1000 << at, 2 * at, 2 * at + 1) for at in range(3)] + [
        limit(3, 1 << 63, 0xFFFFFFFF, 0xFFFFFFFF)
    ]
    named = {"asym 0x1000": "0/1", "sym 0x2000": "2/3", "dc 0x4000": "4/5"}
    named["decomp 0x8000000000000000"] = "4294967295/4294967295"
    native.strict(
        "stream-limits-four",
        "the most, and the highest numbers",
        stream(setup(), state(*four)),
        ACCEPTED,
        target=before(rate_limits=named),
        flags="Boundary",
    )
    cut = "stream.truncated"
    native.strict("stream-cut-3", "inside the magic", EXAMPLE[:3], ("magic.truncated", 3), flags="Boundary")
    native.strict("stream-cut-4", "a magic and no more", EXAMPLE[:4], (cut, 4), flags="Boundary")
    native.strict("stream-cut-89", "inside the setup block", EXAMPLE[:89], (cut, 89), target=TARGET, flags="Boundary")
    native.strict(
        "stream-cut-90", "what pre-copy gives", EXAMPLE[:90], (cut, 90), ACCEPTED, target=TARGET, flags="Boundary"
    )
    native.strict(
        "stream-cut-2340", "at the end of the state: a whole stream has 4,096 bytes", EXAMPLE[:2340], (cut, 2340)
    )
    native.strict("stream-cut-4095", "a byte short", EXAMPLE[:4095], (cut, 4095), flags="Boundary")
    native.strict("stream-trailing", "a byte more", EXAMPLE + b"\0", ("stream.trailing", 4096), flags="Boundary")
    native.sealed(
        "stream-sealed",
        "the example in an envelope whose header says which device it is",
        [
            DEVICE,
            attribute(0x8101, 7, b"\x67"),
            uint(0x8102, 0x1249),
            attribute(0x8103, 7, b"\0"),
            attribute(0x8105, 11, u16(4) + b"none" + u16(4) + b"none"),
        ],
        [EXAMPLE[:90], EXAMPLE[90:]],
        payload_format="qat",
        target={"vendor": "qat", "attributes": ATTRIBUTES},
    )
    native.sealed(
        "stream-sealed-flag-byte",
        "the envelope's checksums say nothing against it",
        [DEVICE],
        [stream(setup(), state(initialised=2))],
        ("qat.flag-byte", 138, True),
        payload_format="qat",
    )


def add_setup(native: Native) -> None:
    """What can be wrong with the setup block: it is told from that alone."""
    good = setup()

    def wrong(name: str, comment: str, data: bytes, reason: str, offset: int, flags: str = "") -> None:
        native.strict(f"stream-{name}", comment, data, (reason, offset), target=TARGET, flags=flags)

    changes: tuple[tuple[str, str, int, bytes, str, int], ...] = (
        ("version-0", "the driver takes it, but none writes it", 4, u32(0), "qat.version", 4),
        ("version-2", "above the only one", 4, u32(2), "qat.version", 4),
        ("version-max", "far above it", 4, u32(0xFFFFFFFF), "qat.version", 4),
        ("preh-len-0", "the driver takes a preamble of any length", 8, u16(0), "qat.preamble", 8),
        ("preh-len-15", "a preamble has 16 bytes", 8, u16(15), "qat.preamble", 8),
        ("preh-len-17", "a preamble has 16 bytes", 8, u16(17), "qat.preamble", 8),
        ("size-4081", "a block ends inside the stream", 12, u32(4081), "qat.section-bounds", 12),
        ("size-wraps", "the driver adds in 32 bits", 12, u32(0xFFFFFFF0), "qat.section-bounds", 12),
        ("size-73", "extdc reaches beyond CONFIG, and CONFIG beyond the block", 12, u32(73), "qat.section-bounds", 24),
        ("n-sects-0", "the driver walks over none", 10, u16(0), "qat.section-count", 10),
        ("n-sects-2", "one section too many", 10, u16(2), "qat.section-count", 10),
        ("config-59", "a byte more than the block", 24, u32(59), "qat.section-bounds", 24),
        ("config-max", "no length that an index could have", 24, u32(0xFFFFFFFF), "qat.section-bounds", 24),
        ("config-4-sects", "a section too many", 28, u32(4), "qat.section-count", 28),
        ("gencap-sects", "a value has no sections", 44, u32(1), "qat.section-count", 44),
        ("config-name", "no section that a driver knows", 21, b"H", "qat.section-unknown", 16),
        ("gencap-name", "no section that a driver knows", 37, b"q", "qat.section-unknown", 32),
        ("name-unended", "eight letters are no name", 22, b"xx", "qat.section-unknown", 16),
        ("gencap-3", "the driver takes what is there as a number", 40, u32(3), "qat.section-size", 40),
        ("gencap-5", "a value has its own size", 40, u32(5), "qat.section-size", 40),
    )
    for name, comment, at, new, reason, offset in changes:
        wrong(name, comment, put(good, at, new), reason, offset)
    longer = put(good, 12, u32(75)) + b"\0"
    wrong("size-75", "a byte behind the only section", longer, "qat.section-size", 12, flags="Boundary")
    order = "qat.section-order"
    wrong("gencap-second", "sections out of order", setup(SERVICES, CAPABILITIES, COMPRESSION), order, 32)
    wrong("gencap-twice", "a section repeated", setup(CAPABILITIES, CAPABILITIES, COMPRESSION), order, 52)
    wrong("svcmap-missing", "a section missing", setup(CAPABILITIES, COMPRESSION, COMPRESSION), order, 52)
    one = put(setup(CAPABILITIES), 28, u32(3))
    wrong("gencap-alone", "no room for the others", one, "qat.section-bounds", 52)
    wrong("version-and-preamble", "the version comes first", put(put(good, 4, u32(3)), 8, u16(0)), "qat.version", 4)
    wrong(
        "size-and-n-sects", "the size comes before n_sects", put(good, 10, u16(0) + u32(4081)), "qat.section-bounds", 12
    )
    wrong("magic", "another magic", put(good, 3, b"\0"), "magic.unrecognized", 0)


def add_state(native: Native) -> None:
    """What can be wrong behind the setup block, and what is noted."""

    def wrong(name: str, comment: str, data: bytes, *reasons: tuple[str, int]) -> None:
        native.strict(f"stream-{name}", comment, data, *reasons)

    wrong("state-magic", "no state block", put(EXAMPLE, 90, b"\0"), ("qat.preamble", 90))
    wrong("state-version", "each block has a version", put(EXAMPLE, 94, u32(0)), ("qat.version", 94))
    wrong("state-size-0", "the driver does not use it", put(EXAMPLE, 102, u32(0)), ("qat.section-bounds", 106))
    wrong("state-size-more", "the driver does not use it", put(EXAMPLE, 102, u32(2235)), ("qat.section-size", 102))
    for value in (2, 128, 255):
        data = stream(setup(), state(initialised=value))
        wrong(f"iovinit-{value}", "the driver takes any value for yes", data, ("qat.flag-byte", 138))
    wrong("iovinit-0", "a function that no driver has initialised", stream(setup(), state(initialised=0)))
    good = limit(1, 0xF, 100, 200)
    of_limit = "qat.rate-limit"
    for name, comment, second, at in (
        ("service-4", "services are 0 to 3", limit(4, 0xF0, 1, 2), 196),
        ("mask-0", "a limit is for some ring pair", limit(1, 0, 1, 2), 204),
        ("again", "the driver takes a limit twice, no device has it so", limit(1, 0xF, 1, 1), 204),
    ):
        wrong(f"limit-{name}", comment, stream(setup(), state(good, second)), (of_limit, at))
    half = stream(setup(), state(good + good[:12]))
    wrong("limit-half", "the driver passes over what is no whole record", half, ("qat.section-size", 164))
    five = stream(setup(), state(*(limit(0, 1 << at, 1, 2) for at in range(5))))
    wrong("limit-five", "a function has four ring pairs", five, ("qat.section-size", 164))
    short = stream(setup(), state(banks=(BANK, BANK, BANK, BANK[1:])))
    wrong("mregs-471", "the driver takes 472 bytes from there all the same", short, ("qat.section-size", 1860))
    wrong("banks-0", "no ring bank", stream(setup(), state(banks=())), ("qat.section-count", 320))
    wrong("bank-twice", "bank 0 twice", put(EXAMPLE, 324 + 504 + 3, b"0"), ("qat.section-order", 828))
    exception = "qat.exception"
    for bank, value in ((0, 1), (3, 0xFFFFFFFF)):
        at = 356 + 504 * bank + 72
        comment = "its status registers are not looked at by the load"
        wrong(f"exception-{bank}", comment, put(EXAMPLE, at, u32(value)), (exception, at))
    ones = put(EXAMPLE, 860, b"\xff" * 472)
    wrong("bank-ones", "the exception first, then what is not saved", ones, (exception, 932), ("qat.padding", 864))
    padding = "qat.padding"
    wrong("padding-name", "behind a name, once for a block", put(put(EXAMPLE, 23, b"\xa5"), 39, b"\xa5"), (padding, 23))
    wrong("padding-limit", "left by the compiler", stream(setup(), state(limit(1, 0xF, 1, 2, 1 << 24))), (padding, 179))
    wrong("padding-ring", "a ring that no bank has", put(EXAMPLE, 356 + 136, b"\1"), (padding, 492))
    wrong("padding-filler", "behind the state", put(EXAMPLE, 4095, b"\1"), (padding, 4095))
    filled = EXAMPLE[:2340] + b"\xa5" * 1756
    wrong(
        "padding-all",
        "as Linux 6.12 leaves old memory",
        put(put(filled, 23, b"\xa5"), 112, b"\xa5"),
        (padding, 23),
        (padding, 112),
        (padding, 2340),
    )
    wrong(
        "note-and-error",
        "a note that was found before stays",
        put(put(EXAMPLE, 23, b"\1"), 90, b"\0"),
        ("qat.preamble", 90),
        (padding, 23),
    )


def add_rules(native: Native) -> None:
    """What the rules say of a stream: the setup block at once, the state block when it is whole."""
    absent = {**TARGET, "accepts": {}}
    pci_id = ("pci_id.absent", None)
    native.strict("stream-no-device", "no stream says which device it comes from", EXAMPLE, pci_id, target=absent)
    refused = {
        "capabilities": ("capabilities", 0x66, "not-subset", 48),
        "service-map": ("service_map", 0x1248, "not-equal", 68),
    }
    for name, (attribute_, value, reason, offset) in refused.items():
        native.strict(
            f"stream-{name}",
            "told from the setup block",
            EXAMPLE,
            (f"{attribute_}.{reason}", offset),
            ACCEPTED,
            target=before(**{attribute_: value}),
        )
    compressed = stream(setup(CAPABILITIES, SERVICES, section("extdc", u32(1))), state())
    native.strict(
        "stream-compression",
        "told from the setup block",
        compressed,
        ("extended_compression.not-subset", 86),
        ACCEPTED,
        target=TARGET,
    )
    limited = stream(setup(), state(*LIMITS))
    native.strict(
        "stream-limits-lacking",
        "told from the whole",
        limited,
        ("rate_limits.not-subset", 172),
        ACCEPTED,
        target=TARGET,
    )
    lower = before(rate_limits={"asym 0x300": "50/49", "dc 0xc00": "10/999"})
    native.strict(
        "stream-limits-lower", "told from the whole", limited, ("rate_limits.not-at-least", 172), ACCEPTED, target=lower
    )
    three = stream(setup(), state(*LIMITS, banks=(BANK,) * 3))
    native.strict(
        "stream-banks-3",
        "the place of the number of banks follows the limits",
        three,
        ("ring_banks.not-equal", 320 + 48),
        ACCEPTED,
        target=before(rate_limits=NAMED_LIMITS),
    )
    newer = stream(setup(), state(protocol=5))
    note = ("pfvf_version.newer-than-target", 155)
    native.strict("stream-protocol-newer", "noted, from the whole", newer, ACCEPTED, note, target=TARGET)
    note = ("pfvf_version.absent", 155)
    native.strict(
        "stream-protocol-0", "noted, from the whole", stream(setup(), state(protocol=0)), ACCEPTED, note, target=TARGET
    )
    cut = limited[:2388]
    native.strict(
        "stream-limits-cut",
        "what was not read is not held against the target",
        cut,
        ("stream.truncated", 2388),
        ACCEPTED,
        target=TARGET,
    )


def add_driver(native: Native) -> None:
    """What the kernel driver does."""
    target = {"vendor": "qat", "attributes": ATTRIBUTES}

    def driver(name: str, comment: str, data: bytes, writes: str = "whole", **answer: Any) -> None:
        native.driver(name, comment, data, writes, **{"target": target, **answer})

    refused = {"step": "write", "errno": "EINVAL"}
    driver("example", "taken", EXAMPLE)
    driver("example-split", "however it is cut", EXAMPLE, "split:16,90,100")
    driver("version-0", "a version that none writes is taken", put(EXAMPLE, 4, u32(0)))
    driver("state-size", "the state block's size is not used", put(EXAMPLE, 102, u32(0xFFFFFFFF)))
    driver("unknown-section", "passed over", put(EXAMPLE, 188, b"visrx"))
    driver(
        "version-2",
        "not remembered as seen, so refused again",
        put(EXAMPLE, 4, u32(2)),
        "split:90",
        at=0,
        holds="previous",
        **refused,
    )
    more = put(EXAMPLE, 51, b"\x80")
    driver(
        "capabilities-ignored",
        "refused once, and loaded all the same",
        more,
        "split:90",
        at=0,
        holds="input",
        **refused,
    )
    driver(
        "capabilities-part",
        "a refusal that is ignored, then another one in the state block",
        put(more, 308, b"F"),
        at=0,
        holds="part",
        **refused,
    )
    at_end = {"step": "set_state", "errno": "EINVAL"}
    driver("state-magic", "told at the end only", put(EXAMPLE, 90, b"\0"), at=4096, holds="previous", **at_end)
    driver("etrbar-missing", "what was loaded before stays", put(EXAMPLE, 308, b"F"), at=4096, holds="part", **at_end)
    limited = stream(setup(), state(*LIMITS))
    driver("limits-lacking", "told at the end only", limited, at=4096, holds="part", **at_end)
    driver(
        "trailing",
        "a write beyond the buffer is refused whole",
        EXAMPLE + b"\0",
        "split:4096",
        at=4096,
        step="write",
        errno="ENOMEM",
        holds="input",
    )
    driver("cut-2004", "what a load takes is there", EXAMPLE[:2004])
    driver("cut-1999", "a register's last byte is the buffer's", EXAMPLE[:1999], depends=True)
    driver("cut-100", "on a buffer that held no stream", EXAMPLE[:100], at=100, holds="previous", **at_end)
    driver(
        "earlier",
        "a setup block that an earlier session wrote is not tested again",
        EXAMPLE,
        depends=True,
        earlier="unknown",
    )
    driver(
        "earlier-no-state",
        "no earlier session can have made this one load",
        put(EXAMPLE, 90, b"\0"),
        at=4096,
        holds="previous",
        earlier="unknown",
        **at_end,
    )
    moved = block(section("CONFIG", CAPABILITIES + SERVICES + COMPRESSION, 3), 1)
    short = state(banks=(BANK, BANK, BANK, b""))
    filler = bytes(4096 - len(moved) - len(short) - 16)
    shifted = block(section("filler", filler) + short[16:], 4)
    driver(
        "behind-the-buffer", "the last bank's registers are taken from behind the buffer", moved + shifted, depends=True
    )
