"""Commands that judge: `check` and `verify`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import transire
from transire import Outcome, Profile, ProfileError, Target
from transire.cli.arguments import (
    SEVERAL,
    VERDICTS,
    add_device,
    add_format,
    add_input,
    add_json,
    add_offset,
    add_targets,
    command,
    settle_input,
)
from transire.cli.failure import NOTHING_JUDGED, CommandError, about, asked_of, complain
from transire.cli.files import (
    called,
    load_machine,
    load_target,
    load_targets,
    migrations_in,
    read_once,
    source_of,
    split_target,
)
from transire.cli.progress import progress
from transire.cli.show import Screen, show_verdict, write_json

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from transire import Verdict

SEVERITY = list(Outcome)
"""Outcomes, mildest first."""


def add_commands(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the commands of this room."""
    added = command(
        commands,
        "check",
        check,
        summary="judge a source, from its profile or the first bytes of its stream",
        description="""
Judge before anything is moved: SOURCE is the profile of a device, in any form,
or a stream, of which no more is read than tells its source. What only the whole
stream shows, `transire verify` finds. A migration stream of QEMU is read to its
end, and one of its devices judged.""",
        examples="""
transire check source.toml target.toml
transire check transire.bin target.toml --json
transire check source.toml target.toml --both
transire check vm.stream target.toml --device 0000:00:04.0
ssh there cat /run/device.profile | transire check - target.toml""",
        codes=VERDICTS + "  with --both the worse of the two\n",
    )
    added.add_argument("source", metavar="SOURCE", help="a profile in any form, or a stream")
    added.add_argument("target", metavar="TARGET", help="a target; a profile in any form is one too")
    added.add_argument(
        "--both", action="store_true", help="judge the way back too; both must be profiles or targets then"
    )
    add_device(added)
    add_json(added, "for machines, one object a line and direction")

    added = command(
        commands,
        "verify",
        verify,
        summary="judge and check whole streams",
        description="""
Read each stream to its end, judge its source against the target, and check every
structure, length and checksum. Standards: `strict` is the measure of transire;
`driver` is what the target's kernel driver would do with these bytes, given the
write() calls that it gets; `qemu` is what QEMU would do with a migration stream.

A migration stream of QEMU, also behind libvirt's header, is walked to its end, and
every VFIO device in it judged. The files of a migration with several channels are
given together.""",
        examples="""
transire verify device.bin --target target.toml
transire verify *.bin --target target.toml --json
transire verify device.bin --target target.toml --standard driver --writes split:24
zstdcat device.bin.zst | transire verify - --target target.toml
transire verify vm.stream --target 0000:00:04.0=a.toml --target b.toml
transire verify main.bin channel1.bin channel2.bin --target target.toml
transire verify vm.stream --target target.toml --standard qemu""",
        codes=VERDICTS + SEVERAL,
    )
    added.add_argument("file", nargs="+", metavar="FILE", help="a stream, or the channels of one migration")
    add_targets(added)
    added.add_argument(
        "--standard", choices=("strict", "driver", "qemu"), default="strict", help="the measure (strict)"
    )
    added.add_argument(
        "--writes",
        metavar="WRITES",
        help="for the driver, how the bytes are written: whole (default), each:N or split:A,B,...",
    )
    added.add_argument(
        "--earlier",
        choices=("none", "unknown"),
        help="for the driver, what went before on the open device: none (default), or unknown; where the driver keeps "
        "something of it, the verdict then says what it depends on",
    )
    add_input(added)
    add_format(added)
    add_offset(added)
    add_json(added, "for machines, one object a file or migration (a line each, for several)")


def check(arguments: Namespace) -> int:
    """Run `transire check`."""
    source, target = arguments.source, arguments.target
    read_once((source, target))
    if not arguments.both:
        loaded = load_target(target)
        with asked_of(called(source)), progress(called(source)) as watch:
            verdict = transire.check(source_of(source), loaded, device=arguments.device, progress=watch)
        directions = [(source, target, verdict)]
    else:
        if arguments.device is not None:
            raise CommandError("--device is of a migration stream; with --both each side is a profile or a target")
        here, there = _side(source), _side(target)
        directions = [
            (source, target, transire.check(_profile(here), there)),
            (target, source, transire.check(_profile(there), here)),
        ]
    screen = Screen(sys.stdout)
    for left, entered, verdict in directions:
        if arguments.json:
            write_json({"source": left, "target": entered}, verdict, indent=None if arguments.both else 2)
        else:
            show_verdict(screen, f"{called(left)} into {called(entered)}", verdict)
    return worst([verdict for _, _, verdict in directions])


def _side(name: str) -> Target | Profile:
    """Load what can be the source and the target."""
    if name == "-":
        return load_target(name)
    with about(name):
        try:
            return Target.load(name)
        except ProfileError as error:
            try:
                # A profile may contradict itself, which a target must not.
                return Profile.load(name)
            except ProfileError:
                raise CommandError(f"{name}: {error}; with --both each side is a profile or a target") from None


def _profile(side: Target | Profile) -> Profile:
    return side.profile if isinstance(side, Target) else side


def verify(arguments: Namespace) -> int:
    """Run `transire verify`."""
    targets_named = [split_target(argument)[1] for argument in arguments.target]
    read_once((*arguments.file, *targets_named, arguments.machine or ""))
    for name in ("writes", "earlier"):
        if getattr(arguments, name) is not None and arguments.standard != "driver":
            raise CommandError(f"--{name} goes with --standard driver")
    settle_input(arguments)
    target = load_targets(arguments.target, arguments.input)
    machine = load_machine(arguments.machine)
    screen = Screen(sys.stdout)
    groups = migrations_in(arguments.file, arguments.offset)
    verdicts = []
    for names in groups:
        subject = ", ".join(map(called, names))
        try:
            with asked_of(subject), progress(subject) as watch:
                verdict = transire.verify(
                    source_of(names[0]) if len(names) == 1 else [source_of(name) for name in names],
                    target,
                    standard=arguments.standard,
                    input=arguments.input,
                    format=arguments.format,
                    writes=arguments.writes or "whole",
                    earlier=arguments.earlier or "none",
                    machine=machine,
                    offset=arguments.offset,
                    progress=watch,
                )
        except CommandError as error:
            complain(str(error))
            continue
        verdicts.append(verdict)
        if arguments.json:
            named = {"file": names[0]} if len(names) == 1 else {"files": names}
            write_json(named, verdict, indent=None if len(groups) > 1 else 2)
        else:
            show_verdict(screen, subject, verdict)
    return worst(verdicts) if len(verdicts) == len(groups) else NOTHING_JUDGED


def worst(verdicts: list[Verdict]) -> int:
    """Return the exit code of the worst of them."""
    return max((verdict.outcome for verdict in verdicts), key=SEVERITY.index).exit_code
