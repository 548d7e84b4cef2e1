"""All of the command line in one parser."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter

from transire import __version__
from transire.cli import describing, explaining, judging, passing, profiles
from transire.cli.arguments import VERDICTS

DESCRIPTION = """\
Judge the migration streams of assigned devices: whether a target takes what a
source saved, with the reasons, before any of it reaches the device.

A SOURCE is a stream or a profile; a TARGET is a file in TOML or JSON that says
what a device is and what it accepts. `transire profile template VENDOR` prints
one to fill in. `-` is standard input.
"""

EXAMPLES = """\
examples:
  transire inspect STREAM                      what is in it
  transire profile template mtty > target.toml
  transire verify STREAM --target target.toml  does the target take it?
  transire explain nr_ports.not-equal          why not?

Every command has --help, with examples.

"""

OTHERS = """\
  130 after Ctrl-C, 141 when the reader of standard output or of the answers went away
"""


def parser() -> ArgumentParser:
    """Build the parser; what it returns has `run`, the function of the command that was chosen."""
    top = ArgumentParser(
        prog="transire",
        description=DESCRIPTION,
        epilog=EXAMPLES + VERDICTS + OTHERS,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"transire {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for room in (describing, profiles, judging, passing, explaining):
        room.add_commands(commands)
    return top
