"""The reference and the compiled part agree on the vendors whose streams have no format of their own here."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transire
from transire import reference
from transire.reference.target import NAMES
from transire.reference.vendors import VENDORS

ROOT = Path(__file__).parent.parent
NAMED = sorted(VENDORS.keys() - {"mtty"})
VECTORS = [
    vector
    for vector in json.loads((ROOT / "fixtures" / "vectors" / "vectors.json").read_bytes())["vectors"]
    if vector["target"] is not None and vector["target"]["vendor"] in NAMED and vector["standard"] == "strict"
]


def load() -> Any:
    """The script, which makes the pairs."""
    spec = importlib.util.spec_from_file_location("differential", ROOT / "scripts" / "differential.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


differential = load()


def test_the_vendors_are_all() -> None:
    assert VENDORS.keys() == {vendor.name for vendor in transire.vendors()}


@pytest.mark.parametrize("name", NAMED)
def test_the_attributes_are_those_of_the_page(name: str) -> None:
    names = {kind: said for said, kind in NAMES.items()}
    page = (ROOT / "docs" / "vendors" / f"{name}.md").read_text("utf-8")
    listed = re.findall(r"^\| (0x[0-9A-Fa-f]{4}) \| `(\w+)` \| (\w+)", page, re.MULTILINE)
    assert [(int(number, 16), said, kind) for number, said, kind in listed] == [
        (row.id, row.name, names[row.type]) for row in VENDORS[name].attributes
    ]


@pytest.mark.parametrize("name", NAMED)
def test_the_rules_are_those_of_the_page(name: str) -> None:
    page = (ROOT / "docs" / "vendors" / f"{name}.md").read_text("utf-8")
    table = page.partition("\n## Rules\n")[2].partition("\n\n## ")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {attribute for cell in first for attribute in re.findall(r"`(\w+)`", cell)}
    assert listed == {part for rule in VENDORS[name].rules for part in (rule.attribute, rule.of_target)} - {
        # Named in other words, or not as a row of its own.
        *({"manager_version", "vgpu_version_range"} if name == "nvidia" else {""}),
        "",
    }


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
def test_a_vector_has_its_verdict(vector: dict[str, Any]) -> None:
    source = vector["input"]
    folder = ROOT / "fixtures" / "vectors"
    data = bytes.fromhex(source["hex"]) if "hex" in source else (folder / source["file"]).read_bytes()
    reading = reference.read(data, vector["target"], 1_800_000_000, format=vector.get("format"))
    assert sorted(reason.id for reason in reading.reasons) == sorted(reason["id"] for reason in vector["reasons"])
    assert reading.outcome.name.lower() == vector["outcome"]


@pytest.mark.parametrize("name", NAMED)
@settings(max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 64))
def test_on_pairs(name: str, seed: int) -> None:
    random = Random(seed)
    source, said = differential.pair(random, name)
    case = differential.Case(source, said)
    answer, difference = differential.compare(case)
    assert difference is None, f"{difference}"
    try:
        profile = transire.Profile.read(source)
    except transire.ProfileError:
        assert answer.outcome in ("CORRUPT", "UNRECOGNIZED")
        return
    verdict = transire.check(profile, transire.Target(**said))
    found = Counter(reason.id for reason in verdict.reasons)
    assert found == Counter(identity for identity, _, _ in answer.reasons), said
    assert verdict.outcome.name == answer.outcome


@pytest.mark.parametrize("name", NAMED)
def test_pairs_reach_every_rule(name: str) -> None:
    random = Random(name)
    ids: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for _ in range(1500):
        answer, difference = differential.compare(differential.Case(*differential.pair(random, name)))
        assert difference is None, f"{difference}"
        ids.update({identity for identity, _, _ in answer.reasons})
        outcomes[answer.outcome] += 1
    compared = {rule.attribute for rule in VENDORS[name].rules if rule.compare != "ignore"}
    assert compared <= {identity.partition(".")[0] for identity in ids}
    assert {"COMPATIBLE", "UNKNOWN", "INCOMPATIBLE"} <= set(outcomes)
    assert any(identity.endswith(".set") for identity in ids)
