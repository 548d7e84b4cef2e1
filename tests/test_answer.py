"""The answer: what the target of a sealed stream says to its source, through Python and the command line."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import transire
from transire import Answer, Outcome, Profile, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEMO = Path(__file__).parent.parent / "demo"
TARGETS = {2: str(DEMO / "two-ports.toml"), 1: str(DEMO / "one-port.toml")}


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("transire")), *arguments]


def header_of(stream: bytes) -> bytes:
    return stream[: 32 + int.from_bytes(stream[8:12], "little")]


def answers_in(data: bytes) -> list[Answer]:
    """Answers one behind the other."""
    reader = io.BytesIO(data)
    found = list(iter(lambda: Answer.read_from(reader), None))
    assert b"".join(answer.to_bytes() for answer in found) == data
    return found


def test_a_gate_answers_early_and_at_the_end(sealed: bytes, two_ports: Target) -> None:
    gate = transire.Gate(two_ports)
    for stage in ("early", "final"):
        with pytest.raises(transire.TransireError):
            gate.answer(stage)
    gate.feed(header_of(sealed))
    early = Answer.read(gate.answer())
    assert (early.stage, early.outcome, early.complete, early.reasons) == ("early", Outcome.COMPATIBLE, False, ())
    assert (early.vendor, early.stream_id) == ("mtty", bytes(range(16)))
    assert early.prologue_crc == int.from_bytes(sealed[28:32], "little")
    with pytest.raises(transire.TransireError, match="end of the stream"):
        gate.answer("final")
    gate.feed(sealed[len(header_of(sealed)) :])
    gate.finish()
    last = Answer.read(gate.answer("final"))
    assert (last.stage, last.outcome, last.complete, last.reasons) == ("final", Outcome.COMPATIBLE, True, ())
    assert repr(last) == "<Answer final compatible, complete, 0 reasons>"
    assert last != early
    assert Answer.read(last.to_bytes()) == last
    assert len({last, early, Answer.read(last.to_bytes())}) == 2
    with pytest.raises(ValueError, match="stage"):
        gate.answer("late")


def test_an_incompatible_target_says_why(sealed: bytes, one_port: Target) -> None:
    gate = transire.Gate(one_port)
    gate.feed(header_of(sealed))
    for stage in ("early", "final"):
        answer = Answer.read(gate.answer(stage))
        assert (answer.outcome, answer.complete) == (Outcome.INCOMPATIBLE, False)
        found = [reason.id for reason in gate.verdict.reasons if reason.outcome is not Outcome.COMPATIBLE]
        assert answer.reasons == tuple(sorted(found))


def test_an_answer_is_for_one_stream(stream: Path, sealed: bytes, profile: Profile, two_ports: Target) -> None:
    gate = transire.Gate(two_ports)
    gate.feed(sealed)
    answer = Answer.read(gate.answer())
    assert answer.is_for(sealed)
    assert answer.is_for(header_of(sealed))
    other = transire.seal(stream.read_bytes(), profile)
    assert isinstance(other, bytes)
    assert not answer.is_for(other)
    for data in (b"", header_of(sealed)[:-1], stream.read_bytes(), profile.to_bytes()):
        with pytest.raises(ValueError, match="sealed stream"):
            answer.is_for(data)


def test_there_is_nobody_to_answer(stream: Path, profile: Profile, two_ports: Target) -> None:
    for data in (stream.read_bytes(), profile.to_bytes(), b"TRANSIRE"):
        gate = transire.Gate(two_ports)
        gate.feed(data)
        gate.finish()
        for stage in ("early", "final"):
            with pytest.raises(transire.TransireError, match="nobody"):
                gate.answer(stage)


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda data: data[:40], transire.Truncated, "header.truncated"),
        (lambda data: data[:40] + b"?" + data[41:], transire.Corrupt, "header.crc"),
        (lambda data: data + b"\0", transire.Corrupt, "stream.trailing"),
        (lambda _: b"no answer", transire.Unrecognized, "magic.unrecognized"),
    ],
)
def test_what_is_no_answer_raises(
    damage: Callable[[bytes], bytes], error: type[Exception], words: str, sealed: bytes, two_ports: Target
) -> None:
    gate = transire.Gate(two_ports)
    gate.feed(sealed)
    with pytest.raises(error, match=words):
        Answer.read(damage(gate.answer()))


def test_a_profile_is_no_answer_and_an_answer_no_source(sealed: bytes, profile: Profile, two_ports: Target) -> None:
    for data in (profile.to_bytes(), sealed):
        with pytest.raises(transire.Unrecognized, match=r"prologue\.content"):
            Answer.read(data)
    gate = transire.Gate(two_ports)
    gate.feed(sealed)
    data = gate.answer()
    with pytest.raises(transire.ProfileError):
        Profile.read(data)
    with pytest.raises(transire.Unrecognized, match=r"format\.describes-target"):
        transire.profile_of(data)
    for verdict in (transire.check(data, two_ports), transire.verify(data, two_ports)):
        assert [(reason.id, reason.offset) for reason in verdict.reasons] == [("format.describes-target", 20)]
        assert verdict.outcome is Outcome.UNRECOGNIZED
    verdict = transire.verify(data)
    assert (verdict.outcome, verdict.format, verdict.complete) == (Outcome.COMPATIBLE, "answer", False)
    assert verdict.source is None
    assert transire.encode(transire.decode(data)) == data


def test_answers_are_read_from_a_pipe(sealed: bytes, two_ports: Target, tmp_path: Path) -> None:
    gate = transire.Gate(two_ports)
    gate.feed(sealed)
    early, last = gate.answer(), b""
    gate.finish()
    last = gate.answer("final")
    left, right = socket.socketpair()
    with left, right:
        right.sendall(early + last[:50])
        assert Answer.read_from(left) == Answer.read(early)
        right.sendall(last[50:] + last[:5])
        right.shutdown(socket.SHUT_WR)
        assert Answer.read_from(left) == Answer.read(last)
        with pytest.raises(transire.Truncated):
            Answer.read_from(left)
        assert Answer.read_from(left) is None
    left, right = socket.socketpair()
    with left, right, pytest.raises(TimeoutError):
        Answer.read_from(left, deadline=0.05)
    path = tmp_path / "answers"
    path.write_bytes(early)
    for source in (early, str(path), path):
        with pytest.raises(ValueError, match="answers"):
            Answer.read_from(source)  # type: ignore[arg-type]


class Wire:
    """Two pipes between a source and a target: the stream, and the answers."""

    def __init__(self) -> None:
        stream, answers = os.pipe(), os.pipe()
        self.incoming, self.outgoing = os.fdopen(stream[0], "rb", 0), os.fdopen(stream[1], "wb", 0)
        self.heard, self.said = os.fdopen(answers[0], "rb", 0), os.fdopen(answers[1], "wb", 0)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    for end in (made.incoming, made.outgoing, made.heard, made.said):
        end.close()


@pytest.mark.parametrize("ports", [2, 1])
def test_the_source_waits_for_the_early_answer(
    ports: int, stream: Path, profile: Profile, wire: Wire, tmp_path: Path
) -> None:
    verdicts = []

    def target() -> None:
        with wire.said, (tmp_path / "out").open("wb") as sink:
            said = Target(vendor="mtty", attributes={"nr_ports": ports})
            verdicts.append(transire.gate(wire.incoming, sink, said, answer=wire.said))

    sent: list[bytes] = []

    def on_header(header: bytes) -> None:
        sent.append(header)
        early = Answer.read_from(wire.heard, deadline=10)
        assert early is not None
        assert early.is_for(header)
        assert early.stage == "early"
        if early.outcome is not Outcome.COMPATIBLE:
            raise InterruptedError(early.reasons[0])

    thread = threading.Thread(target=target)
    thread.start()
    try:
        if ports == 2:
            transire.seal(stream.read_bytes(), profile, wire.outgoing, on_header=on_header)
        else:
            with pytest.raises(InterruptedError, match=r"nr_ports\.not-equal"):
                transire.seal(stream.read_bytes(), profile, wire.outgoing, on_header=on_header)
    finally:
        wire.outgoing.close()
        thread.join(10)
    last = Answer.read_from(wire.heard, deadline=10)
    assert last is not None
    assert last.is_for(sent[0])
    assert (last.stage, last.outcome) == ("final", verdicts[0].outcome)
    assert last.complete == verdicts[0].complete == (ports == 2)
    assert (tmp_path / "out").read_bytes() == (stream.read_bytes() if ports == 2 else b"")


def test_a_source_that_gives_up_sends_an_abort(
    stream: Path, profile: Profile, two_ports: Target, tmp_path: Path
) -> None:
    def give_up(_: bytes) -> None:
        raise KeyError("no")

    path = tmp_path / "sealed"
    with path.open("wb") as sink, pytest.raises(KeyError):
        transire.seal(stream.read_bytes(), profile, sink, on_header=give_up)
    assert [reason.id for reason in transire.verify(path, two_ports).reasons] == ["stream.aborted"]
    answers = tmp_path / "answers"
    with answers.open("wb") as answer, pytest.raises(transire.Truncated):
        transire.unseal(path, two_ports, answer=answer)
    early, last = answers_in(answers.read_bytes())
    assert (early.stage, early.outcome) == ("early", Outcome.COMPATIBLE)
    assert (last.stage, last.outcome, last.reasons) == ("final", Outcome.TRUNCATED, ("stream.aborted",))


@pytest.mark.parametrize("word", ["gate", "unseal"])
@pytest.mark.parametrize("ports", [2, 1])
def test_the_command_writes_both_answers(word: str, ports: int, sealed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    ran = subprocess.run(
        command(word, "--target", TARGETS[ports], "--answer", str(path), "-q"), input=sealed, capture_output=True
    )
    early, last = answers_in(path.read_bytes())
    outcome = Outcome.COMPATIBLE if ports == 2 else Outcome.INCOMPATIBLE
    assert ran.returncode == outcome.exit_code
    assert [(answer.stage, answer.outcome, answer.complete) for answer in (early, last)] == [
        ("early", outcome, False),
        ("final", outcome, ports == 2),
    ]
    assert early.is_for(sealed)
    assert last.is_for(sealed)


def test_the_early_answer_comes_before_the_rest_over_one_socket(sealed: bytes, stream: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            number = theirs.fileno()
            running = subprocess.Popen(
                command("unseal", "--target", TARGETS[2], "--answer", f"/dev/fd/{number}", "--deadline", "20", "-q"),
                stdin=number,
                stdout=subprocess.PIPE,
                pass_fds=[number],
            )
        with running:
            header = header_of(sealed)
            ours.sendall(header)
            early = Answer.read_from(ours, deadline=20)
            assert early is not None
            assert (early.stage, early.outcome) == ("early", Outcome.COMPATIBLE)
            ours.sendall(sealed[len(header) :])
            ours.shutdown(socket.SHUT_WR)
            last = Answer.read_from(ours, deadline=20)
            assert last is not None
            assert (last.stage, last.complete) == ("final", True)
            assert Answer.read_from(ours, deadline=20) is None
            assert running.communicate(timeout=20)[0] == stream.read_bytes()
        assert running.returncode == 0


def test_a_stream_that_nobody_sealed_is_not_answered(stream: Path, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    ran = subprocess.run(
        command("gate", "--target", TARGETS[2], "--answer", str(path), str(stream)), capture_output=True, check=True
    )
    assert ran.stdout == stream.read_bytes()
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "words"),
    [("-", "takes the payload"), ("/nowhere/answers", "/nowhere/answers"), ("/dev/fd/999", "/dev/fd/999")],
)
def test_answers_that_go_nowhere_are_errors_of_usage(name: str, words: str, sealed: bytes) -> None:
    ran = subprocess.run(command("gate", "--target", TARGETS[2], "--answer", name), input=sealed, capture_output=True)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert words in ran.stderr.decode()


def test_inspect_shows_an_answer_field_by_field(sealed: bytes, one_port: Target, tmp_path: Path) -> None:
    gate = transire.Gate(one_port)
    gate.feed(sealed)
    path = tmp_path / "answer"
    path.write_bytes(gate.answer())
    ran = subprocess.run(command("inspect", str(path)), capture_output=True, check=True)
    text = ran.stdout.decode()
    assert "answer" in text.splitlines()[0]
    for words in (
        "answer_stage",
        "early",
        "incompatible",
        "nr_ports.not-equal",
        "well-formed",
    ):
        assert words in text
    ran = subprocess.run(command("inspect", "--json", str(path)), capture_output=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    assert found["format"] == "answer"
    names = [
        field["text"].split()[1] for part in found["structures"] for field in part["fields"] if field["name"] == "id"
    ]
    assert names == [
        "vendor",
        "stream_id",
        "answers",
        "answer_stage",
        "answer_outcome",
        "answer_complete",
        "answer_reasons",
    ]
