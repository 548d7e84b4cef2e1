"""The command `profile`: the small papers that say what a device is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import transire
from transire import TransireError
from transire.cli.arguments import PLAIN, VERDICTS, add_device, add_format, add_json, command
from transire.cli.failure import about, asked_of
from transire.cli.files import called, load_history, load_profile, source_of, standard_output
from transire.cli.progress import progress
from transire.cli.show import Screen, show_verdict

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from transire import Profile

FORMS = """A profile has four forms, all of which are read everywhere: TOML, JSON, canonical
bytes, and one line of text that begins with `transire1.`."""


def add_commands(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the commands of this room."""
    top = command(
        commands,
        "profile",
        lambda _: 0,
        summary="make, read and convert profiles",
        description=f"A profile says what a device is.\n{FORMS}",
        examples="""
transire profile template mtty > target.toml
transire profile read device.bin > source.toml
transire profile encode source.toml --text
transire profile decode source.profile""",
        codes=PLAIN,
    )
    inner = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    added = command(
        inner,
        "template",
        template,
        summary="print a commented target to fill in",
        description="""
Print a target for a device of this vendor: every attribute with its meaning, its
type and where a running host has its value, all commented out.""",
        examples="transire profile template mtty > target.toml",
        codes=PLAIN,
    )
    added.add_argument("vendor", metavar="VENDOR", help="one that `transire formats` lists")

    added = command(
        inner,
        "read",
        read,
        summary="print the profile of the device that a stream comes from",
        description="""
Read the first bytes of a stream, and print what they say of its source. A migration
stream of QEMU is read to its end, and one of its devices told.""",
        examples="""
transire profile read device.bin > source.toml
transire profile read - --text < device.sealed
transire profile read vm.stream --device 0000:00:04.0""",
        codes=VERDICTS + "  (of the stream, where it has no profile to read)\n",
    )
    added.add_argument("stream", metavar="STREAM", help="a stream, sealed or native, or a migration stream")
    add_device(added)
    forms = added.add_mutually_exclusive_group()
    forms.add_argument("--toml", action="store_const", const="toml", dest="form", help="as TOML (default)")
    forms.add_argument("--json", action="store_const", const="json", dest="form", help="as JSON with a schema number")
    forms.add_argument("--text", action="store_const", const="text", dest="form", help="as one line of text")
    added.set_defaults(form="toml")
    add_format(added)

    added = command(
        inner,
        "show",
        show,
        summary="show a profile with the meaning of its attributes",
        description=f"Show a profile, attribute by attribute.\n{FORMS}",
        examples="""
transire profile show source.toml
echo transire1.VFJBTlNJUkUaAAA... | transire profile show - --json""",
        codes=PLAIN,
    )
    added.add_argument("file", metavar="FILE", help="a profile in any form")
    add_json(added)

    added = command(
        inner,
        "encode",
        encode,
        summary="write a profile as canonical bytes or as one line of text",
        description=f"Write a profile in the form that goes over a wire.\n{FORMS}",
        examples="""
transire profile encode source.toml -o source.profile
transire profile encode source.toml --text""",
        codes=PLAIN,
    )
    added.add_argument("file", metavar="FILE", help="a profile in any form")
    added.add_argument("--text", action="store_true", help="as one line of text")
    added.add_argument("-o", dest="out", metavar="OUT", help="write to this file, not to standard output")

    added = command(
        inner,
        "decode",
        decode,
        summary="write a profile as TOML or JSON",
        description=f"Write a profile in a form that people edit.\n{FORMS}",
        examples="""
transire profile decode source.profile > source.toml
transire profile decode source.profile --json
echo 8086-5912-GVTg_V5_8-00000001 | transire profile decode - --as migration-version""",
        codes=PLAIN,
    )
    added.add_argument("file", metavar="FILE", help="a profile in any form")
    added.add_argument(
        "--as",
        dest="history",
        choices=("migration-version", "self"),
        help="FILE is of a proposal for the kernel that was never merged: a migration_version string of GVT-g"
        " (2019 and 2020), or a migration/self file (August 2020)",
    )
    add_json(added, "as JSON")


def template(arguments: Namespace) -> int:
    """Run `transire profile template`."""
    print(transire.template(arguments.vendor), end="")
    return 0


def read(arguments: Namespace) -> int:
    """Run `transire profile read`."""
    name = called(arguments.stream)
    try:
        with asked_of(name), progress(name) as watch:
            profile = transire.profile_of(
                source_of(arguments.stream), format=arguments.format, device=arguments.device, progress=watch
            )
    except TransireError as error:
        if error.verdict is None:
            raise
        show_verdict(Screen(sys.stderr), name, error.verdict)
        return error.verdict.outcome.exit_code
    forms = {"toml": profile.to_toml, "json": profile.to_json, "text": profile.to_text}
    _print(forms[arguments.form]())
    return 0


def show(arguments: Namespace) -> int:
    """Run `transire profile show`."""
    profile = load_profile(arguments.file)
    if arguments.json:
        _print(profile.to_json())
    else:
        show_profile(Screen(sys.stdout), called(arguments.file), profile)
    return 0


def encode(arguments: Namespace) -> int:
    """Run `transire profile encode`."""
    profile = load_profile(arguments.file)
    content = profile.to_text().encode() + b"\n" if arguments.text else profile.to_bytes()
    if arguments.out not in (None, "-"):
        with about(arguments.out):
            Path(arguments.out).write_bytes(content)
    elif arguments.text:
        _print(profile.to_text())
    else:
        standard_output().write(content)
    return 0


def decode(arguments: Namespace) -> int:
    """Run `transire profile decode`."""
    profile = load_history(arguments.file, arguments.history) if arguments.history else load_profile(arguments.file)
    _print(profile.to_json() if arguments.json else profile.to_toml())
    return 0


def show_profile(screen: Screen, subject: str, profile: Profile) -> None:
    """Write a profile for people: each attribute with its value and its meaning."""
    screen.line(f"{subject}: ", ("profile", "bold"), " of a device of vendor ", (profile.vendor, "bold"))
    vendor = next((vendor for vendor in transire.vendors() if vendor.name == profile.vendor), None)
    meanings = {attribute.name: attribute.meaning for attribute in vendor.attributes} if vendor else {}
    rows = [
        (name, _value(value), meanings.get(name, "not known here"))
        for name, value in profile.attributes.items()
        if name != "vendor"
    ]
    name_width = max((len(name) for name, _, _ in rows), default=0)
    value_width = min(max((len(value) for _, value, _ in rows), default=0), 32)
    for name, value, meaning in rows:
        screen.line("  ", (name.ljust(name_width), "cyan"), "  ", value.ljust(value_width), "  ", (meaning, "dim"))


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case bytes():
            return value.hex()
        case list() | tuple():
            return ", ".join(map(_value, value))
        case {"unknown": True}:
            return "not reported"
        case dict():
            return ", ".join(f"{key} = {_value(item)}" for key, item in value.items())
        case _:
            return str(value)


def _print(text: str) -> None:
    print(text.removesuffix("\n"))
