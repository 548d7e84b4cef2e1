"""The compiled part and the reference agree. `make differential` tries more of the same."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transire

if TYPE_CHECKING:
    from random import Random

ROOT = Path(__file__).parent.parent
FUZZ = ROOT / "crates" / "transire-core" / "fuzz"


def load() -> Any:
    """The script, which has the machinery."""
    spec = importlib.util.spec_from_file_location("differential", ROOT / "scripts" / "differential.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


differential = load()
TARGETS = [None, *({"vendor": "mtty", "attributes": {"nr_ports": ports}} for ports in (1, 2))]


def agree(data: bytes, target: dict[str, Any] | None) -> None:
    _, difference = differential.compare(differential.Case(data, target))
    assert difference is None, f"{difference}\n{data.hex()}"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


@pytest.mark.parametrize("target", TARGETS, ids=["no target", "one port", "two ports"])
@pytest.mark.parametrize(
    "folder", [ROOT / "fixtures", FUZZ / "corpus", FUZZ / "regressions"], ids=lambda path: path.name
)
def test_on_every_file(folder: Path, target: dict[str, Any] | None) -> None:
    # Larger files are of other vendors' containers, and tables; a megabyte in plain Python takes a while.
    for path in files(folder):
        if path.stat().st_size <= 65_536:
            agree(path.read_bytes(), target)


@settings(max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_on_what_hypothesis_makes(random: Random) -> None:
    case = differential.make(random)
    agree(case.data, case.target)


def test_on_what_the_script_makes() -> None:
    tally = differential.run((0, 0, 6000))
    assert not tally.differences, tally.differences[0]
    assert not tally.beyond
    # What is made reaches every kind of check.
    wanted = ["prologue", "header", "attribute", "frame", "end", "abort", "stream", "mtty", "requires", "profile"]
    assert set(wanted) <= {identity.partition(".")[0] for identity in tally.ids}
    assert set(tally.outcomes) == {outcome.name for outcome in transire.Outcome}
    assert len(tally.ids) > 90


@pytest.mark.parametrize("length", [1, 1_048_575, 1_048_576, 1_048_577])
@pytest.mark.parametrize("kind", [1, 0x80])
def test_on_frames_at_their_limit(length: int, kind: int) -> None:
    attributes = [
        (0x8001, 3, b"mtty"),
        (0x80E0, 3, b"opaque"),
        (0x80E1, 2, struct.pack("<Q", 1)),
        (0x80E3, 4, bytes(16)),
    ]
    header = b"".join(differential.attribute(*one) for one in attributes)
    total = struct.pack("<Q", length if kind == 1 else 0)
    frames = differential.frame(kind, 4, 0, bytes(length)) + differential.frame(2, 4, 1, total)
    agree(differential.envelope(2, header, frames), None)


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537])
def test_on_headers_at_their_limit(length: int) -> None:
    vendor = differential.attribute(0x8001, 3, b"mtty")
    header = vendor + differential.attribute(0x7000, 0xFF, bytes(length - len(vendor) - 8))
    agree(differential.envelope(1, header), TARGETS[1])


@pytest.mark.parametrize("number", [0, 1, 255, 256, 257])
def test_on_sets_and_maps_at_their_limit(number: int) -> None:
    members = [struct.pack("<HH", 2, at << 8 & 0xFF00 | at >> 8) for at in range(number)]
    pairs = [struct.pack("<H4sH1s", 4, f"{at:04}".encode(), 1, b"x") for at in range(number)]
    texts = [struct.pack("<H4s", 4, f"{at:04}".encode()) for at in range(number)]
    vendor = differential.attribute(0x8001, 3, b"mtty")
    for kind, value in ((8, b"\x03" + b"".join(texts)), (11, b"".join(pairs)), (8, b"\x0a" + b"".join(members))):
        agree(differential.envelope(1, vendor + differential.attribute(0x7000, kind, value)), None)


def test_every_difference_that_is_tolerated_is_still_there() -> None:
    for tolerated in differential.TOLERATED:
        answer, difference = differential.compare(tolerated.example)
        assert difference is None
        assert answer != differential.of_reference(tolerated.example), f"no longer differs: {tolerated.reason}"


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Were they not compared, everything above would hold."""
    monkeypatch.setattr(differential.reference.sealed, "FRAME_LEN", 1)
    tally = differential.run((0, 0, 200))
    assert tally.differences
    name, difference = tally.differences[0]
    differential.report(tmp_path, name, difference)
    assert (tmp_path / f"{name}.bin").read_bytes() == difference.case.data
