"""What a container holds, for people: its parts as a tree, RAM summed up, and the devices with their structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transire.cli.anatomy import show_structures
from transire.cli.failure import printable
from transire.cli.show import Screen, show_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transire import Contents, Device, Inspection, Part

SECTIONS = ("START", "PART", "END", "FULL")
"""Kinds of parts that are sections."""


def show_contents(screen: Screen, names: Sequence[str], inspection: Inspection, *, dump: bool) -> None:
    """Write the parts of a container, RAM, the devices, then the verdict."""
    contents = inspection.container
    assert contents is not None, "an inspection of a container has its contents"
    subject = ", ".join(names)
    screen.line(f"{printable(subject)}: ", (inspection.format or "no known container", "bold"), _machine(contents))
    if contents.image is not None:
        image = contents.image
        finished = "finished" if image["finished"] else "not finished"
        screen.line(
            f"saved by libvirt: version {image['version']}, {image['format']}, {finished}, "
            f"the stream begins at offset {image['stream_offset']}"
        )
    _show_parts(screen, names, contents)
    screen.line()
    _show_counts(screen, "RAM", contents.ram)
    if any(contents.bitmaps.values()):
        _show_counts(screen, "dirty bitmaps", contents.bitmaps)
    for device in inspection.verdict.devices:
        screen.line()
        _show_device(screen, device, dump=dump)
    if inspection.dropped:
        screen.line()
        screen.line(f"{inspection.dropped} more structures are not shown")
    screen.line()
    show_verdict(screen, subject, inspection.verdict, passed="well-formed")
    if contents.description is not None:
        import json

        screen.line()
        try:
            screen.line(json.dumps(json.loads(contents.description), indent=2))
        except ValueError:
            # Shown as it is: that it is malformed is in the verdict.
            screen.line(printable(contents.description))


def _machine(contents: Contents) -> str:
    capabilities = f", {', '.join(contents.capabilities)}" if contents.capabilities else ""
    return f", machine {printable(contents.machine)}{capabilities}" if contents.machine else capabilities


def _show_parts(screen: Screen, names: Sequence[str], contents: Contents) -> None:
    parts = contents.parts
    width = max((len(str(part.offset)) for part in parts), default=0)
    channel = None
    for part in parts:
        if part.channel != channel:
            channel = part.channel
            screen.line()
            if len(names) > 1:
                screen.line((f"channel {channel}: {printable(names[channel])}", "bold"))
            screen.line((f"{'offset'.rjust(width)}  {'bytes'.rjust(10)}  part", "dim"))
        _show_part(screen, part, width, 0)
    if contents.dropped:
        screen.line(f"{contents.dropped} more parts are not shown")


def _show_part(screen: Screen, part: Part, width: int, depth: int) -> None:
    length = "?" if part.length is None else str(part.length)
    words = [f" {printable(part.name)}"] if part.name else []
    if part.kind in SECTIONS:
        instance = f", instance {part.instance}" if part.instance else ""
        words.append(f"  section {part.section_id}{instance}")
        if part.sized == "search":
            words.append(", its end was searched for")
        elif part.sized is None:
            words.append(", not complete")
    if part.index is not None:
        words.append(f"  index {part.index}")
    screen.line(
        (str(part.offset).rjust(max(width, 6)), "dim"),
        "  ",
        length.rjust(10),
        "  " + "  " * depth,
        (part.kind, "bold cyan" if part.kind in SECTIONS else "cyan"),
        *words,
    )
    for inner in part.parts:
        _show_part(screen, inner, width, depth + 1)


def _show_counts(screen: Screen, of: str, counts: Mapping[str, int]) -> None:
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count)
    screen.line((of, "bold"), ": ", told or "none in these channels")


def _show_device(screen: Screen, device: Device, *, dump: bool) -> None:
    pieces = "1 piece" if len(device.extents) == 1 else f"{len(device.extents)} pieces"
    screen.line(("device ", "bold"), (printable(device.name), "bold"), f": {device.length} bytes in {pieces}")
    for channel, offset, length, phase in device.extents[:PIECES_SHOWN]:
        of_channel = f" of channel {channel}" if channel else ""
        screen.line(f"  {length} bytes at offset {offset}{of_channel}, {phase}")
    if len(device.extents) > PIECES_SHOWN:
        screen.line(f"  and {len(device.extents) - PIECES_SHOWN} pieces more")
    config = device.to_dict()["config"]
    if config is None:
        screen.line("  no PCI configuration")
    else:
        of_channel = f" of channel {config['channel']}" if config["channel"] else ""
        names = ", ".join(f"{each['name']} at {each['offset']:#04x}" for each in config["capabilities"])
        screen.line(
            f"  PCI configuration {config['pci_id']}, subsystem {config['subsystem_id']}, class {config['class']}, "
            f"{config['length']} bytes at offset {config['offset']}{of_channel}; "
            f"capabilities: {names or 'none'}"
        )
    if device.path is not None:
        screen.line("  written to ", (printable(device.path), "bold"))
    show_structures(screen, device.structures, dump=dump)


PIECES_SHOWN = 16
"""Pieces of a device's stream that are listed; JSON has them all."""
