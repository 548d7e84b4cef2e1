"""Migration streams of QEMU through the API and the command line, against real captures and what a real QEMU did."""

from __future__ import annotations

import csv
import json
import lzma
import os
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import transire
from transire import Machine, Outcome, Target

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
DEMO = ROOT / "demo"
ONE, TWO = str(DEMO / "one-port.toml"), str(DEMO / "two-ports.toml")
ONE_PORT = Target(vendor="mtty", attributes={"nr_ports": 1})
TWO_PORTS = Target(vendor="mtty", attributes={"nr_ports": 2})
GOOD = FIXTURES / "qemu-vfio" / "pc-mtty1.stream"
BOTH = FIXTURES / "qemu-vfio" / "pc-two-devices.stream"


def capture(name: str) -> bytes:
    """A file of the fixtures, unpacked."""
    packed = (FIXTURES / name).read_bytes()
    return lzma.decompress(packed) if name.endswith(".xz") else packed


def rows(name: str) -> list[dict[str, str]]:
    with (FIXTURES / name).open(newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def captures(*, back: bool = False) -> list[str]:
    """Every capture of a stream, or what destinations sent back besides."""
    found = [
        f"{folder}/{path.name}"
        for folder in ("qemu", "qemu-vfio")
        for path in sorted((FIXTURES / folder).iterdir())
        if path.name.endswith((".bin", ".xz", ".stream"))
    ]
    return [name for name in found if back or (".rev." not in name and "to-source" not in name)]


def migrations() -> list[list[str]]:
    """The captures, those of several channels together, the main channel first."""
    groups: dict[str, list[str]] = {}
    for name in captures():
        key = re.sub(r"\.ch(annel)?\d+\.", ".", name)
        groups.setdefault(key, []).append(name)
    return list(groups.values())


def start_of(data: bytes) -> int:
    """Where the stream begins: one capture was saved at an offset."""
    return len(data) - len(data.lstrip(b"\0"))


def targets_of(names: list[str]) -> dict[str, Target]:
    """The targets that a capture's own devices are."""
    found = transire.inspect([capture(name) for name in names], offset=start_of(capture(names[0])))
    ports = {60: ONE_PORT, 96: TWO_PORTS}
    return {device.name: ports[device.length] for device in found.verdict.devices}


# Captures


@pytest.mark.parametrize("names", migrations(), ids=lambda names: str(names[0]))
def test_a_capture_is_read_and_judged(names: list[str]) -> None:
    data = [capture(name) for name in names]
    offset = start_of(data[0])
    found = transire.inspect(data, offset=offset)
    assert found.verdict.outcome is Outcome.COMPATIBLE, found.verdict.reasons
    assert found.container is not None
    assert found.format == "qemu"
    assert found.container.machine is not None
    assert found.container.ram["bytes"] > 0
    verdict = transire.verify(data, targets_of(names), offset=offset)
    assert verdict.outcome is Outcome.COMPATIBLE
    assert verdict.complete
    # What was not read was passed over, and every byte is accounted for.
    assert verdict.bytes_examined + offset == sum(map(len, data))
    # The other kind of device is refused, at a place in the header.
    other = {name: TWO_PORTS if of is ONE_PORT else ONE_PORT for name, of in targets_of(names).items()}
    if other:
        refused = transire.verify(data, other, offset=offset)
        assert refused.outcome is Outcome.INCOMPATIBLE
        assert not refused.complete
        for device in refused.devices:
            (reason, *_) = device.verdict.reasons
            assert reason.id == "nr_ports.not-equal"
            assert reason.offset is not None
            channel, start, length, _ = device.extents[0]
            assert (reason.channel, start <= reason.offset < start + length) == (channel, True)


@pytest.mark.parametrize("name", [name for name in captures(back=True) if name not in captures()])
def test_what_a_destination_sent_back_is_read(name: str) -> None:
    found = transire.inspect(capture(name), input="qemu-return-path")
    assert (found.format, found.verdict.outcome) == ("qemu-return-path", Outcome.COMPATIBLE)
    assert found.container is not None
    messages = [part.name for part in found.container.parts]
    assert messages[-1] == "SHUT"
    assert "PONG" in messages
    assert transire.verify(capture(name), input="qemu-return-path").complete


def test_there_are_captures_of_all_shapes() -> None:
    groups = migrations()
    assert sum(map(len, groups)) == 36
    assert sum(len(group) > 1 for group in groups) >= 4
    assert any("mapped-ram" in group[0] for group in groups)


@pytest.mark.parametrize("name", ["qemu-vfio/pc-mtty1.stream", "qemu-vfio/pc-mtty1-mapped-ram.file.xz"])
def test_every_way_to_give_a_stream_gives_the_same(name: str, tmp_path: Path) -> None:
    data = capture(name)
    file = tmp_path / "vm.stream"
    file.write_bytes(data)
    expected = transire.verify(data, ONE_PORT).to_dict()
    assert expected["outcome"] == "compatible"
    for source in (str(file), file, bytearray(data), memoryview(data), [data], (str(file),)):
        assert transire.verify(source, ONE_PORT).to_dict() == expected
    with file.open("rb") as opened:
        assert transire.verify(opened, ONE_PORT).to_dict() == expected
    # What can be read once only has no description beforehand, so ends are searched for, and said to be.
    searched = through_a_pipe(data, lambda source: transire.verify(source, ONE_PORT))
    assert (searched.outcome, searched.complete) == (Outcome.COMPATIBLE, True)
    assert [reason.id for reason in searched.reasons] == ["qemu.searched"]
    assert searched.bytes_examined == expected["bytes_examined"]


def through_a_pipe(data: bytes, read: Callable[[Any], Any]) -> Any:
    out, into = os.pipe()

    def write() -> None:
        with os.fdopen(into, "wb") as end:
            end.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(out, "rb") as end:
        try:
            return read(end)
        finally:
            # A reader that stopped early: let the writer come to its end.
            while os.read(end.fileno(), 1 << 16):
                pass
            writer.join()


def test_devices_are_extracted_as_the_kernel_had_them(tmp_path: Path) -> None:
    checked = 0
    groups = {re.sub(r"\.(channel0|stream|file).*", "", names[0].partition("/")[2]): names for names in migrations()}
    for row in rows("qemu-vfio/sources.tsv"):
        names = groups[row["capture"]]
        states = [
            state.partition(":")[2] for state in row["device_state_hex"].split(" ") if "(destination)" not in state
        ]
        found = transire.extract([capture(name) for name in names], tmp_path / row["capture"])
        paths = [device.path for device in found.verdict.devices]
        assert [Path(path or "").read_bytes().hex() for path in paths] == states
        assert [Path(path or "").name for path in paths] == [f"{device.name}.bin" for device in found.verdict.devices]
        # Each is a native stream like any other.
        for path in paths:
            assert path is not None
            assert transire.inspect(path).format == "mtty"
        checked += len(paths)
    assert checked >= 7
    with pytest.raises(FileExistsError):
        transire.extract(GOOD, tmp_path / "pc-mtty1")
    with pytest.raises(ValueError, match="this is none"):
        transire.extract(FIXTURES / "mtty" / "mtty1-text.bin", tmp_path)


def test_a_name_from_a_stream_leads_nowhere_else(tmp_path: Path) -> None:
    data = GOOD.read_bytes().replace(b"0000:00:04.0/vfio", b"../../../etc/vfio")
    found = transire.extract(data, tmp_path / "devices")
    assert [device.path for device in found.verdict.devices] == [str(tmp_path / "devices" / "_.._.._etc.bin")]


# Targets


def test_targets_are_by_device_by_vendor_or_one_for_all() -> None:
    def outcomes(target: Any) -> list[tuple[str, str]]:
        verdict = transire.verify(BOTH, target)
        return [(device.name, str(device.verdict.outcome)) for device in verdict.devices]

    here, there = "0000:00:04.0", "0000:00:05.0"
    assert outcomes({here: ONE_PORT, there: TWO_PORTS}) == [(here, "compatible"), (there, "compatible")]
    assert outcomes({f"{here}/vfio": ONE_PORT, None: TWO_PORTS}) == [(here, "compatible"), (there, "compatible")]
    assert outcomes({here: TWO_PORTS, there: ONE_PORT}) == [(here, "incompatible"), (there, "incompatible")]
    assert outcomes(ONE_PORT) == [(here, "compatible"), (there, "incompatible")]
    assert outcomes([ONE_PORT]) == [(here, "compatible"), (there, "incompatible")]
    qat = Target(vendor="qat", attributes={"pci_id": "8086:4941"})
    assert outcomes([qat, TWO_PORTS]) == [(here, "incompatible"), (there, "compatible")]
    assert outcomes(None) == [(here, "compatible"), (there, "compatible")]
    unexpected = transire.verify(BOTH, {here: ONE_PORT})
    assert [(reason.id, reason.device) for reason in unexpected.reasons] == [("qemu.device-unexpected", there)]
    missing = transire.verify(GOOD, {here: ONE_PORT, there: TWO_PORTS})
    assert [(reason.id, reason.device) for reason in missing.reasons] == [("qemu.device-missing", there)]
    assert [device.name for device in missing.devices] == [here, there]


def test_a_migration_without_the_device_of_a_target_is_refused() -> None:
    verdict = transire.verify(capture("qemu/q72-pc-min.bin.xz"), ONE_PORT)
    assert [reason.id for reason in verdict.reasons] == ["qemu.device-missing"]
    assert transire.verify(capture("qemu/q72-pc-min.bin.xz"), {}).outcome is Outcome.COMPATIBLE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": [ONE_PORT, TWO_PORTS]}, "two targets of mtty"),
        ({"target": {"0000:00:04.0": ONE_PORT, "0000:00:04.0/vfio": ONE_PORT}}, "two targets for the device"),
        ({"target": None, "standard": "qemu"}, "needs targets"),
        ({"target": ONE_PORT, "standard": "driver"}, "the standard qemu says"),
        ({"target": ONE_PORT, "standard": "kernel"}, "unknown standard kernel; known are strict, driver, qemu"),
        ({"target": ONE_PORT, "writes": "each:1"}, "for the standard driver"),
        ({"target": ONE_PORT, "input": "xen"}, "unknown input xen"),
        ({"target": 1}, "a target is a Target"),
        ({"target": {"0000:00:04.0": 1}}, "a target is a Target"),
    ],
)
def test_what_does_not_go_together_is_an_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        transire.verify(GOOD, **arguments)


def test_streams_of_one_device_have_one_target() -> None:
    stream = FIXTURES / "mtty" / "mtty1-text.bin"
    assert transire.verify(stream, [ONE_PORT]).outcome is Outcome.COMPATIBLE
    for target in ({"0000:00:04.0": ONE_PORT}, [ONE_PORT, TWO_PORTS]):
        with pytest.raises(ValueError, match="this is the stream of one device"):
            transire.verify(stream, target)
    with pytest.raises(ValueError, match="this is the stream of one device"):
        transire.verify(stream, ONE_PORT, standard="qemu")
    with pytest.raises(ValueError, match="none of these is a channel"):
        transire.verify([stream, stream], ONE_PORT)
    with pytest.raises(ValueError, match="one main channel"):
        transire.verify([GOOD, GOOD], ONE_PORT)
    # Forced, it is a migration stream that does not begin like one.
    forced = transire.verify(stream, ONE_PORT, input="qemu")
    assert [reason.id for reason in forced.reasons if reason.outcome is Outcome.UNRECOGNIZED] == ["magic.unrecognized"]
    assert transire.verify(GOOD, ONE_PORT, input="native").outcome is Outcome.UNRECOGNIZED


# Channels


def channels(name: str) -> list[Path]:
    return [FIXTURES / "qemu-vfio" / f"{name}.channel{number}.to-destination.bin" for number in range(3)]


@pytest.mark.parametrize("name", ["pc-mtty2-multifd-devstate", "pc-mtty2-multifd-plain"])
def test_channels_are_one_migration_in_any_order(name: str) -> None:
    main, first, second = channels(name)
    for order in ([main, first, second], [second, main, first], [first, second, main]):
        for standard in ("strict", "qemu"):
            verdict = transire.verify(order, TWO_PORTS, standard=standard)
            assert verdict.complete, verdict.reasons
    (device,) = transire.verify([main, first, second], TWO_PORTS).devices
    assert device.length == 96
    assert device.config is not None
    assert device.extents[-1][0] == (1 if name.endswith("devstate") else 0)


def test_a_lost_channel_is_found() -> None:
    main, first, second = channels("pc-mtty2-multifd-devstate")
    lost = transire.verify([main, second], TWO_PORTS)
    assert (lost.outcome, "qemu.index-gap" in {reason.id for reason in lost.reasons}) == (Outcome.TRUNCATED, True)
    # A file given twice shows by its indexes.
    twice = transire.verify([main, first, first, second], TWO_PORTS)
    assert "qemu.index-repeated" in {reason.id for reason in twice.reasons}
    stale = transire.verify([main], TWO_PORTS, standard="qemu")
    assert [(reason.id, reason.device) for reason in stale.reasons] == [("qemu.stale", "0000:00:04.0")]
    # What the vendor finds is placed in the channel that has it.
    damaged = bytearray(first.read_bytes())
    damaged[11_104 + 25] = 99
    verdict = transire.verify([main, damaged, second], TWO_PORTS)
    assert [(reason.id, reason.channel, reason.offset) for reason in verdict.reasons] == [("mtty.tail", 1, 11_129)]
    assert "at offset 11129 of channel 1" in verdict.reasons[0].text


def test_packets_in_a_pipe_cannot_be_read_again() -> None:
    main, first, second = channels("pc-mtty2-multifd-devstate")
    with pytest.raises(ValueError, match="give files, not pipes"):
        through_a_pipe(first.read_bytes(), lambda pipe: transire.verify([main, pipe, second], TWO_PORTS))


# What QEMU did


def targets_named(text: str) -> dict[str, Target]:
    if "enable-migration=off" in text:
        return {}
    ports = {"1": ONE_PORT, "2": TWO_PORTS}
    return {f"0000:00:0{place}": ports[kind] for kind, place in re.findall(r"mtty-([12]) at (\d\.\d)", text)}


def machine_of(row: dict[str, str]) -> Machine:
    """The target's machine: what the unaltered stream of the same one says, and what the table says of its RAM."""
    mutated = re.fullmatch(r"mutated/([^.]+)\..*", row["file"])
    unaltered = f"qemu-vfio/{mutated[1]}.stream" if mutated else f"qemu-vfio/{row['file']}"
    read = Machine.read(capture(unaltered))
    (config, *_) = read.configs.values()
    ram = read.ram | ({"pc.ram": 8 << 20} if "8M RAM" in row["target"] else {})
    configs = dict.fromkeys(targets_named(row["target"]), config)
    return Machine(read.handlers, ram, configs, machine_type=read.machine_type)


ACCEPTANCE = rows("qemu-vfio/acceptance.tsv")


@pytest.mark.parametrize("row", ACCEPTANCE, ids=lambda row: f"{row['file']}-{row['target']}")
def test_the_standard_qemu_says_what_qemu_did(row: dict[str, str]) -> None:
    data = capture(f"qemu-vfio/{row['file']}")
    targets = targets_named(row["target"])
    verdict = transire.verify(data, targets, standard="qemu", machine=machine_of(row))
    wrong = [reason for reason in verdict.reasons if reason.outcome is not Outcome.COMPATIBLE]
    if row["incoming_status"] == "failed":
        assert [reason.id for reason in wrong] == ["qemu.refused"]
        assert wrong[0].offset is not None
        assert f"load of migration failed: {wrong[0].found}" == row["incoming_error"]
    else:
        stale = {reason.device for reason in wrong if reason.id == "qemu.stale"}
        assert len(stale) == len(wrong)
        places = list(targets)
        holds = [pair.partition("=")[2] for pair in row["device_then_holds"].split(",")]
        assert {place for place, held in zip(places, holds, strict=True) if held == "previous"} == stale
    assert (verdict.outcome is Outcome.COMPATIBLE) == verdict.complete == (not wrong)


@pytest.mark.parametrize("row", ACCEPTANCE, ids=lambda row: f"{row['file']}-{row['target']}")
def test_strict_refuses_where_state_would_be_lost_or_wrong(row: dict[str, str]) -> None:
    data = capture(f"qemu-vfio/{row['file']}")
    verdict = transire.verify(data, targets_named(row["target"]), machine=machine_of(row))
    # A record in two, and a byte of padding, are the same state; less RAM is no matter of devices.
    same = ("chunk1-split-12-12" in row["file"]) or ("dev-pad29" in row["file"]) or "8M RAM" in row["target"]
    unaltered = row["incoming_status"] == "completed" and not row["file"].startswith("mutated/") and not row["messages"]
    if same or unaltered:
        assert verdict.outcome is Outcome.COMPATIBLE, verdict.reasons
        assert verdict.complete
        return
    assert not verdict.complete
    worst = verdict.reasons[0]
    assert worst.outcome is verdict.outcome is not Outcome.COMPATIBLE
    assert worst.offset is not None or worst.id == "qemu.device-missing"


# In a pipe


def pass_on(data: bytes, target: Any, **arguments: Any) -> tuple[transire.Verdict, bytes]:
    """What a gate lets through a pipe."""
    out, into = os.pipe()
    taken: list[bytes] = []

    def drain() -> None:
        with os.fdopen(out, "rb") as end:
            taken.append(end.read())

    reader = threading.Thread(target=drain)
    reader.start()
    with os.fdopen(into, "wb") as sink:
        verdict = through_a_pipe(data, lambda source: transire.gate(source, sink, target, **arguments))
    reader.join()
    return verdict, taken[0]


def test_a_gate_passes_a_good_stream_on_as_it_is() -> None:
    seen: list[tuple[str | None, str, int]] = []
    data = BOTH.read_bytes()
    targets = {"0000:00:04.0": ONE_PORT, "0000:00:05.0": TWO_PORTS}
    for given in ("qemu", "auto"):
        verdict, passed = pass_on(
            data,
            targets,
            input=given,
            on_verdict=lambda early: seen.append((early.device, str(early.outcome), early.bytes_examined)),
        )
        assert verdict.complete
        assert passed == data
    assert seen == 2 * [("0000:00:04.0", "compatible", 24), ("0000:00:05.0", "compatible", 24)]


def test_a_gate_stops_before_what_is_refused() -> None:
    data = GOOD.read_bytes()
    verdict, passed = pass_on(data, TWO_PORTS, input="qemu")
    assert (verdict.outcome, verdict.complete) == (Outcome.INCOMPATIBLE, False)
    assert data.startswith(passed)
    # The header stands from 218 to 242.
    assert 200 < len(passed) < 242


def test_a_gate_withholds_the_end_until_every_device_has_passed() -> None:
    data = GOOD.read_bytes()
    found = transire.inspect(data)
    assert found.container is not None
    (end,) = [part.offset for part in found.container.parts if part.kind == "end-of-sections"]
    verdict, passed = pass_on(data, {"0000:00:04.0": ONE_PORT, "0000:00:05.0": ONE_PORT}, input="qemu")
    assert [reason.id for reason in verdict.reasons if reason.outcome is not Outcome.COMPATIBLE] == [
        "qemu.device-missing"
    ]
    # With it stays what follows the first place behind RAM that a destination could take for it.
    assert 16_000 < len(passed) <= end
    assert data.startswith(passed)
    assert not verdict.complete
    verdict, short = pass_on(data[: end - 1], ONE_PORT)
    assert (verdict.outcome, short) == (Outcome.TRUNCATED, passed)


def test_a_gate_withholds_more_than_its_window(tmp_path: Path) -> None:
    data = GOOD.read_bytes()
    found = transire.inspect(data)
    assert found.container is not None
    (end,) = [part.offset for part in found.container.parts if part.kind == "end-of-sections"]
    # Eight megabytes more of the last device's state, from a place on that a destination could take for the end.
    state = (b"\x7e\xff\xff\xff\xff\x00" + bytes(10)) * (1 << 19)
    long = data[: end - 5] + state + data[end - 5 : end + 1]
    verdict, passed = pass_on(long, ONE_PORT)
    assert (verdict.outcome, verdict.complete, passed == long) == (Outcome.COMPATIBLE, True, True), verdict
    with (tmp_path / "sink").open("wb") as sink:
        assert transire.gate(long, sink, ONE_PORT).complete
    assert (tmp_path / "sink").read_bytes() == long
    verdict, passed = pass_on(long[:-1], ONE_PORT)
    assert (verdict.outcome, len(passed) < end) == (Outcome.TRUNCATED, True)
    verdict, passed = pass_on(long[: end - 5] + state * 8 + b"\x00", ONE_PORT)
    assert [reason.id for reason in verdict.reasons] == ["qemu.withheld"]
    assert (verdict.outcome, len(passed) < end) == (Outcome.UNKNOWN, True)


def test_a_gate_takes_one_channel() -> None:
    with pytest.raises(ValueError, match="one channel"), Path(os.devnull).open("wb") as sink:
        transire.gate(channels("pc-mtty2-multifd-plain"), sink, TWO_PORTS)  # type: ignore[arg-type]


def test_a_source_that_stalls_ends_a_gate() -> None:
    out, into = os.pipe()
    data = GOOD.read_bytes()
    os.write(into, data[:1000])
    with os.fdopen(out, "rb") as source, Path(os.devnull).open("wb") as sink:
        verdict = transire.gate(source, sink, ONE_PORT, input="qemu", deadline=0.2)
    os.close(into)
    assert verdict.outcome is Outcome.TRUNCATED
    assert "stream.stalled" in {reason.id for reason in verdict.reasons}


# Devices by themselves


@pytest.mark.parametrize("name", ["0000:00:05.0", "0000:00:05.0/vfio"])
def test_a_device_of_a_migration_has_its_profile(name: str) -> None:
    extracted = {"nr_ports": 2, "stream_version": "1.0.0"}
    for source in (str(BOTH), BOTH.read_bytes(), image(BOTH.read_bytes())):
        assert transire.profile_of(source, device=name).attributes == extracted
        assert transire.profile_of(source, device=name, format="mtty").attributes == extracted
        assert transire.check(source, TWO_PORTS, device=name).outcome is Outcome.COMPATIBLE
        verdict = transire.check(source, ONE_PORT, device=name)
        assert [reason.id for reason in verdict.reasons] == ["nr_ports.not-equal"]
        assert verdict.device == "0000:00:05.0"


def test_the_only_device_of_a_migration_needs_no_name() -> None:
    assert transire.profile_of(GOOD).attributes["nr_ports"] == 1
    assert transire.check(GOOD, ONE_PORT).outcome is Outcome.COMPATIBLE
    assert transire.check(GOOD, TWO_PORTS).outcome is Outcome.INCOMPATIBLE
    several = channels("pc-mtty2-multifd-devstate")
    assert transire.profile_of(several).attributes["nr_ports"] == 2
    assert transire.check(several, TWO_PORTS).outcome is Outcome.COMPATIBLE


def test_a_device_that_is_not_meant_is_an_error_of_usage() -> None:
    without = capture("qemu/q100-xbzrle.bin.xz")
    native = FIXTURES / "mtty" / "mtty1-text.bin"
    for source, device, message in (
        (BOTH, None, "several devices: name one of 0000:00:04.0, 0000:00:05.0"),
        (BOTH, "0000:00:09.0", "no device 0000:00:09.0; it has 0000:00:04.0, 0000:00:05.0"),
        (without, None, "no VFIO device"),
        (without, "0000:00:04.0", "no VFIO device"),
        (native, "0000:00:04.0", "devices are of a migration stream, and this is none"),
    ):
        for ask in (
            lambda: transire.profile_of(source, device=device),  # noqa: B023  # asked at once
            lambda: transire.check(source, ONE_PORT, device=device),  # noqa: B023
        ):
            with pytest.raises(ValueError, match=message):
                ask()
    with pytest.raises(ValueError, match="a profile is of one device"):
        transire.check(transire.profile_of(native), ONE_PORT, device="0000:00:04.0")


def test_a_migration_that_ends_before_its_device_says_so() -> None:
    data = GOOD.read_bytes()
    # Inside the first section of the device, behind it, and inside the 24 bytes that tell its source.
    for length, reason in ((130, "qemu.truncated"), (180, "qemu.truncated"), (230, "stream.truncated")):
        with pytest.raises(transire.Truncated, match=reason):
            transire.profile_of(data[:length])
        verdict = transire.check(data[:length], ONE_PORT)
        assert verdict.outcome is Outcome.TRUNCATED
        assert reason in {each.id for each in verdict.reasons}
        whole = transire.verify(data[:length], ONE_PORT)
        assert whole.outcome is Outcome.TRUNCATED
        # The first cut is inside the section that names it.
        assert [device.verdict.outcome for device in whole.devices] == [Outcome.TRUNCATED] * (length > 130)
        assert [each.id for each in whole.reasons].count("qemu.truncated") == 1, "said once"
    with pytest.raises(transire.Unrecognized, match=r"libvirt\.compressed"):
        transire.profile_of(image(data, form=5))


def test_a_machine_is_for_migration_streams() -> None:
    native = FIXTURES / "mtty" / "mtty1-text.bin"
    with pytest.raises(ValueError, match="a machine is for migration streams"):
        transire.verify(native, ONE_PORT, machine=Machine.read(GOOD))
    with open(os.devnull, "wb") as sink, pytest.raises(ValueError, match="a machine is for"):  # noqa: PTH123
        transire.gate(native, sink, ONE_PORT, machine=Machine.read(GOOD))


# Machines, save images, what is shown


def image(stream: bytes, magic: bytes = b"LibvirtQemudSave", form: int = 0, order: str = "<") -> bytes:
    head = magic + struct.pack(f"{order}5I", 2, 300, 1, form, 200)
    return head.ljust(92, b"\0") + b"<domain/>".ljust(200, b"\0") + b"<cookie/>".ljust(100, b"\0") + stream


@pytest.mark.parametrize("order", ["<", ">"])
def test_libvirts_header_is_read(order: str) -> None:
    data = image(GOOD.read_bytes(), order=order)
    found = transire.inspect(data)
    assert found.format == "libvirt"
    assert found.container is not None
    assert found.container.image is not None
    assert found.container.image["stream_offset"] == 392
    verdict = transire.verify(data, ONE_PORT)
    assert (verdict.outcome, verdict.complete, verdict.format) == (Outcome.COMPATIBLE, True, "libvirt")
    assert verdict.devices[0].extents[0][1] == 218 + 392
    assert not verdict.reasons


def test_a_save_image_that_cannot_be_walked_says_why() -> None:
    stream = GOOD.read_bytes()
    for data, reason in (
        (image(stream, magic=b"LibvirtQemudPart"), "libvirt.unfinished"),
        (image(stream, form=5), "libvirt.compressed"),
        (image(stream, form=9), "libvirt.format"),
        (image(stream)[:300], "libvirt.truncated"),
    ):
        assert reason in {each.id for each in transire.verify(data, ONE_PORT).reasons}


def test_a_machine_is_read_from_a_stream_of_its_own() -> None:
    machine = Machine.read(GOOD)
    assert machine.ram["pc.ram"] == 4 << 20
    assert machine.handlers is not None
    assert ("ram", 0) in machine.handlers
    assert len(machine.configs["0000:00:04.0"]) == 4096
    assert machine.machine_type == "pc-i440fx-10.0"
    assert (machine.skip_vendor_specific, machine.mapped_ram) == (None, None)
    other = Machine(machine_type="pc-q35-10.0")
    refused = transire.verify(GOOD, ONE_PORT, standard="qemu", machine=other)
    assert [reason.id for reason in refused.reasons] == ["qemu.refused"]
    assert "the configuration section is not the machine's" in refused.reasons[0].text
    with pytest.raises(transire.Truncated):
        Machine.read(GOOD.read_bytes()[:500])
    with pytest.raises(transire.Unrecognized):
        Machine.read(b"something else altogether")


def test_a_difference_in_configuration_is_named() -> None:
    changed = FIXTURES / "qemu-vfio" / "mutated" / "pc-mtty1.config-vendor-changed.stream"
    verdict = transire.verify(changed, ONE_PORT, machine=Machine.read(GOOD))
    (reason,) = verdict.reasons
    assert (reason.id, reason.found, reason.required, reason.offset) == (
        "qemu.device-config-differs",
        "0x49",
        "0x48",
        24_152,
    )
    assert "byte 0x0, vendor id" in reason.text


def test_inspection_tells_every_part() -> None:
    found = transire.inspect(GOOD, describe=True)
    assert found.container is not None
    kinds = [part.kind for part in found.container.parts]
    assert kinds[:3] == ["header", "configuration", "START"]
    assert kinds[-2:] == ["end-of-sections", "description"]
    assert all(part.sized in ("rule", "description") for part in found.container.parts if part.kind == "FULL")
    streamed = through_a_pipe(GOOD.read_bytes(), lambda source: transire.inspect(source, describe=True))
    assert streamed.container.searched == 26
    assert streamed.container.description == found.container.description
    assert json.loads(found.container.description or "")["page_size"] == 4096
    (device,) = found.verdict.devices
    assert [structure.name for structure in device.structures] == ["header", "port"]
    assert device.structures[0].fields[3].offset == 218 + 16
    # Where the parts stand is where the bytes are.
    data = GOOD.read_bytes()
    for part in found.container.parts:
        if part.kind == "START":
            assert data[part.offset] == 1
            assert part.name is not None
            assert part.name.encode() in data[part.offset :][:40]
    as_json = json.loads(json.dumps(found.to_dict()))
    assert as_json["schema"] == 1
    assert as_json["container"]["parts"][2]["name"] == "ram"
    assert as_json["devices"][0]["config"]["pci_id"] == "4348:3253"


def test_memory_does_not_grow_with_the_guest(tmp_path: Path) -> None:
    # RAM of 64 MiB put in front of what a capture has: 16,384 pages more in its PART section.
    file = tmp_path / "big.stream"
    data = GOOD.read_bytes()
    pages = b"".join(struct.pack(">Q", 0x08 | 0x20) + bytes([7]) * 4096 for _ in range(16_384))
    # Behind the announced blocks, in the first PART of RAM, whose records follow its five-byte head at 163.
    first = data[168:]
    name_length = first[8]
    behind = 168 + 8 + 1 + name_length + (1 if first[7] & 0x02 else 4096)
    file.write_bytes(data[:behind] + pages + data[behind:])
    verdict = transire.verify(file, ONE_PORT)
    assert verdict.complete, verdict.reasons
    assert verdict.bytes_examined == len(data) + len(pages)
    # Of a process of its own: how much more it ever had for the large one than for the small one, in KiB.
    script = f"""
import resource, transire
target = transire.Target(vendor="mtty", attributes={{"nr_ports": 1}})
def most(path):
    transire.verify(path, target)
    with open(path, "rb") as source, open("/dev/null", "wb") as sink:
        transire.gate(source, sink, target)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = most({str(GOOD)!r})
print(most({str(file)!r}) - small)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    assert int(ran.stdout) < 4096


def test_what_begins_like_a_container_is_told() -> None:
    assert transire.container_of(b"QEVM") == "qemu"
    assert transire.container_of(b"QEV") is None
    assert transire.container_of(bytes.fromhex("11223344")) == "qemu-channel"
    assert transire.container_of(b"LibvirtQemudSave") == "libvirt"
    assert transire.container_of(b"") is None
    assert transire.container_of((FIXTURES / "mtty" / "mtty1-text.bin").read_bytes()) is None


# The command line


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [str(Path(sys.executable).with_name("transire")), *arguments]
    ran = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in ran.stderr, ran.stderr
    return ran


def test_verify_on_the_command_line() -> None:
    ran = run("verify", str(GOOD), "--target", ONE)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode() == f"{GOOD}: compatible\ndevice 0000:00:04.0: compatible, mtty, 60 bytes in 2 pieces\n"
    by_device = ["--target", f"0000:00:04.0={ONE}", "--target", TWO]
    assert run("verify", str(BOTH), *by_device).returncode == 0
    assert run("verify", str(BOTH), "--target", f"0000:00:04.0={TWO}", "--target", ONE).returncode == 1
    ran = run("verify", "-", *by_device, "--json", stdin=BOTH.read_bytes())
    assert ran.returncode == 0
    told = json.loads(ran.stdout)
    assert (told["schema"], told["file"], told["outcome"]) == (1, "-", "compatible")
    assert [device["name"] for device in told["devices"]] == ["0000:00:04.0", "0000:00:05.0"]
    main, first, second = map(str, channels("pc-mtty2-multifd-devstate"))
    ran = run("verify", main, first, second, "--target", TWO, "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["files"] == [main, first, second]
    assert run("verify", main, second, "--target", TWO).returncode == 5
    # Streams that are no channels of each other stay apart.
    ran = run("verify", str(GOOD), str(BOTH), "--target", ONE)
    assert ran.returncode == 1
    assert ran.stdout.count(b"compatible\n") == 2
    native = str(FIXTURES / "mtty" / "mtty1-text.bin")
    ran = run("verify", native, str(GOOD), "--target", ONE)
    assert (ran.returncode, ran.stdout.count(b": compatible\n")) == (0, 2)


def test_verify_with_the_standard_qemu_on_the_command_line() -> None:
    assert run("verify", str(GOOD), "--target", ONE, "--standard", "qemu").returncode == 0
    stale = FIXTURES / "qemu-vfio" / "mutated" / "pc-mtty1.chunk2-removed.stream"
    ran = run("verify", str(stale), "--target", ONE, "--standard", "qemu")
    assert (ran.returncode, b"qemu.stale" in ran.stdout) == (1, True)
    assert run("verify", str(stale), "--target", ONE).returncode == 5
    changed = FIXTURES / "qemu-vfio" / "mutated" / "pc-mtty1.config-vendor-changed.stream"
    ran = run("verify", str(changed), "--target", ONE, "--standard", "qemu", "--machine", str(GOOD))
    assert (ran.returncode, b"configuration byte 0x0 is 49, 48 on the machine" in ran.stdout) == (1, True)
    ran = run("verify", str(GOOD), "--target", ONE, "--standard", "driver")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.count(b"\n") == 1


def test_an_offset_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "at-an-offset"
    data = capture("qemu/q100-mapped-ram-off.bin.xz")
    file.write_bytes(data)
    offset = str(start_of(data))
    assert int(offset) > 0
    assert run("inspect", str(file), "--offset", offset).returncode == 0
    assert run("inspect", "-", "--offset", offset, stdin=data).returncode == 0
    assert run("inspect", str(file)).returncode == 3
    assert run("verify", str(GOOD), "--target", ONE, "--offset", "5").returncode == 2


def test_inspect_on_the_command_line(tmp_path: Path) -> None:
    ran = run("inspect", str(BOTH), "--extract", str(tmp_path / "devices"))
    assert ran.returncode == 0, ran.stderr
    text = ran.stdout.decode()
    assert "FULL 0000:00:05.0/vfio  section 28" in text
    assert "RAM: bytes 4390912" in text
    assert f"written to {tmp_path}/devices/0000:00:04.0.bin" in text
    assert (tmp_path / "devices" / "0000:00:05.0.bin").stat().st_size == 96
    again = run("inspect", str(BOTH), "--extract", str(tmp_path / "devices"))
    assert (again.returncode, again.stderr.count(b"\n")) == (2, 1)
    ran = run("inspect", *map(str, channels("pc-mtty2-multifd-devstate")))
    assert ran.returncode == 0
    assert b"packet 0000:00:04.0/vfio data  index 0" in ran.stdout
    assert b"72 bytes at offset 11104 of channel 1, stop-copy" in ran.stdout
    ran = run("inspect", "-", "--describe", "--json", stdin=GOOD.read_bytes())
    told = json.loads(ran.stdout)
    assert told["description"]["page_size"] == 4096
    assert told["container"]["searched"] == 26
    assert b"page_size" in run("inspect", str(GOOD), "--describe").stdout
    cut = run("inspect", "-", stdin=GOOD.read_bytes()[:14_100])
    assert cut.returncode == 5
    assert b"not complete" in cut.stdout
    native = str(FIXTURES / "mtty" / "mtty1-text.bin")
    ran = run("inspect", native, "--extract", str(tmp_path / "none"))
    assert (ran.returncode, ran.stderr.count(b"\n")) == (2, 1)


def test_gate_on_the_command_line() -> None:
    data = GOOD.read_bytes()
    ran = run("gate", "--target", ONE, "--input", "qemu", stdin=data)
    assert (ran.returncode, ran.stdout) == (0, data)
    assert b"device 0000:00:04.0: compatible, judged from the first 24 bytes" in ran.stderr
    quiet = run("gate", "--target", ONE, "-q", stdin=data)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, data, b"")
    refused = run("gate", "--target", TWO, "--input", "qemu", stdin=data)
    assert refused.returncode == 1
    assert len(refused.stdout) < 242
    assert b"nr_ports.not-equal" in refused.stderr
    told = json.loads(run("gate", "--target", TWO, "--json", stdin=data).stderr)
    assert (told["outcome"], told["devices"][0]["name"]) == ("incompatible", "0000:00:04.0")


def test_targets_on_the_command_line_that_do_not_go_together() -> None:
    for arguments in (
        ["--target", ONE, "--target", TWO],
        ["--target", f"0000:00:04.0={ONE}", "--target", f"0000:00:04.0={TWO}"],
        ["--target", f"0000:00:04.0={ONE}", "--target", ONE, "--target", TWO],
        ["--target", "0000:00:04.0=nowhere.toml"],
        ["--target", ONE, "--machine", "nowhere.stream"],
    ):
        ran = run("verify", str(BOTH), *arguments)
        assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (2, b"", 1), arguments


def test_a_target_on_the_command_line_may_have_the_device_as_the_stream_does() -> None:
    assert run("verify", str(GOOD), "--target", f"0000:00:04.0/vfio={ONE}").returncode == 0
    twice = run("verify", str(GOOD), "--target", f"0000:00:04.0/vfio={ONE}", "--target", f"0000:00:04.0={ONE}")
    assert (twice.returncode, b"two targets for the device 0000:00:04.0" in twice.stderr) == (2, True)
    nameless = run("verify", str(GOOD), "--target", f"={ONE}")
    assert (nameless.returncode, b"the device is missing" in nameless.stderr) == (2, True)


def test_a_machine_that_is_none_is_an_error_of_usage() -> None:
    # The exit code 3 would be the verdict on the stream.
    for machine in (ONE, str(FIXTURES / "mtty" / "mtty1-text.bin")):
        ran = run("verify", str(GOOD), "--target", ONE, "--machine", machine)
        assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (2, b"", 1)
        assert ran.stderr.startswith(f"transire: {machine}: no migration stream".encode())


def test_an_error_of_usage_names_the_file_and_the_others_are_judged() -> None:
    native = str(FIXTURES / "mtty" / "mtty1-text.bin")
    ran = run("verify", native, str(GOOD), native, "--target", ONE, "--standard", "driver")
    assert (ran.returncode, ran.stdout.count(b": compatible\n")) == (2, 2)
    assert ran.stderr.startswith(f"transire: {GOOD}: the standard driver asks".encode())
    ran = run("verify", native, str(GOOD), "--target", ONE, "--standard", "qemu")
    assert (ran.returncode, ran.stdout.count(b": compatible\n")) == (2, 1)
    assert ran.stderr.startswith(f"transire: {native}: the standard qemu is for".encode())
    # What no file could be is said once.
    ran = run("verify", native, native, "--target", ONE, "--format", "nothing")
    assert (ran.returncode, ran.stderr.count(b"unknown format nothing")) == (2, 1)


@pytest.mark.parametrize("unseen", [0, 1, 2])
def test_a_channel_may_come_through_a_pipe(unseen: int) -> None:
    names = list(map(str, channels("pc-mtty2-multifd-devstate")))
    data = Path(names[unseen]).read_bytes()
    names[unseen] = "-"
    ran = run("verify", *names, "--target", TWO, stdin=data)
    if unseen == 1:
        # It has the device's state, which is read again in order.
        assert (ran.returncode, b"give files, not pipes" in ran.stderr) == (2, True)
    else:
        assert (ran.returncode, ran.stdout.count(b"compatible")) == (0, 2)
    found = run("inspect", *names, stdin=data)
    assert (found.returncode, found.stdout.count(b"\nchannel ")) == ((2, 0) if unseen == 1 else (0, 3))


def test_what_extraction_cannot_write_is_named(tmp_path: Path) -> None:
    there = tmp_path / "0000:00:04.0.bin"
    there.write_bytes(b"mine")
    ran = run("inspect", str(BOTH), "--extract", str(tmp_path))
    assert (ran.returncode, ran.stderr.decode()) == (2, f"transire: {there}: File exists\n")
    assert there.read_bytes() == b"mine"
    ran = run("inspect", str(BOTH), "--extract", str(there))
    assert (ran.returncode, ran.stderr.decode()) == (2, f"transire: {there}: File exists\n")
    # What the other device had been written to is taken away again.
    there.rename(tmp_path / "0000:00:05.0.bin")
    ran = run("inspect", str(BOTH), "--extract", str(tmp_path))
    assert (ran.returncode, [path.name for path in tmp_path.iterdir()]) == (2, ["0000:00:05.0.bin"])


def test_only_a_migration_stream_describes_itself() -> None:
    ran = run("inspect", str(FIXTURES / "mtty" / "mtty2-both-ports.bin"), "--describe")
    assert (ran.returncode, b"only a migration stream" in ran.stderr) == (2, True)


def test_profiles_of_devices_on_the_command_line(tmp_path: Path) -> None:
    ran = run("profile", "read", str(BOTH), "--device", "0000:00:05.0")
    assert (ran.returncode, b"nr_ports = 2" in ran.stdout) == (0, True)
    assert run("profile", "read", "-", stdin=GOOD.read_bytes()).returncode == 0
    several = run("profile", "read", str(BOTH))
    assert (several.returncode, several.stdout) == (2, b"")
    assert several.stderr.startswith(f"transire: {BOTH}: a migration stream of several devices".encode())
    cut = tmp_path / "cut.stream"
    cut.write_bytes(GOOD.read_bytes()[:130])
    ran = run("profile", "read", str(cut))
    assert (ran.returncode, ran.stderr.startswith(f"{cut}: truncated\n".encode())) == (5, True)
    ran = run("check", str(BOTH), ONE, "--device", "0000:00:04.0", "--json")
    assert ran.returncode == 0
    told = json.loads(ran.stdout)
    assert (told["source"], told["outcome"]) == (str(BOTH), "compatible")
    assert run("check", str(BOTH), ONE, "--device", "0000:00:05.0").returncode == 1
    assert run("check", str(BOTH), ONE).returncode == 2
    both = run("check", ONE, TWO, "--both", "--device", "0000:00:05.0")
    assert (both.returncode, both.stderr.count(b"\n")) == (2, 1)


def test_explain_knows_the_reasons_of_containers() -> None:
    ran = run("explain", "qemu.stale")
    assert ran.returncode == 0
    assert b"incompatible, exit code 1" in ran.stdout
    assert {"qemu.footer", "libvirt.compressed"} <= set(transire.reason_ids())


def test_dirty_bitmaps_are_listed_and_summed_up() -> None:
    contents = transire.inspect(capture("qemu/q72-microvm-bitmaps.bin")).container
    assert contents is not None
    start, end = (part for part in contents.parts if part.name == "dirty-bitmap")
    assert [(part.kind, part.name) for part in start.parts] == [
        ("bitmap", "first/stopped"),
        ("bitmap", "first/fine"),
        ("bitmap", "second/kept"),
    ]
    assert (start.sized, end.sized, contents.searched) == ("rule", "rule", 0)
    assert contents.capabilities == []
    assert contents.bitmaps == {
        "bitmaps": 3,
        "nodes": 2,
        "completed": 3,
        "pieces": 4,
        "bytes": 32 + 3 * 1024,
        "zero_pieces": 3,
        "runs": 2,
    }
    assert contents.to_dict()["bitmaps"] == contents.bitmaps
    later = transire.inspect(capture("qemu/q72-microvm-bitmaps-postcopy.bin")).container
    assert later is not None
    assert later.capabilities == ["postcopy"]
    assert later.bitmaps == contents.bitmaps | {"runs": 3}
    for name in ("bitmaps", "bitmaps-none"):
        assert transire.verify(capture(f"qemu/q72-microvm-{name}.bin"), {}).outcome is Outcome.COMPATIBLE
