"""Arguments that commands share, and how every command describes itself."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace, _SubParsersAction
    from collections.abc import Callable

VERDICTS = """\
exit codes:
  0 compatible: load it            4 corrupt: damaged or hostile
  1 incompatible: for another      5 truncated: it ended early
    kind of device                 6 unknown: data are lacking
  2 usage or I/O error: nothing    7 fixable: load it after the
    was judged                       listed settings are made
  3 unrecognized: no format here knows it
"""
"""The exit codes of commands that judge."""

PLAIN = """\
exit codes:
  0 done
  2 usage or I/O error
"""
"""The exit codes of commands that do not judge."""

SEVERAL = "  of several files the worst; 2 before all others\n"
"""What is added for commands that take several files."""


def command(
    commands: _SubParsersAction[ArgumentParser],
    name: str,
    run: Callable[[Namespace], int],
    *,
    summary: str,
    description: str,
    examples: str,
    codes: str = VERDICTS,
) -> ArgumentParser:
    """Add a command: what it is for, examples, and its exit codes."""
    indented = "\n".join(f"  {line}" for line in examples.strip().splitlines())
    added = commands.add_parser(
        name,
        help=summary,
        description=description.strip(),
        epilog=f"examples:\n{indented}\n\n{codes}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    added.set_defaults(run=run)
    return added


def add_json(parser: ArgumentParser, meaning: str = "for machines") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=f"{meaning}: JSON with a schema number")


def add_target(parser: ArgumentParser) -> None:
    """Add `--target`."""
    parser.add_argument(
        "--target", required=True, metavar="TARGET", help="what the device is that the stream is for: TOML or JSON"
    )


def add_targets(parser: ArgumentParser) -> None:
    """Add `--target` for what may hold several devices, and what is said of their machine."""
    parser.add_argument(
        "--target",
        default=[],
        action="append",
        metavar="[DEVICE=]TARGET",
        help="what the device is that the stream is for: TOML or JSON. Of a migration with several devices, which one: "
        "0000:00:04.0=TARGET; one without a device is for every other device (of its vendor, where there are several). "
        "Only --input qemu does without: a machine that has no VFIO device",
    )
    parser.add_argument(
        "--machine",
        metavar="STREAM",
        help="a migration stream that the target's machine itself saved: PCI configurations are held against it, and "
        "with --standard qemu what else the machine has",
    )


INPUTS = ("auto", "native", "sealed", "qemu")
"""What may come in, as users name it."""
RETURN_PATH = "qemu-return-path"
"""What a destination of QEMU sends back, which can be inspected. It has no magic."""


def add_input(parser: ArgumentParser, inputs: tuple[str, ...] = INPUTS) -> None:
    """Add `--input`."""
    parser.add_argument(
        "--input", choices=inputs, default="auto", help="what may come in (auto: whatever is recognised)"
    )


def add_offset(parser: ArgumentParser) -> None:
    """Add `--offset`."""
    parser.add_argument(
        "--offset",
        type=length,
        default=0,
        metavar="BYTES",
        help="where a migration stream begins in its file, as `migrate file:PATH,offset=BYTES` put it",
    )


def add_format(parser: ArgumentParser) -> None:
    """Add `--format`."""
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help="take the stream for this format, one that `transire formats` lists, with its options: "
        "NAME or NAME:OPTION=VALUE,...",
    )


def settle_input(arguments: Namespace) -> None:
    """Refuse an input or a format that no file could be, once, and before any file is opened."""
    from transire import inspect

    inspect(b"", input=arguments.input, format=arguments.format)


def add_admit(parser: ArgumentParser) -> None:
    """Add `--admit`."""
    parser.add_argument(
        "--admit",
        action="append",
        choices=("fixable", "unknown"),
        default=[],
        help="deliver such a stream too; may be given twice. The exit code stays that of the outcome",
    )


def add_deadline(parser: ArgumentParser) -> None:
    """Add `--deadline`."""
    parser.add_argument(
        "--deadline",
        type=_seconds,
        metavar="SECONDS",
        help="take the stream for truncated after so long without a byte, and fail if the reader of the payload takes "
        "nothing for so long (default: wait)",
    )


def add_answer(parser: ArgumentParser) -> None:
    """Add `--answer`."""
    parser.add_argument(
        "--answer",
        metavar="FILE",
        help="write the answer to the source of a sealed stream there: the early one as soon as the header is judged, "
        "and behind it the final one at the end. A file, a pipe, or /dev/fd/N",
    )


def add_device(parser: ArgumentParser) -> None:
    """Add `--device`."""
    parser.add_argument(
        "--device",
        metavar="DEVICE",
        help="of a migration stream with several devices, which one: 0000:00:04.0",
    )


def add_quiet(parser: ArgumentParser) -> None:
    """Add `--quiet`."""
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing of a stream that passes")


def add_input_file(parser: ArgumentParser) -> None:
    """Add the stream that is read."""
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="the stream (default: standard input)")


def length(text: str) -> int:
    """Read a number of bytes, as an envelope can announce it."""
    try:
        count = int(text)
    except ValueError:
        count = -1
    if not 0 <= count < 1 << 64:
        raise ArgumentTypeError(f"{text!r} is no number of bytes")
    return count


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # A year: what is longer is a mistake, and nothing that a clock can be set to.
    if not 0.0 < seconds <= 366 * 86_400:
        raise ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds
