"""Commands that describe: `formats`, `inspect` and `explain`."""

from __future__ import annotations

import codecs
import re
import sys
from typing import TYPE_CHECKING, BinaryIO

import transire
from transire import Profile, ProfileError, Target
from transire.cli.anatomy import show_inspection
from transire.cli.arguments import (
    INPUTS,
    PLAIN,
    RETURN_PATH,
    SEVERAL,
    VERDICTS,
    add_format,
    add_input,
    add_json,
    add_offset,
    command,
    settle_input,
)
from transire.cli.contents import show_contents
from transire.cli.failure import NOTHING_JUDGED, CommandError, asked_of, complain
from transire.cli.files import TEXT_MAX, called, container_in, migrations_in, read_once, source_of, standard_input
from transire.cli.judging import SEVERITY
from transire.cli.profiles import show_profile
from transire.cli.progress import progress
from transire.cli.show import Screen, write_json

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from typing import Any

    from transire import FormatInfo, Inspection

HEAD = 4096
"""Bytes that are looked at to tell a text from a stream."""

SCHEMA = 1
"""The schema number of what is described here."""


def add_commands(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the commands of this room."""
    added = command(
        commands,
        "formats",
        formats,
        summary="list the vendors and formats, and what a stream can prove",
        description="""
List every vendor and every format that is known, a line each: what in a stream
identifies its source, how much of that the kernel driver checks, whether the end is
marked, whether anything protects the payload, and whether sealing adds something.
With a NAME, all that is known of that vendor or format.""",
        examples="transire formats\ntransire formats mtty\ntransire formats --json",
        codes=PLAIN,
    )
    added.add_argument("name", nargs="*", metavar="NAME", help="a vendor or a format, to be told in full")
    add_json(added)

    added = command(
        commands,
        "inspect",
        inspect,
        summary="show every field of a stream",
        description="""
Show every structure of a stream, sealed ones opened, and of each field the offset,
the raw bytes, the value and the meaning. A damaged stream is shown as far as it
can be read. A profile is shown as `transire profile show` does.

Of a migration stream of QEMU: every section with its offset and size, RAM summed
up, and every VFIO device with its structures. The files of a migration with several
channels are given together.""",
        examples="""
transire inspect device.bin
transire inspect device.sealed --hex
transire inspect vm.stream --extract devices
transire inspect main.bin channel1.bin channel2.bin --json
transire inspect *.bin --json | jq -r '[.file, .outcome] | @tsv'""",
        codes=VERDICTS.replace("compatible: load it  ", "well-formed          ") + SEVERAL,
    )
    added.add_argument("file", nargs="+", metavar="FILE", help="a stream or a profile")
    add_json(added, "for machines, one object a file (a line each, for several)")
    added.add_argument("--hex", action="store_true", help="add a dump of each structure, with the names of its fields")
    added.add_argument(
        "--describe", action="store_true", help="print the description of itself that a migration stream carries"
    )
    added.add_argument(
        "--extract",
        metavar="DIR",
        help="write the stream of each device of a migration to a file in this directory; none is written over",
    )
    add_input(added, (*INPUTS, RETURN_PATH))
    add_format(added)
    add_offset(added)


def formats(arguments: Namespace) -> int:
    """Run `transire formats`."""
    known = transire.formats()
    vendors = transire.vendors()
    if arguments.json:
        of_vendors = [{"name": each.name, "title": each.title, "formats": list(each.formats)} for each in vendors]
        write_json({}, {"schema": SCHEMA, "vendors": of_vendors, "formats": [_format(each) for each in known]})
        return 0
    screen = Screen(sys.stdout)
    if arguments.name:
        for name in arguments.name:
            found = [each for each in known if name in (each.name, each.vendor)]
            for each in found:
                _in_full(screen, each)
            if not found:
                titles = [vendor.title for vendor in vendors if vendor.name == name]
                if not titles:
                    raise CommandError(f"{name}: no vendor or format has this name; `transire formats` lists them")
                screen.line((name, "bold"), "  opaque only  ", titles[0])
        return 0
    rows = [[each.name, *_at_a_glance(each)] for each in known]
    rows += [[vendor.name, *OPAQUE] for vendor in vendors if not vendor.formats]
    widths = [max(len(row[at]) for row in [GLANCE, *rows]) for at in range(len(GLANCE))]
    screen.line(("  ".join(map(str.ljust, GLANCE, widths)).rstrip(), "bold"))
    for row in rows:
        screen.line(
            (row[0].ljust(widths[0]), "bold cyan"), "  ", "  ".join(map(str.ljust, row[1:], widths[1:])).rstrip()
        )
    return 0


GLANCE = ("FORMAT", "IDENTIFIED BY", "DRIVER CHECKS", "END MARKED", "PAYLOAD PROTECTED", "SEALING ADDS")
"""The columns of the list."""
OPAQUE = ("-", "-", "-", "-", "all (opaque only)")
"""What is said of a vendor without a format."""


def _at_a_glance(each: FormatInfo) -> list[str]:
    glance = each.glance
    identity = str(glance["identity"]) or "nothing"
    if each.role == "target":
        return [identity, "a target's own record", "-", "-", "-"]
    yes = [("yes" if glance[what] else "no") for what in ("end_marked", "payload_protected", "sealing_adds")]
    return [identity, str(glance["driver_checks"]), *yes]


def _in_full(screen: Screen, each: FormatInfo) -> None:
    screen.line((each.vendor, "bold"), "  ", (each.name, "bold cyan"), "  ", each.title)
    screen.line("    identified by  ", each.identity)
    screen.line("    driver checks  ", each.driver_checks)
    screen.line("    end            ", each.end)
    screen.line("    payload        ", each.payload)
    screen.line("    sealing adds   ", each.sealing_adds)
    screen.line("    judged         ", _when(each))
    for name, values, meaning in each.options:
        screen.line("    option         ", f"{each.name}:{name}={'|'.join(values)}  {meaning}")


def _format(each: FormatInfo) -> dict[str, Any]:
    hold, most = each.hold
    return {
        "name": each.name,
        "vendor": each.vendor,
        "title": each.title,
        "role": each.role,
        "glance": each.glance,
        "options": [{"name": name, "values": values, "meaning": meaning} for name, values, meaning in each.options],
        "identity": each.identity,
        "driver_checks": each.driver_checks,
        "end": each.end,
        "payload": each.payload,
        "sealing_adds": each.sealing_adds,
        "judged_within": each.judged_within,
        "hold": {"kind": hold, "bytes": most},
        "has_driver": each.has_driver,
    }


def _when(each: FormatInfo) -> str:
    kind, most = each.hold
    held = {
        "whole": f"held whole until it has passed, {most} bytes at most",
        "record": f"each record held until it has passed, {most} bytes at most",
        "prefix": f"the first {most} bytes held until they have passed",
    }[kind]
    early = "at the end" if each.judged_within is None else f"within {each.judged_within} bytes"
    return f"{early}; {held}"


def inspect(arguments: Namespace) -> int:
    """Run `transire inspect`."""
    read_once(arguments.file)
    settle_input(arguments)
    screen = Screen(sys.stdout)
    groups = migrations_in(arguments.file, arguments.offset)
    indent = None if len(groups) > 1 else 2
    outcomes = []
    for number, names in enumerate(groups):
        subject = ", ".join(map(called, names))
        try:
            with asked_of(subject):
                found = _look(names, arguments)
                if arguments.describe and (isinstance(found, Profile) or found.container is None):
                    raise ValueError("only a migration stream has a description of itself: leave --describe away")
        except CommandError as error:
            complain(str(error))
            continue
        outcomes.append(transire.Outcome.COMPATIBLE if isinstance(found, Profile) else found.verdict.outcome)
        named = {"file": names[0]} if len(names) == 1 else {"files": names}
        if arguments.json and isinstance(found, Profile):
            import json

            write_json(
                named,
                {**json.loads(found.to_json()), "format": "profile", "outcome": "compatible"},
                indent=indent,
            )
        elif arguments.json and not isinstance(found, Profile):
            write_json(named, {**found.to_dict(), **_description(found)}, indent=indent)
        else:
            if number:
                screen.line()
            if isinstance(found, Profile):
                show_profile(screen, subject, found)
            elif found.container is not None:
                show_contents(screen, [called(name) for name in names], found, dump=arguments.hex)
            else:
                show_inspection(screen, subject, found, dump=arguments.hex)
    if len(outcomes) < len(groups):
        return NOTHING_JUDGED
    return max(outcomes, key=SEVERITY.index).exit_code


def _description(found: Inspection) -> dict[str, Any]:
    """Give the stream's description of itself, where it was asked for; malformed JSON as a text."""
    if found.container is None or found.container.description is None:
        return {}
    import json

    try:
        return {"description": json.loads(found.container.description)}
    except ValueError:
        return {"description": found.container.description}


class _Continued:
    """A pipe from which the first bytes have been read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self.head = head
        self.rest = rest

    def read(self, size: int, /) -> bytes:
        """Read what comes next."""
        taken, self.head = self.head[:size], self.head[size:]
        return taken or self.rest.read(size) or b""


def _look(names: list[str], arguments: Namespace) -> Inspection | Profile:
    """Open what is a stream, a migration or a text."""
    name = names[0]
    of_migration = len(names) > 1 or arguments.input in ("qemu", RETURN_PATH)
    of_migration = of_migration or container_in(name, arguments.offset) is not None
    if of_migration or arguments.extract is not None or arguments.offset:
        sources = source_of(name) if len(names) == 1 else [source_of(each) for each in names]
        with progress(", ".join(map(called, names))) as watch:
            if arguments.extract is not None:
                return transire.extract(
                    sources,
                    arguments.extract,
                    input=arguments.input,
                    format=arguments.format,
                    offset=arguments.offset,
                    describe=arguments.describe,
                    progress=watch,
                )
            return transire.inspect(
                sources,
                input=arguments.input,
                format=arguments.format,
                offset=arguments.offset,
                describe=arguments.describe,
                progress=watch,
            )
    if name == "-":
        return _look_at(standard_input(), called(name), arguments)
    with open(name, "rb") as file:  # noqa: PTH123  # a path of any form, as it was typed
        return _look_at(file, called(name), arguments)


def _look_at(file: BinaryIO, name: str, arguments: Namespace) -> Inspection | Profile:
    head = file.read(HEAD)
    if arguments.format is None and arguments.input == "auto" and _is_text(head):
        text = head + file.read(TEXT_MAX + 1 - len(head))
        profile = _profile_in(text)
        if profile is not None:
            return profile
        return transire.inspect(text)
    with progress(name) as watch:
        return transire.inspect(
            _Continued(head, file),
            input=arguments.input,
            format=arguments.format,
            describe=arguments.describe,
            progress=watch,
        )


def _is_text(head: bytes) -> bool:
    try:
        # A cut may be inside a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return False
    return bool(text) and "\0" not in text and not text.startswith("TRANSIRE")


def _profile_in(text: bytes) -> Profile | None:
    """Read a profile or the profile of a target; `None` for a text that is neither and does not look like it."""
    try:
        return Profile.read(text)
    except ProfileError as error:
        if not re.search(rb'^(?:\s*|\{.*)"?vendor"?\s*[=:]|\Atransire1\.', text, re.MULTILINE):
            return None
        try:
            return Target.read(text).profile
        except ProfileError:
            raise error from None
