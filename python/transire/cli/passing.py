"""Commands that pass a stream on: `seal`, `unseal` and `gate`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import transire
from transire import Outcome
from transire.cli.arguments import (
    add_admit,
    add_answer,
    add_deadline,
    add_format,
    add_input,
    add_input_file,
    add_json,
    add_quiet,
    add_target,
    add_targets,
    command,
    length,
)
from transire.cli.failure import about, printable
from transire.cli.files import (
    STANDARD_OUTPUT,
    answers_to,
    called,
    load_machine,
    load_profile,
    load_target,
    load_targets,
    read_once,
    source_of,
    split_target,
    standard_output,
)
from transire.cli.progress import progress
from transire.cli.show import STYLES, Screen, show_verdict

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from transire import Verdict


def add_commands(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the commands of this room."""
    added = command(
        commands,
        "seal",
        seal,
        summary="put a stream into the envelope",
        description="""
Write a stream to standard output in the envelope that carries what the native
one lacks: the profile of its source, checksums, a digest and an end. A payload
that is damaged, or contradicts the profile, is not sealed: the envelope then ends
with an abort, and the exit code says why.""",
        examples="""
transire seal --profile source.toml < device.bin > device.sealed
transire seal --profile source.toml --device-label net0 < device.bin > device.sealed
transire seal --profile source.toml --payload-format opaque < any.bin > any.sealed
transire profile read device.bin | transire seal --profile - device.bin > device.sealed""",
    )
    add_input_file(added)
    added.add_argument("--profile", required=True, metavar="PROFILE", help="the device that was saved, in any form")
    added.add_argument("--digest", choices=("blake3", "none"), default="blake3", help="digest at the end (blake3)")
    added.add_argument(
        "--payload-format", metavar="FORMAT", help="the stream's format, or opaque (default: the vendor's own)"
    )
    added.add_argument("--payload-len", type=length, metavar="BYTES", help="announce the exact length of the stream")
    added.add_argument("--device-label", metavar="LABEL", help="which device of the virtual machine it is")
    add_quiet(added)

    added = command(
        commands,
        "unseal",
        unseal,
        summary="take a stream out of the envelope, if the target takes it",
        description="""
Write the payload of a sealed stream to standard output. Nothing leaves before the
verdict admits it, and no byte before its frame's checksum was right. Load it only
when the exit code is 0: what is found later ends the output early.""",
        examples="""
transire unseal --target target.toml < device.sealed > device.bin
nc -l 4444 | transire unseal --target target.toml --deadline 5 > device.bin
transire unseal --target target.toml --answer /dev/fd/7 < /dev/fd/7 > device.bin""",
    )
    add_input_file(added)
    add_target(added)
    add_admit(added)
    add_deadline(added)
    add_answer(added)
    add_json(added, "the verdict on standard error, for machines")
    add_quiet(added)

    added = command(
        commands,
        "gate",
        gate,
        summary="pass a stream on, if the target takes it",
        description="""
Judge a stream from its first bytes, and only then pass its payload on to standard
output; check it to its end on the way. The verdict comes on standard error, at
once where the target refuses. Load what was delivered only when the exit code is
0: what is found later ends the output early.

A migration stream of QEMU goes through as it is, up to what a target refuses; the
byte that ends its sections only when every device has passed.""",
        examples="""
transire gate --target target.toml < device.bin > checked.bin
transire gate --target target.toml --input sealed --deadline 5 < /dev/fd/7 > device.bin
transire gate --target target.toml --json < device.bin 2> verdict.json > checked.bin
transire gate --target target.toml --input qemu < vm.stream | ssh there cat > checked.stream""",
    )
    add_input_file(added)
    add_targets(added)
    add_input(added)
    add_format(added)
    add_admit(added)
    add_deadline(added)
    add_answer(added)
    add_json(added, "the verdict on standard error, for machines")
    add_quiet(added)


def seal(arguments: Namespace) -> int:
    """Run `transire seal`."""
    read_once((arguments.file, arguments.profile))
    profile = load_profile(arguments.profile)
    sink = standard_output()
    with about(called(arguments.file), STANDARD_OUTPUT), progress("sealing") as watch:
        verdict = transire.seal(
            source_of(arguments.file),
            profile,
            sink,
            payload_format=arguments.payload_format,
            digest=arguments.digest,
            payload_len=arguments.payload_len,
            device_label=arguments.device_label,
            progress=watch,
        )
    return _end(arguments, verdict, "sealed", "aborted: what was written is no stream to be loaded")


def unseal(arguments: Namespace) -> int:
    """Run `transire unseal`."""
    read_once((arguments.file, arguments.target))
    target = load_target(arguments.target)
    sink = standard_output()
    with (
        answers_to(arguments.answer) as answers,
        about(called(arguments.file), STANDARD_OUTPUT),
        progress("unsealing") as watch,
    ):
        verdict = transire.unseal(
            source_of(arguments.file),
            target,
            sink,
            admit=arguments.admit,
            deadline=arguments.deadline,
            answer=answers,
            progress=watch,
        )
    return _end(arguments, verdict, "compatible", "not complete: do not load what was delivered")


def gate(arguments: Namespace) -> int:
    """Run `transire gate`."""
    targets_named = [split_target(argument)[1] for argument in arguments.target]
    read_once((arguments.file, *targets_named, arguments.machine or ""))
    target = load_targets(arguments.target, arguments.input)
    machine = load_machine(arguments.machine)
    sink = standard_output()
    with (
        answers_to(arguments.answer) as answers,
        about(called(arguments.file), STANDARD_OUTPUT),
        progress("passing on") as watch,
    ):
        verdict = transire.gate(
            source_of(arguments.file),
            sink,
            target,
            input=arguments.input,
            format=arguments.format,
            admit=arguments.admit,
            deadline=arguments.deadline,
            answer=answers,
            machine=machine,
            on_verdict=None if arguments.json or arguments.quiet else _FirstVerdict(),
            progress=watch,
        )
    return _end(arguments, verdict, "compatible", "not complete: do not load what was delivered")


class _FirstVerdict:
    """Say once of each source that it is known and admitted; a refusal is said at the end, which then comes at once."""

    def __init__(self) -> None:
        self.said: set[str | None] = set()

    def __call__(self, verdict: Verdict) -> None:
        if verdict.device in self.said or verdict.outcome is not Outcome.COMPATIBLE or sys.stderr is None:
            return
        self.said.add(verdict.device)
        subject = "transire: " if verdict.device is None else f"transire: device {printable(verdict.device)}: "
        source = f", judged from the first {verdict.bytes_examined} bytes"
        Screen(sys.stderr).line(subject, (str(verdict.outcome), STYLES[verdict.outcome]), source)


def _end(arguments: Namespace, verdict: Verdict | bytes, passed: str, failed: str) -> int:
    """Say on standard error how it went."""
    assert not isinstance(verdict, bytes), "bytes are returned where there is no sink"
    outcome = verdict.outcome
    went_well = verdict.complete and outcome.exit_code == 0
    if getattr(arguments, "json", False):
        if sys.stderr is not None and not (went_well and arguments.quiet):
            print(verdict.to_json(), file=sys.stderr)
        return outcome.exit_code
    if went_well and arguments.quiet:
        return outcome.exit_code
    screen = Screen(sys.stderr)
    if went_well and not verdict.reasons:
        screen.line("transire: ", (passed, STYLES[outcome]), f", complete, {verdict.bytes_examined} bytes read")
    else:
        show_verdict(screen, "transire", verdict, passed=passed)
        if verdict.complete:
            screen.line(f"  complete, {verdict.bytes_examined} bytes read")
        else:
            screen.line(f"  {failed}")
    return outcome.exit_code
