"""What the tests share: captured streams, targets, and a sealed stream made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import transire

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def captures() -> Path:
    """Captured streams of mtty, damaged ones, and the tables about them."""
    return ROOT / "fixtures" / "mtty"


@pytest.fixture(scope="session")
def stream(captures: Path) -> Path:
    """A captured stream of two ports, 96 bytes."""
    return captures / "mtty2-both-ports.bin"


@pytest.fixture(scope="session")
def two_ports() -> transire.Target:
    return transire.Target(vendor="mtty", attributes={"nr_ports": 2})


@pytest.fixture(scope="session")
def one_port() -> transire.Target:
    return transire.Target(vendor="mtty", attributes={"nr_ports": 1})


@pytest.fixture(scope="session")
def profile() -> transire.Profile:
    return transire.Profile(vendor="mtty", attributes={"nr_ports": 2, "mdev_type": "mtty-2"})


@pytest.fixture(scope="session")
def sealed(stream: Path, profile: transire.Profile) -> bytes:
    """The stream of two ports in the envelope, always the same bytes."""
    made = transire.seal(stream.read_bytes(), profile, stream_id=bytes(range(16)))
    assert isinstance(made, bytes)
    return made
