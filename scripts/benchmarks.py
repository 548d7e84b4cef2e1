"""Runs every benchmark and writes docs/benchmarks.md and docs/benchmarks.svg. `make bench` calls it.

    python scripts/benchmarks.py                 everything, in some minutes; fills docs/
    python scripts/benchmarks.py --quick         a smoke run; fills target/benchmarks/
    python scripts/benchmarks.py --only-qemu     the section on migration streams anew, the rest of the page as it was

Ratios are of times taken in one run: each round times every way once, and the ratio is the median of those of the
rounds, so that drift of the machine hits both sides. Nothing is asserted: the table says what is met and what is not.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib.metadata
import json
import math
import mmap
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from html import escape
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import migration_streams
import plain_walk

import transire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

PROFILE = transire.Profile.load(ROOT / "benches/profile.toml")
TARGET = transire.Target.read(PROFILE.to_bytes())

PIPE_WHY = "the gate holds a frame of 1 MiB until its checksum is right, and `cat` holds 128 KiB and checks nothing"
FROM_PYTHON = """\
From Python (pytest-benchmark, median of rounds). `check` recognises, checks, reads and judges; construct and
`unpack` of struct only take the header apart; the reference reads the whole stream, here one of 64 bytes of payload,
and comes to a verdict with construct:
"""
IN_MEMORY = """\
GiB/s of payload, in memory, one thread. `verify` reads; `seal` and `gate` copy what they deliver besides, as memcpy
does; BLAKE3 is the digest alone.
"""
THROUGH_PIPES = """\
Through pipes: {} of payload in a sealed stream, from a writer to a reader that write and read up to 1 MiB at a time,
GiB/s from the first byte to the last. `dd bs=1M iflag=fullblock` has a buffer of the size of a frame, as the gate must
have; `cat` one of its own choice.
"""
FROM_RUST = """\
From Rust (criterion, median), over the first bytes of a stream that are in memory. Of each format the first example
that passes, and the one that is refused for the most reasons:
"""
FROM_C = """\
A gate through the C ABI, beside the same gate from Rust, both on the heap and with room for every reason: made and
freed; given the first bytes of a stream; and with a whole stream pumped through it from memory, of which nothing is
copied. Its calls go through pointers, as in a program in C.
"""
HOW = """\
- Ratios are those of one run: every round times each way once, and the ratio is the median of the rounds'. Times from
  criterion stand alone.
- Times up to 1 MiB are of work repeated over the same bytes: source and copy are in the caches, on both sides.
- Growth is the peak of the resident set (`VmHWM`, reset beforehand) less what was resident before the call.
- Nothing here is asserted by a test. That a verdict allocates nothing is one: `tests/allocation.rs` of the core.
"""
MIGRATION_TITLE = "## Migration streams of QEMU\n"
FROM_FILES = """\
Streams of guests of 1 GiB whose pages are all random or all zero, made by `scripts/migration_streams.py`. From a file
that is in the page cache, walked by `verify` and by `scripts/plain_walk.py`, which reads the way of
analyze-migration.py in plain Python: time of the walk alone, and of the whole command. `read` reads the file as much
at a time as `verify` does, and nothing else.
"""
PIPES_OF_MIGRATIONS = """\
Through pipes, from a writer to a reader that write and read up to 1 MiB at a time, from the first byte to the last:
`transire gate --input qemu` in the place of `cat`, whose buffer is of its own choice, and of `dd` with a buffer of what
the gate reads at a time.
"""
MIGRATION_GROWTH = """\
What a process grows by: a gate from a pipe, with streams that are made on the fly, and `verify` of the file.
"""
WHY_FILE = (
    "the pages are read with the rest, and `read` alone takes as long (below); a system call for each page, to pass "
    "over it, takes longer, and a file that is mapped can be cut short under the reader's feet"
)
WHY_PIPE = {
    "random": "writer, reader and what stands between share the cores, and one round differs from the next by more "
    "than the gate does from `cat`: it reads and writes as `cat` does, and looks at 8 bytes of each page",
    "zero": "all of it is over in some milliseconds: a record of 9 bytes stands for a page of 4 KiB, and the gate "
    "looks at every one, which takes it a few ns",
}
FIRST_OF = "first bytes of "
"""What stands before the names in the group that times the first bytes of each format."""
NAMES_OF = {"verdict of a format": FIRST_OF, "refusal of a format": "a refusal of "}
"""What stands before the names in a group: of each format the example that is refused for the most reasons, too."""
OF_A_FORMAT = 200.0
"""Nanoseconds that a verdict on the header of a format may take."""
OF_RECORDS = """\
Long streams of records, walked in memory that becomes resident only where it is touched. All of it lies in memory, so
this is the cost of the headers: nothing is read of what stands between them.
"""
FILE_TIMES = 50.0
"""How many times faster than plain Python a file is to be walked."""
GATE_READS = 256 * KIB
"""What a gate reads at a time."""
TOUCHED = 4 * KIB
"""Bytes that a verdict may touch."""
GROWTH = 4 * MIB
"""Bytes by which memory may grow."""
STREAM_TIME = 120.0
"""Seconds that the long stream may take."""


class Aim(NamedTuple):
    """A row of the table."""

    aim: str
    measured: str
    met: bool
    why: str


class Run(NamedTuple):
    """How much is done."""

    quick: bool
    criterion: tuple[float, float]
    python: float
    pipe_size: int
    pipe_rounds: int
    long_size: int
    guest_size: int


WHOLE = Run(False, (1.0, 3.0), 0.25, GIB, 7, 16 * GIB, GIB)
QUICK = Run(True, (0.2, 0.4), 0.02, 256 * MIB, 2, GIB, 256 * MIB)

Rounds = dict[tuple[int, str], list[float]]
"""Nanoseconds of each round, by size and way."""


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description="runs every benchmark and writes the table and the plot")
    parser.add_argument("--quick", action="store_true", help="a smoke run, into target/benchmarks")
    parser.add_argument("--only-qemu", action="store_true", help="nothing but what is about migration streams")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where table and plot go (docs)")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        PARTS[arguments.part](*arguments.rest)
        return
    run = QUICK if arguments.quick else WHOLE
    into = arguments.into or ROOT / ("target/benchmarks" if run.quick else "docs")
    start = time.monotonic()
    if arguments.only_qemu:
        page = into / "benchmarks.md"
        page.write_text(with_migrations(page.read_text(encoding="utf-8"), migrations(run)), encoding="utf-8")
        return
    say("verdicts from Rust: criterion")
    rust = verdicts_from_rust(run)
    say("verdicts from Python: pytest-benchmark")
    python = verdicts_from_python(run)
    say("whole streams in memory")
    streams = rounds_of("throughput", run)
    say("through the C ABI")
    capi = rounds_of("capi", run)
    say("streams of records")
    records = rounds_of("records", run)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "target.toml"
        target.write_text(PROFILE.to_toml(), encoding="utf-8")
        say("whole streams through pipes")
        pipes, touched = through_pipes(run, target)
    say("a long stream")
    long = long_stream(run)
    section = migrations(run)
    took = time.monotonic() - start
    into.mkdir(parents=True, exist_ok=True)
    (into / "benchmarks.svg").write_text(plot(streams), encoding="utf-8")
    text = with_migrations(report(rust, python, streams, capi, records, pipes, touched, long, took, run), section)
    (into / "benchmarks.md").write_text(text, encoding="utf-8")
    print(text)


def say(what: str) -> None:
    """Tell how far it has come."""
    print(f"benchmarks: {what}", file=sys.stderr, flush=True)


# Rust


def cargo(name: str, *arguments: str, **environment: str) -> str:
    """Run one benchmark of the crate; what it prints."""
    command = ["cargo", "bench", "--locked", "--package", "transire-benches", "--bench", name, "--", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    return ran.stdout.decode()


def verdicts_from_rust(run: Run) -> dict[str, float]:
    """Criterion's median of each, in nanoseconds."""
    warm, measure = run.criterion
    with tempfile.TemporaryDirectory() as home:
        times = ("--warm-up-time", str(warm), "--measurement-time", str(measure))
        cargo("verdict", *times, CRITERION_HOME=home)
        found = {}
        for path in Path(home).glob("**/new/estimates.json"):
            named = json.loads(path.with_name("benchmark.json").read_text(encoding="utf-8"))
            estimates = json.loads(path.read_text(encoding="utf-8"))
            name = f"{NAMES_OF.get(named['group_id'], '')}{named['function_id']}"
            found[name] = float(estimates["median"]["point_estimate"])
    return found


def rounds_of(name: str, run: Run) -> Rounds:
    """What `benches/benches/throughput.rs`, or `capi.rs` or `records.rs` beside it, prints."""
    found: Rounds = defaultdict(list)
    for line in cargo(name, *(["--quick"] if run.quick else [])).splitlines():
        size, way, value = line.split("\t")
        found[int(size), way].append(float(value))
    return found


def ratio(rounds: Rounds, size: int, one: str, other: str) -> float:
    """How many times faster the first way is: the median of the rounds."""
    pairs = zip(rounds[size, one], rounds[size, other], strict=True)
    return median(theirs / ours for ours, theirs in pairs)


# Python


def verdicts_from_python(run: Run) -> dict[str, dict[str, list[float]]]:
    """The median of each round, in nanoseconds: by what is judged, and by way."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "benchmarks.json"
        command = [sys.executable, "-m", "pytest", "--quiet", "--no-header", "-p", "no:cacheprovider"]
        command += ["--benchmark-enable", "--benchmark-only", "--benchmark-columns=median", f"--benchmark-json={out}"]
        command += [f"--benchmark-max-time={run.python}", "--benchmark-min-rounds=5", "--benchmark-warmup=on"]
        command += ["--benchmark-warmup-iterations=5"]
        command += sorted(str(path) for path in (ROOT / "benches").glob("bench_*.py"))
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        document = json.loads(out.read_text(encoding="utf-8"))
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in document["benchmarks"]:
        info = one["extra_info"]
        found[info["name"]][info["way"]].append(one["stats"]["median"] * 1e9)
    return found


# Pipes


class Same:
    """A source of so many bytes, made when they are asked for. Counts what is read."""

    PIECE = bytes(range(256)) * KIB

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int) -> bytes:
        """Read some bytes."""
        size = min(size, self.left, len(self.PIECE))
        self.left -= size
        return self.PIECE if size == len(self.PIECE) else self.PIECE[:size]


class Counted:
    """Reads from a file and counts the bytes."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.count = 0

    def read(self, size: int) -> bytes:
        """Read some bytes."""
        data = os.pread(self.descriptor, size, self.count)
        self.count += len(data)
        return data


def sealed_in_memory(size: int, digest: str) -> int:
    """A file in memory with a sealed stream of so many bytes of payload."""
    descriptor = os.memfd_create("sealed")
    with open(descriptor, "wb", buffering=0, closefd=False) as file:
        transire.seal(Same(size), PROFILE, file, payload_format="opaque", digest=digest)
    return descriptor


def pipe_of(size: int) -> tuple[int, int]:
    """A pipe that holds so many bytes."""
    ends = os.pipe()
    fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, size)
    return ends


def passed(command: Sequence[str], descriptor: int, pipe_size: int) -> tuple[float, float, int]:
    """Puts a command between a writer and a reader, over two pipes of the same size.

    Seconds from the first byte at the reader to the last, and from the start of the command to the first; bytes read.
    """
    from_writer, to_command = pipe_of(pipe_size)
    from_command, to_reader = pipe_of(pipe_size)
    is_ready, ready = os.pipe()
    writer = os.fork()
    if writer == 0:
        status = 1
        try:
            for end in (from_writer, from_command, to_reader, is_ready):
                os.close(end)
            flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
            with mmap.mmap(descriptor, 0, flags, mmap.PROT_READ) as whole, memoryview(whole) as view:
                os.close(ready)
                at = 0
                while at < len(view):
                    with view[at : at + MIB] as piece:
                        at += os.write(to_command, piece)
            status = 0
        finally:
            os._exit(status)
    os.close(to_command)
    os.close(ready)
    os.read(is_ready, 1)
    os.close(is_ready)
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=from_writer, stdout=to_reader, stderr=subprocess.PIPE) as process:
        os.close(from_writer)
        os.close(to_reader)
        buffer = bytearray(MIB)
        count = os.readv(from_command, [buffer])
        first = last = time.perf_counter()
        total = count
        # How long a process takes to end is not counted.
        while count := os.readv(from_command, [buffer]):
            last = time.perf_counter()
            total += count
        os.close(from_command)
        said = process.stderr.read().decode() if process.stderr else ""
    if process.returncode or os.waitpid(writer, 0)[1]:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{said}")
    return last - first, first - start, total


class Pipes(NamedTuple):
    """What the pipes came to: by size of the pipes and by way, seconds of each round."""

    payload: int
    seconds: dict[tuple[int, str], list[float]]
    begun: dict[str, list[float]]


class Touched(NamedTuple):
    """What a verdict touches: of a small stream and of a big one."""

    sizes: tuple[int, int]
    examined: tuple[int, int]
    read: tuple[int, int]


def through_pipes(run: Run, target: Path) -> tuple[Pipes, Touched]:
    """A gate, `cat`, and `dd` with a buffer as big as a frame, in the same place."""
    streams = {digest: sealed_in_memory(run.pipe_size, digest) for digest in ("none", "blake3")}
    transire_command = shutil.which("transire", path=str(Path(sys.executable).parent)) or "transire"
    gate = [transire_command, "gate", "--quiet", "--target", str(target), "--input", "sealed"]
    dd = ["dd", "bs=1M", "iflag=fullblock", "status=none"]
    ways = {
        "cat": (["cat"], "none"),
        "dd bs=1M": (dd, "none"),
        "gate": (gate, "none"),
        "gate, BLAKE3": (gate, "blake3"),
    }
    seconds: dict[tuple[int, str], list[float]] = defaultdict(list)
    begun: dict[str, list[float]] = defaultdict(list)
    for _ in range(run.pipe_rounds):
        for pipe_size in (64 * KIB, MIB):
            for name, (command, digest) in ways.items():
                took, before, total = passed(command, streams[digest], pipe_size)
                assert total >= run.pipe_size
                seconds[pipe_size, name].append(took)
                begun[name].append(before)
    small = sealed_in_memory(64, "none")
    readers = [Counted(descriptor) for descriptor in (small, streams["none"])]
    examined = [transire.check(reader, TARGET).bytes_examined for reader in readers]
    touched = Touched((64, run.pipe_size), (examined[0], examined[1]), (readers[0].count, readers[1].count))
    for descriptor in (small, *streams.values()):
        os.close(descriptor)
    return Pipes(run.pipe_size, seconds, begun), touched


# Memory


class Long(NamedTuple):
    """What a long stream came to."""

    size: int
    growth: int
    seconds: float
    digest: str


def long_stream(run: Run) -> list[Long]:
    """Streams that are sealed on the fly, through a pipe into a gate: how much the gate's process grew."""
    found = []
    for digest in ("none", "blake3"):
        trial = grown(GIB // 4, digest)
        possible = int(STREAM_TIME * trial.size / trial.seconds) // GIB * GIB
        found.append(grown(min(run.long_size, max(possible, GIB)), digest))
    return found


def grown(size: int, digest: str) -> Long:
    """One such stream."""
    part = [sys.executable, __file__, "--part"]
    ends = pipe_of(MIB)
    with subprocess.Popen([*part, "seal", str(size), digest], stdout=ends[1], stdin=subprocess.DEVNULL) as source:
        os.close(ends[1])
        gate = subprocess.run([*part, "gate"], stdin=ends[0], stdout=subprocess.PIPE, check=True)
        os.close(ends[0])
    if source.returncode:
        sys.exit("the stream could not be made")
    growth, seconds = gate.stdout.split()
    return Long(size, int(growth), float(seconds), digest)


def part_seal(size: str, digest: str) -> None:
    """Writes a sealed stream to standard output."""
    transire.seal(Same(int(size)), PROFILE, sys.stdout.buffer, payload_format="opaque", digest=digest)


def part_gate() -> None:
    """Passes standard input through a gate; prints the bytes by which this process grew, and seconds."""
    with Path(os.devnull).open("wb", buffering=0) as sink:
        # Once, so that what Python makes on first use is there.
        transire.gate(transire.seal(b"once", PROFILE, payload_format="opaque"), sink, TARGET)
        growth(lambda source: transire.gate(source, sink, TARGET, input="sealed"), sys.stdin.buffer)


def growth(judge: Callable[[Any], transire.Verdict], source: object) -> None:
    """Prints the bytes by which this process grew, and seconds."""
    # Where the peak cannot be reset, the one so far counts as growth: too much, never too little.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = status("VmRSS")
    start = time.perf_counter()
    verdict = judge(source)
    took = time.perf_counter() - start
    if not verdict.complete:
        sys.exit(f"the verdict was {verdict.outcome}")
    peak = max(status("VmHWM"), status("VmRSS"))
    assert peak <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB + MIB
    print(peak - before, took)


def status(key: str) -> int:
    """A size in bytes from the status of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * KIB
    raise KeyError(key)


# Migration streams of QEMU


class Walks(NamedTuple):
    """Seconds of each round, for a kind of guest: by way."""

    kind: str
    length: int
    file: dict[str, list[float]]
    command: dict[str, list[float]]
    pipes: dict[tuple[int, str], list[float]]


def migrations(run: Run) -> str:
    """The section on migration streams."""
    walks = []
    growths = []
    for kind in ("random", "zero"):
        say(f"migration streams: {kind} pages")
        path = ROOT / "target" / f"migration-{kind}-{run.guest_size // MIB}.stream"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            begun = path.with_suffix(".begun")
            with begun.open("wb") as file:
                file.writelines(migration_streams.stream(run.guest_size, is_zero=kind == "zero"))
            begun.rename(path)
        walks.append(walked(kind, path, run))
        growths.append((f"{kind} pages, the file", run.guest_size, *grown_by("verify", str(path))))
    for kind, size in (("random", run.guest_size), ("random", run.long_size), ("zero", 4 * run.long_size)):
        say(f"migration streams: memory, {size_of(size)} of {kind} pages")
        growths.append((f"{kind} pages, a pipe", size, *grown_by("gate-qemu", "-", (kind, size))))
    return of_migrations(walks, growths, run)


def walked(kind: str, path: Path, run: Run) -> Walks:
    """Times the walks of one stream, every way once a round."""
    transire_command = str(Path(sys.executable).with_name("transire"))
    commands = {
        "transire": [transire_command, "verify", "--input", "qemu", str(path)],
        "plain Python": [sys.executable, plain_walk.__file__, str(path)],
    }
    dd = ["dd", f"bs={GATE_READS // KIB}K", "status=none"]
    gate = [transire_command, "gate", "--quiet", "--input", "qemu"]
    file: dict[str, list[float]] = defaultdict(list)
    command: dict[str, list[float]] = defaultdict(list)
    pipes: dict[tuple[int, str], list[float]] = defaultdict(list)
    path.read_bytes()
    with path.open("rb") as opened:
        for _ in range(run.pipe_rounds):
            start = time.perf_counter()
            verdict = transire.verify(path, [], input="qemu")
            file["transire"].append(time.perf_counter() - start)
            start = time.perf_counter()
            plain_walk.walk(path)
            file["plain Python"].append(time.perf_counter() - start)
            start = time.perf_counter()
            read_only(path)
            file["read"].append(time.perf_counter() - start)
            if not verdict.complete:
                sys.exit(f"{path}: {verdict.outcome}, {verdict.reasons}")
            for name, line in commands.items():
                start = time.perf_counter()
                subprocess.run(line, stdout=subprocess.DEVNULL, check=True)
                command[name].append(time.perf_counter() - start)
            for pipe_size in (64 * KIB, MIB):
                for name, line in (("cat", ["cat"]), (" ".join(dd[:2]), dd), ("gate", gate)):
                    took, _, total = passed(line, opened.fileno(), pipe_size)
                    assert total == verdict.bytes_examined
                    pipes[pipe_size, name].append(took)
    return Walks(kind, path.stat().st_size, file, command, pipes)


def read_only(path: Path) -> None:
    """Reads a file, and does nothing with it."""
    buffer = bytearray(GATE_READS)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def grown_by(part: str, path: str, made: tuple[str, int] | None = None) -> tuple[int, float]:
    """Bytes by which a process of its own grows, and seconds; with what is made for it on its standard input."""
    command = [sys.executable, __file__, "--part", part, path]
    if made is None:
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    else:
        maker = [sys.executable, __file__, "--part", "make-qemu", made[0], str(made[1])]
        ends = pipe_of(MIB)
        with subprocess.Popen(maker, stdout=ends[1], stdin=subprocess.DEVNULL) as source:
            os.close(ends[1])
            ran = subprocess.run(command, stdin=ends[0], stdout=subprocess.PIPE, check=True)
            os.close(ends[0])
        if source.returncode:
            sys.exit("the stream could not be made")
    growth, seconds = ran.stdout.split()
    return int(growth), float(seconds)


def part_make_qemu(kind: str, size: str) -> None:
    """Writes a migration stream to standard output."""
    for piece in migration_streams.stream(int(size), is_zero=kind == "zero", repeats=True):
        sys.stdout.buffer.write(piece)


def part_verify_qemu(path: str) -> None:
    """Verifies a migration stream; prints the bytes by which this process grew, and seconds."""
    growth(lambda source: transire.verify(source, [], input="qemu"), path)


def part_gate_qemu(_: str) -> None:
    """Passes a migration stream through a gate; prints the bytes by which this process grew, and seconds."""
    with Path(os.devnull).open("wb", buffering=0) as sink:
        growth(lambda source: transire.gate(source, sink, [], input="qemu"), sys.stdin.buffer)


PARTS: dict[str, Callable[..., None]] = {
    "seal": part_seal,
    "gate": part_gate,
    "make-qemu": part_make_qemu,
    "verify": part_verify_qemu,
    "gate-qemu": part_gate_qemu,
}


# The page


def size_of(count: float) -> str:
    """A count of bytes as people say it."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} bytes"


def time_of(nanoseconds: float) -> str:
    """A time as people say it."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= unit:
            return f"{nanoseconds / unit:.3g} {name}"
    return f"{nanoseconds:.3g} ns"


def rate_of(count: int, nanoseconds: float) -> str:
    """Bytes and time as a rate."""
    return f"{count / GIB / (nanoseconds / 1e9):.1f}"


def times_of(number: float) -> str:
    """A ratio."""
    return f"{number:.0f}" if number >= 20 else f"{number:.1f}" if number >= 3 else f"{number:.3f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def ways_in(streams: Rounds) -> tuple[list[int], list[str]]:
    """Sizes, and ways that are timed at every size from 4 KiB on."""
    sizes = sorted({size for size, way in streams if way == "memcpy"})
    return sizes, [way for size, way in streams if size == sizes[0] and not way.startswith("verdict")]


def sides(capi: Rounds) -> list[tuple[int, str]]:
    """What was timed both through C and from Rust."""
    return [(size, way.removesuffix(", C")) for size, way in capi if way.endswith(", C")]


def through(size: int, way: str) -> str:
    """What went through the C ABI, in words."""
    return f"{way}, {size_of(size)} of payload" if way == "whole stream" else way


def aims(
    rust: dict[str, float],
    python: dict[str, dict[str, list[float]]],
    streams: Rounds,
    capi: Rounds,
    pipes: Pipes,
    touched: Touched,
    long: list[Long],
    run: Run,
) -> list[Aim]:
    """Each aim, what was measured, and whether that meets it."""
    rows = []
    for name, key, aim in (
        ("an mtty header", "mtty header", 20),
        ("12 attributes", "sealed header, 12 attributes", 150),
    ):
        measured = rust[key]
        why = {
            "mtty header": "the rules of mtty are four comparisons over typed values that are looked up by id, on both "
            "sides, through one interface for all vendors; the 24 bytes themselves take a few ns",
            "sealed header, 12 attributes": "two checksums, every attribute read and checked against its type and the "
            "dictionary, texts for their characters; then the same rules",
        }[key]
        rows.append(Aim(f"verdict on {name} from Rust: {aim} ns", f"{measured:.0f} ns", measured <= aim, why))
    for name, nanoseconds in sorted(
        (one for one in rust.items() if one[0].startswith(FIRST_OF)), key=lambda one: one[1]
    ):
        aim = f"verdict on the {name}: 200 ns"
        why = "what else the machine was doing: it is met when nothing is"
        rows.append(Aim(aim, f"{nanoseconds:.0f} ns", nanoseconds < OF_A_FORMAT, why))
    calls = [streams[0, f"allocations, {name}"][0] for name in ("mtty", "sealed")]
    measured_calls = f"mtty {calls[0]:.0f}, sealed {calls[1]:.0f}"
    rows.append(Aim("that verdict allocates nothing", measured_calls, not any(calls), "counted by the allocator"))
    for name, ways in python.items():
        times = median(theirs / ours for ours, theirs in zip(ways["check"], ways["construct"], strict=True))
        like = median(theirs / ours for ours, theirs in zip(ways["check"], ways["reference"], strict=True))
        measured_times = f"{times_of(times)} times (the reference's own verdict: {times_of(like)} times)"
        why = (
            f"construct takes only {time_of(median(ways['construct']))} here, and `check` "
            f"{time_of(median(ways['check']))}: a call into the module, and a verdict "
            "object with what was found; construct has one structure to lay out, and checks and judges nothing"
        )
        rows.append(Aim(f"from Python 150 times faster than construct, {name}", measured_times, times >= 150, why))
    sizes, _ = ways_in(streams)
    big = sizes[-1]
    same = ratio(streams, big, "verdict", "verdict, 64 bytes")
    taken = [time_of(median(streams[big, way])) for way in ("verdict, 64 bytes", "verdict")]
    aim = f"verdict at {size_of(big)} as at 64 bytes (within a tenth)"
    why = "the same work over the same number of bytes: what differs is noise of the machine and where the bytes lie"
    rows.append(Aim(aim, f"{taken[0]} at 64 bytes, {taken[1]} at {size_of(big)}", abs(same - 1) <= 0.1, why))
    for what, counts, why in (
        ("bytes that the verdict rests on", touched.examined, "the header is longer"),
        ("bytes read from a file object", touched.read, "`check` fills its window in pieces of up to 256 KiB"),
    ):
        aim = f"{what}, of a stream of 64 bytes and of {size_of(touched.sizes[1])}: at most 4 KiB"
        met = all(count <= TOUCHED for count in counts)
        rows.append(Aim(aim, " and ".join(f"{count:,}" for count in counts), met, why))
    for size in sizes:
        times = ratio(streams, size, "verify", "memcpy")
        why = "the header is read and judged first, which takes longer than the copy: a fixed cost, once a stream"
        if size > 4 * KIB:
            why = "the same fixed cost, and a copy of this size that stays in the nearest caches"
        row = Aim(f"verify {size_of(size)} at the speed of memcpy", f"{times_of(times)} of it", times >= 1, why)
        rows.append(row)
    for size in sizes:
        times = ratio(streams, size, "verify, BLAKE3", "BLAKE3")
        why = "prologue, header and judging are a fixed cost, and a tree of so few leaves does not fill the SIMD lanes"
        if size > MIB // 16:
            why = "every byte is read for CRC-32C as well, which takes a seventh of the time that the digest takes"
        aim = f"verify {size_of(size)} with BLAKE3 at 0.9 of its own rate"
        rows.append(Aim(aim, f"{times_of(times)} of it", times >= 0.9, why))
    for size, way in sides(capi):
        times = ratio(capi, size, f"{way}, Rust", f"{way}, C")
        why = "the call itself: arguments are checked, a panic would be caught, and the event is written as a structure"
        if way == "made and freed":
            why = "the memory that it may need is asked for beforehand, so that its lack is a code and not the end"
        aim = f"a gate through C at most a tenth above Rust: {through(size, way)}"
        rows.append(Aim(aim, f"{times_of(times)} of its time", times <= 1.1, why))
    for (pipe_size, name), seconds in pipes.seconds.items():
        if name != "gate":
            continue
        pairs = zip(seconds, pipes.seconds[pipe_size, "cat"], strict=True)
        rates = sorted(cat / ours for ours, cat in pairs)
        aim = f"the gate no slower than `cat`, pipes of {size_of(pipe_size)}"
        measured_rate = f"{times_of(median(rates))} of its rate ({times_of(rates[0])} to {times_of(rates[-1])})"
        rows.append(Aim(aim, measured_rate, median(rates) >= 1, PIPE_WHY))
    for one in long:
        aim = f"memory growth under 4 MiB on a {size_of(one.size)} stream, digest {one.digest}"
        if one.size < 16 * GIB:
            aim += " (16 GiB did not fit into two minutes)" if not run.quick else " (16 GiB in a whole run)"
        rows.append(Aim(aim, f"{one.growth / MIB:.1f} MiB", one.growth < GROWTH, "the window over the source"))
    return rows


def report(
    rust: dict[str, float],
    python: dict[str, dict[str, list[float]]],
    streams: Rounds,
    capi: Rounds,
    records: Rounds,
    pipes: Pipes,
    touched: Touched,
    long: list[Long],
    took: float,
    run: Run,
) -> str:
    """The page."""
    rows = aims(rust, python, streams, capi, pipes, touched, long, run)
    missed = [row for row in rows if not row.met]
    sizes, ways = ways_in(streams)
    parts = [
        "# Benchmarks\n",
        "`make bench` runs them, and writes this page and the plot; `python scripts/benchmarks.py --quick` tries it.\n",
        machine(took, run),
        "## Aims\n",
        f"{len(rows) - len(missed)} of {len(rows)} are met.\n",
        table(
            ("aim", "measured", "", "why"),
            [(row.aim, row.measured, "met" if row.met else "**missed**", "" if row.met else row.why) for row in rows],
        ),
        "## A verdict\n",
        FROM_RUST,
        table(
            ("input", "time"),
            [(name, f"{value:.0f} ns") for name, value in sorted(rust.items(), key=lambda one: one[1])],
        ),
        FROM_PYTHON,
        table(
            ("input", "check", "construct", "struct.unpack by hand", "reference"),
            [
                (name, *(time_of(median(ways_of[way])) for way in ("check", "construct", "struct", "reference")))
                for name, ways_of in python.items()
            ],
        ),
        OF_RECORDS,
        table(
            ("stream", "headers", "headers a second", "bytes looked at", "became resident", "allocations"),
            [
                headers_of(records, size)
                for size in sorted({size for size, way in records if way == "headers a second"})
            ],
        ),
        "## Whole streams\n",
        IN_MEMORY,
        table(
            ("payload", *ways),
            [(size_of(size), *(rate_of(size, median(streams[size, way])) for way in ways)) for size in sizes],
        ),
        "![Cost against stream size](benchmarks.svg)\n",
        FROM_C,
        table(
            ("what", "from Rust", "through C"),
            [
                (
                    through(size, way),
                    *(time_of(median(capi[size, f"{way}, {language}"])) for language in ("Rust", "C")),
                )
                for size, way in sides(capi)
            ],
        ),
        THROUGH_PIPES.format(size_of(pipes.payload)),
        table(
            ("pipes hold", *pipes.begun),
            [
                (
                    size_of(pipe_size),
                    *(rate_of(pipes.payload, median(pipes.seconds[pipe_size, name]) * 1e9) for name in pipes.begun),
                )
                for pipe_size in sorted({size for size, _ in pipes.seconds})
            ],
        ),
        "Before the first byte: "
        + ", ".join(f"{name} {time_of(median(times) * 1e9)}" for name, times in pipes.begun.items())
        + " (the gate starts Python).\n",
        "Sealed on the fly in one process, through a pipe into a gate in another, which delivers to nowhere:\n",
        table(
            ("payload", "digest", "growth of the gate's process", "time"),
            [(size_of(one.size), one.digest, f"{one.growth / MIB:.2f} MiB", f"{one.seconds:.1f} s") for one in long],
        ),
        "## How\n",
        HOW,
    ]
    return "\n".join(parts)


def with_migrations(page: str, section: str) -> str:
    """The page with its section on migration streams, in place of the one that it has."""
    before, _, rest = page.partition(MIGRATION_TITLE)
    before, how, after = (before if not rest else before + "## " + rest.partition("\n## ")[2]).partition("## How\n")
    return before + section + "\n" + how + after


def of_migrations(walks: list[Walks], growths: list[tuple[str, int, int, float]], run: Run) -> str:
    """The section on migration streams, with aims of its own."""
    rows = []
    for one in walks:
        pairs = zip(one.file["transire"], one.file["plain Python"], strict=True)
        times = median(theirs / ours for ours, theirs in pairs)
        what = f"{size_of(run.guest_size)} of {one.kind} pages"
        aim = f"a file of {what} walked {FILE_TIMES:.0f} times faster than in plain Python"
        rows.append(Aim(aim, f"{times_of(times)} times", times >= FILE_TIMES, WHY_FILE))
        for (pipe_size, name), seconds in one.pipes.items():
            if name != "gate":
                continue
            pairs = zip(seconds, one.pipes[pipe_size, "cat"], strict=True)
            rates = sorted(cat / ours for ours, cat in pairs)
            measured = f"{times_of(median(rates))} of its rate ({times_of(rates[0])} to {times_of(rates[-1])})"
            aim = f"{what} through the gate no slower than through `cat`, pipes of {size_of(pipe_size)}"
            rows.append(Aim(aim, measured, median(rates) >= 1, WHY_PIPE[one.kind]))
    for what, size, grew, _ in growths:
        aim = f"memory growth under 4 MiB, {size_of(size)} of {what}"
        rows.append(Aim(aim, f"{grew / MIB:.1f} MiB", grew < GROWTH, "the window over the source"))
    pipe_ways = list(dict.fromkeys(name for one in walks for _, name in one.pipes))
    pipe_sizes = sorted({size for one in walks for size, _ in one.pipes})
    parts = [
        MIGRATION_TITLE,
        f"{sum(row.met for row in rows)} of {len(rows)} aims are met, at a load of {os.getloadavg()[1]:.1f}.\n",
        table(
            ("aim", "measured", "", "why"),
            [(row.aim, row.measured, "met" if row.met else "**missed**", "" if row.met else row.why) for row in rows],
        ),
        FROM_FILES,
        table(
            (
                "pages",
                "stream",
                *(way if way == "read" else f"{way}, walk" for way in walks[0].file),
                *(f"{way}, command" for way in walks[0].command),
            ),
            [
                (
                    one.kind,
                    size_of(one.length),
                    *(time_of(median(seconds) * 1e9) for seconds in (*one.file.values(), *one.command.values())),
                )
                for one in walks
            ],
        ),
        PIPES_OF_MIGRATIONS,
        table(
            ("pages", "pipes hold", *pipe_ways),
            [
                (
                    one.kind,
                    size_of(pipe_size),
                    *(time_of(median(one.pipes[pipe_size, way]) * 1e9) for way in pipe_ways),
                )
                for one in walks
                for pipe_size in pipe_sizes
            ],
        ),
        MIGRATION_GROWTH,
        table(
            ("guest", "growth", "time"),
            [
                (f"{size_of(size)} of {what}", f"{grew / MIB:.2f} MiB", f"{took:.2f} s")
                for what, size, grew, took in growths
            ],
        ),
    ]
    return "\n".join(parts)


def headers_of(records: Rounds, size: int) -> tuple[str, ...]:
    """A row on the walk over a stream of records of that size."""

    def first(way: str) -> str:
        return f"{records[size, way][0]:,.0f}" if (size, way) in records else "not known"

    (images,) = (values[0] for (of, way), values in records.items() if of == size and way.startswith("images of"))
    rate = f"{median(records[size, 'headers a second']) / 1e6:.0f} million"
    touched = (first(way) for way in ("bytes looked at", "bytes that became resident", "allocations"))
    return (size_of(size), f"{images + 1:,.0f}", rate, *touched)


def machine(took: float, run: Run) -> str:
    """What it ran on."""
    cpu = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines())
    }
    rustc = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split("(")[0]
    cat = subprocess.run(["cat", "--version"], stdout=subprocess.PIPE, check=False).stdout.decode().splitlines()
    crates = locked("blake3", "crc-fast", "criterion", "pyo3")
    pythons = [f"{name} {importlib.metadata.version(name)}" for name in ("construct", "pytest-benchmark")]
    lines = [
        ("transire", transire.__version__),
        ("processor", f"{cpu.get('model name', platform.machine())}, {os.cpu_count()} cores"),
        ("memory", size_of(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))),
        ("kernel", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("Python", f"{platform.python_version()}, {', '.join(pythons)}"),
        ("Rust", f"{rustc.strip()}; {', '.join(crates)}"),
        ("cat", cat[0] if cat else "unknown"),
        ("load", f"{os.getloadavg()[1]:.1f} (five minutes, at the end)"),
        ("run", f"{time.strftime('%Y-%m-%d', time.gmtime())}, {took:.0f} s{', quick' if run.quick else ''}"),
    ]
    return table(("", ""), lines)


def locked(*names: str) -> list[str]:
    """Crates with their versions."""
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    return [f"{one['name']} {one['version']}" for name in names for one in packages if one["name"] == name]


# The plot

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, TOP, BOTTOM = 80, 170, 50, 60
LINES = {
    "verdict": ("#000000", ""),
    "memcpy": ("#888888", "6 4"),
    "verify": ("#0072b2", ""),
    "gate": ("#009e73", ""),
    "seal": ("#e69f00", ""),
    "BLAKE3": ("#888888", "2 3"),
    "verify, BLAKE3": ("#56b4e9", ""),
    "gate, BLAKE3": ("#cc79a7", ""),
    "seal, BLAKE3": ("#d55e00", ""),
}
"""Colours that most eyes tell apart, and dashes for what is not ours."""


def plot(streams: Rounds) -> str:
    """Cost against stream size, both logarithmic, in plain SVG."""
    values = {key: median(times) for key, times in streams.items() if key[1] in LINES}
    sizes = sorted({size for size, _ in values})
    least_size, most_size = math.log2(sizes[0]), math.log2(sizes[-1])
    least_time = math.floor(math.log10(min(values.values())))
    most_time = math.ceil(math.log10(max(values.values())))

    def across(size: float) -> float:
        return LEFT + (math.log2(size) - least_size) / (most_size - least_size) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - least_time) / (most_time - least_time) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Cost of a stream against its size</title>",
        '<g font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="16">Cost of a stream against its size (median)</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">payload of the stream</text>',
    ]
    for power in range(least_time, most_time + 1):
        y = up(10**power)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e0e0e0"/>')
        label = time_of(10**power)
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for size in sizes:
        x = across(size)
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e0e0e0"/>')
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size_of(size)}</text>')
    ends = []
    for way, (colour, dashes) in LINES.items():
        points = sorted((across(size), up(value)) for (size, name), value in values.items() if name == way)
        if not points:
            continue
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        if not dashes:
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        ends.append((points[-1], way, colour))
    # Names stand at the lines' ends, moved apart where they would cover each other.
    free = float(TOP)
    for (x, y), way, colour in sorted(ends, key=lambda end: end[0][1]):
        at = max(y, free)
        free = at + 16
        out.append(f'<path d="M{x + 5:.1f} {y:.1f}L{x + 18:.1f} {at:.1f}" stroke="{colour}" fill="none"/>')
        out.append(f'<text x="{x + 22:.1f}" y="{at + 4:.1f}" fill="{colour}">{escape(way)}</text>')
    out.append("</g>\n</svg>\n")
    return "\n".join(out)


if __name__ == "__main__":
    main()
