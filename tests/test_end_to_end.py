"""Two real QEMUs, and a gate beside the destination, as docs/guides/qemu.md sets it up.

The guests are tiny: no disk, no VFIO device, their processor in software. The source writes to a named pipe; the
destination's `-incoming exec:` reads it through the gate.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import tamper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QEMU = shutil.which("qemu-system-x86_64")
PATIENCE = 30.0
"""Seconds that anything may take; what works takes less than two."""
GATE = shlex.join([str(Path(sys.executable).with_name("transire")), "gate", "--input", "qemu"])
TARGET = Path(__file__).parent.parent / "demo" / "two-ports.toml"
MACHINE = ("-machine", "pc", "-accel", "tcg", "-m", "16M", "-nodefaults", "-no-user-config", "-display", "none")

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(QEMU is None, reason="needs qemu-system-x86_64 (on Debian: apt install qemu-system-x86)"),
]


def until(found: Callable[[], Any], what: str) -> Any:
    """Wait for something that is not None."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (value := found()) is not None:
            return value
        time.sleep(0.02)
    pytest.fail(f"waited {PATIENCE:.0f} s for {what}")


class Machine:
    """A QEMU, and the socket by which it is told what to do."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        assert QEMU is not None
        self.monitor = folder / f"{name}.qmp"
        self.log = folder / f"{name}.log"
        monitor = ("-qmp", f"unix:{self.monitor},server=on,wait=off")
        with self.log.open("wb") as log:
            # A group of its own, so that what it starts by `exec:` ends with it.
            self.process = subprocess.Popen(
                [QEMU, *MACHINE, *monitor, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        try:
            until(self.connected, f"the monitor of the {name}")
            self.lines = self.socket.makefile("rb")
            assert "QMP" in json.loads(self.lines.readline())
            self.ask("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def connected(self) -> bool | None:
        assert not self.has_ended(), self.log.read_text()
        try:
            self.socket.connect(str(self.monitor))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        return True

    def ask(self, command: str, **arguments: Any) -> Any:
        """Run a command of the monitor. ConnectionError where the machine has ended."""
        message = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        for line in self.lines:
            answer = json.loads(line)
            if "event" not in answer:
                assert "return" in answer, answer
                return answer["return"]
        raise ConnectionError("the monitor was closed")

    def has_ended(self) -> bool:
        # It stays a zombie until it is closed, so that the number of its group stays its own.
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def migration(self) -> str | None:
        """How its migration ended; None while it has not."""
        try:
            status = self.ask("query-migrate").get("status")
        except ConnectionError:
            # A destination that cannot load ends, and says why in its log.
            until(lambda: self.has_ended() or None, "the end of the destination")
            return "failed"
        assert status is None or isinstance(status, str)
        return status if status in ("completed", "failed") else None

    def status(self) -> str:
        status = self.ask("query-status")["status"]
        assert isinstance(status, str)
        return status

    def close(self) -> None:
        self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


class Migrated(NamedTuple):
    """What came of a migration."""

    source: str
    destination: str
    runs: bool
    code: int | None
    said: str
    sent: bytes
    log: str


@pytest.fixture
def migrate(tmp_path: Path) -> Iterator[Callable[..., Migrated]]:
    """Migrates a running machine: what the source writes goes through `way` into a named pipe, out of which `beside`,
    on the side of the destination, makes what the destination reads."""
    machines = contextlib.ExitStack()

    def run(beside: str = GATE, way: str = "cat") -> Migrated:
        pipe, sent, said, code = (tmp_path / name for name in ("pipe", "sent", "said", "code"))
        os.mkfifo(pipe)
        source = Machine(tmp_path, "source")
        machines.callback(source.close)
        # Behind the semicolon stands what only a test asks for: the exit code. In the shell's own output QEMU sees the
        # end of the stream only when both are done.
        incoming = f"exec:{beside} < {pipe} 2> {said}; echo $? > {code}"
        destination = Machine(tmp_path, "destination", "-incoming", incoming)
        machines.callback(destination.close)
        assert source.status() == "running"
        assert destination.status() == "inmigrate"
        source.ask("migrate", uri=f"exec:tee {sent} | {way} > {pipe}")
        ended = until(source.migration, "the end of the migration at the source")
        arrived = until(destination.migration, "the end of the migration at the destination")
        runs = arrived == "completed" and until(lambda: destination.status() == "running" or None, "the guest to run")
        written = until(lambda: (code.exists() and code.read_text().strip()) or None, "the exit code")
        return Migrated(
            ended, arrived, bool(runs), int(written), said.read_text(), sent.read_bytes(), destination.log.read_text()
        )

    with machines:
        yield run


def way(how: str) -> str:
    """The command that alters a stream on its way."""
    return shlex.join([sys.executable, str(Path(__file__).with_name("tamper.py")), how])


def test_a_good_stream_arrives_and_the_guest_runs(migrate: Callable[..., Migrated]) -> None:
    got = migrate()
    assert (got.source, got.destination, got.runs) == ("completed", "completed", True), got.log
    assert got.code == 0, got.said
    assert "transire: compatible\n" in got.said
    assert f"complete, {len(got.sent)} bytes read" in got.said


def test_a_footer_with_a_flipped_bit_is_refused(migrate: Callable[..., Migrated]) -> None:
    got = migrate(way=way("footer"))
    assert got.code == 4, got.said
    assert "transire: corrupt\n  qemu.footer " in got.said
    assert f"at offset {tamper.footer_of_ram(got.sent)}\n" in got.said
    # To the source all is well: nothing comes back through a pipe.
    assert (got.source, got.destination) == ("completed", "failed")


def test_a_stream_that_is_cut_short_never_completes(migrate: Callable[..., Migrated]) -> None:
    got = migrate(way=way("cut"))
    assert got.code == 5, got.said
    assert "transire: truncated\n  qemu.truncated " in got.said
    assert f"at offset {tamper.end_of_sections(got.sent)}\n" in got.said
    assert (got.source, got.destination) == ("completed", "failed")


def test_a_refusal_at_the_very_end_withholds_the_end(migrate: Callable[..., Migrated], tmp_path: Path) -> None:
    # A target for a device that the stream never mentions: that is known when all sections have passed, not before.
    # QEMU by itself would complete, as the next test shows, and leave such a device with its old state.
    gate = f"{GATE} --target {shlex.quote(f'0000:00:04.0={TARGET}')}"
    got = migrate(gate)
    assert got.code == 1, got.said
    assert "device 0000:00:04.0: incompatible\n  qemu.device-missing " in got.said
    assert got.destination == "failed"
    # The same stream once more, without a QEMU: RAM goes on, and the byte that ends its sections does not.
    (tmp_path / "stream").write_bytes(got.sent)
    with (tmp_path / "stream").open("rb") as stream:
        again = subprocess.run(shlex.split(gate), stdin=stream, capture_output=True, timeout=PATIENCE, check=False)
    assert again.returncode == 1
    # With it stays the state of the devices from the first place on that a destination could take for it.
    assert tamper.footer_of_ram(got.sent) < len(again.stdout) <= tamper.end_of_sections(got.sent)
    assert got.sent.startswith(again.stdout)


@pytest.mark.parametrize("how", ["hidden", "postcopy"])
def test_a_destination_that_would_run_without_the_device_does_not(migrate: Callable[..., Migrated], how: str) -> None:
    gate = f"{GATE} --target {shlex.quote(f'0000:00:04.0={TARGET}')}"
    got = migrate(gate, way=way(how))
    assert got.code == 1, got.said
    assert "qemu.device-missing " in got.said
    assert (got.source, got.destination) == ("completed", "failed")


def test_without_a_gate_it_would(migrate: Callable[..., Migrated]) -> None:
    # By postcopy's command too; but what QEMU 7.2 then does with the devices behind it can end in an assertion.
    got = migrate("cat", way=way("hidden"))
    assert (got.destination, got.runs) == ("completed", True), got.log


def test_without_a_gate_the_same_machines_complete(migrate: Callable[..., Migrated]) -> None:
    # What the tests above rest on: it is the gate that keeps the destination from completing.
    got = migrate("cat")
    assert (got.source, got.destination, got.runs) == ("completed", "completed", True), got.log


def test_a_gate_that_lost_a_byte_would_be_noticed(migrate: Callable[..., Migrated]) -> None:
    # Of a page, so that everything behind it is out of place.
    got = migrate("sed 's/SeaBIOS/SeaBIO/'")
    assert (got.destination, got.runs) == ("failed", False)
