"""What the names on the command line stand for: `-` is standard input, and can be read once."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISFIFO, S_ISREG
from typing import TYPE_CHECKING, BinaryIO

from transire import Machine, Profile, Target, TransireError, container_of
from transire.cli.failure import CommandError, about, asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STANDARD_INPUT = "standard input"
"""What messages call `-`."""
STANDARD_OUTPUT = "standard output"
"""What messages call the way out."""
TEXT_MAX = 1 << 20
"""Longest profile or target, in bytes; one more is read, and refused by name."""


def called(name: str) -> str:
    """Say what messages call this file."""
    return STANDARD_INPUT if name == "-" else name


def read_once(names: Iterable[str]) -> None:
    """Refuse `-` for more than one argument."""
    if sum(name == "-" for name in names) > 1:
        raise CommandError("standard input (-) can be read for one argument only")


def source_of(name: str) -> str | BinaryIO:
    """Return what the API takes for this file: its path, or standard input."""
    return standard_input() if name == "-" else name


def standard_input() -> BinaryIO:
    """Return standard input, for bytes."""
    # Python has none where the descriptor was closed.
    if sys.stdin is None:
        raise CommandError(f"{STANDARD_INPUT}: it is closed")
    return sys.stdin.buffer


def standard_output() -> BinaryIO:
    """Return standard output for a stream of bytes, which is nothing for a terminal."""
    if sys.stdout is None:
        raise CommandError(f"{STANDARD_OUTPUT}: it is closed")
    if sys.stdout.isatty():
        raise CommandError(f"{STANDARD_OUTPUT} is a terminal, and this is no text: redirect it to a file or a pipe")
    sys.stdout.flush()
    return sys.stdout.buffer


@contextmanager
def answers_to(name: str | None) -> Iterator[BinaryIO | None]:
    """Open what answers are written to: a file, a pipe, or `/dev/fd/N` for a descriptor that was handed down."""
    if name is None:
        yield None
        return
    if name == "-":
        raise CommandError(f"{STANDARD_OUTPUT} takes the payload: name another file for answers, or /dev/fd/N")
    with about(name):
        handed_down = re.fullmatch(r"/dev/fd/(\d{1,9})", name)
        # Opened again it would be another one, and a socket cannot be.
        answers = open(os.dup(int(handed_down[1])) if handed_down else name, "wb", buffering=0)  # noqa: PTH123, SIM115
    with answers:
        yield answers


def load_profile(name: str) -> Profile:
    """Load a profile in any form."""
    with about(called(name)):
        return Profile.read(_text()) if name == "-" else Profile.load(name)


def load_history(name: str, form: str) -> Profile:
    """Load a profile in one of the forms of the proposals that were never merged."""
    with asked_of(called(name)):
        text = _text() if name == "-" else Path(name).read_bytes()[: TEXT_MAX + 1]
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 at offset {error.start}") from None
        return Profile.from_self(decoded) if form == "self" else Profile.from_migration_version(decoded)


def load_target(name: str) -> Target:
    """Load a target; a profile in any form is one too."""
    with about(called(name)):
        return Target.read(_text()) if name == "-" else Target.load(name)


def split_target(argument: str) -> tuple[str | None, str]:
    """Take `DEVICE=TARGET` apart; a target without a device, or a file whose name has the sign, has none."""
    device, sign, name = argument.partition("=")
    # As a stream has it, or without what stands behind it there.
    device = device.removesuffix("/vfio")
    if not sign or "/" in device or Path(argument).exists():
        return None, argument
    if not device:
        raise CommandError(f"--target {argument}: before the sign the device is missing, as in 0000:00:04.0=TARGET")
    return device, name


def load_targets(arguments: list[str], kind: str) -> Target | list[Target] | dict[str | None, Target]:
    """Load targets, by device where devices are named. Only for the input `qemu` there may be none."""
    if not arguments and kind != "qemu":
        raise CommandError("--target is missing: what the device is; without any VFIO device, --input qemu says so")
    targets: dict[str | None, Target] = {}
    unnamed: list[Target] = []
    for argument in arguments:
        device, name = split_target(argument)
        target = load_target(name)
        if device is None:
            unnamed.append(target)
        elif device in targets:
            raise CommandError(f"--target: two targets for the device {device}")
        else:
            targets[device] = target
    if not targets:
        return unnamed[0] if len(unnamed) == 1 else unnamed
    if len(unnamed) > 1:
        raise CommandError("--target: where devices are named, one target without a device is for all others")
    return targets | dict.fromkeys([None], unnamed[0]) if unnamed else targets


def load_machine(name: str | None) -> Machine | None:
    """Read what is known of a machine from a stream that it saved."""
    if name is None:
        return None
    with asked_of(called(name)):
        try:
            return Machine.read(source_of(name))
        except TransireError as error:
            # Nothing was judged: this is not the stream that a verdict was asked of.
            raise ValueError(f"no migration stream that a machine saved: {error}") from None


def container_in(name: str, offset: int = 0) -> str | None:
    """Say what container a file is, without taking a byte from what can be read once only."""
    try:
        path = Path(name)
        if name == "-" or not S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            file.seek(offset)
            return container_of(file.read(16))
    except (OSError, ValueError):
        # Whoever reads the file says what is wrong with it.
        return None


def migrations_in(names: list[str], offset: int = 0) -> list[list[str]]:
    """Tell which files are the channels of one migration: one main channel, and nothing but further ones."""
    kinds = [container_in(name, offset if number == 0 else 0) for number, name in enumerate(names)]
    further = kinds.count("qemu-channel")
    mains = kinds.count("qemu") + kinds.count("libvirt")
    # Whatever can be read once only belongs to the channels beside it: nobody looks into it to tell.
    unseen = sum(map(_is_read_once, names))
    if further and mains <= 1 and mains + unseen >= 1 and further + mains + unseen == len(names):
        return [names]
    return [[name] for name in names]


def _is_read_once(name: str) -> bool:
    try:
        return name == "-" or S_ISFIFO(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return False


def _text() -> bytes:
    return standard_input().read(TEXT_MAX + 1)
