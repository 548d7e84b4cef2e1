"""The reference and the compiled part agree on the vendors whose streams have no format of their own here."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
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


def agreed(name: str, source: dict[str, Any], target: dict[str, Any]) -> list[str]:
    """The ids of the reasons, on which both sides agree, of a source that may be impossible as a target."""
    case = differential.Case(differential.profile(name, source), {"vendor": name, **target})
    answer, difference = differential.compare(case)
    assert difference is None, f"{difference}"
    return [identity for identity, _, _ in answer.reasons]


def test_no_target_is_set_to_a_layout_that_does_not_exist() -> None:
    """Of seed 77, input 25960: the reference would have set it."""
    target = {"attributes": {"state_layout": "spdk"}, "settable": {"state_layout": {"any": True, "path": "made"}}}
    assert "state_layout.set" in agreed("nvme", {"state_layout": "nvme-2.1"}, target)
    assert "state_layout.not-equal" in agreed("nvme", {"state_layout": "nvme-2.2"}, target)


@pytest.mark.parametrize("attribute", ["capabilities", "extended_compression"])
def test_a_mask_has_no_limit_that_the_page_does_not_state(attribute: str) -> None:
    """Of seed 77, input 193852: the reference refused a mask of more than 32 bits."""
    wide = {"attributes": {attribute: 0x1_0000_0067}}
    found = agreed("qat", wide["attributes"], wide)
    assert not [identity for identity in found if identity.startswith((attribute + ".", "attribute."))]
    assert f"{attribute}.not-subset" in agreed("qat", wide["attributes"], {"attributes": {attribute: 0x67}})


def test_nothing_that_has_another_type_is_set() -> None:
    """A source's version is no list of versions, though the target says that its list can be set to anything."""
    target = {
        "attributes": {"state_formats": {"1": "1"}},
        "settable": {"state_formats": {"any": True, "path": "made"}},
    }
    assert "state_version.not-one-of" in agreed("nvme", {"state_version": 0}, target)


@pytest.mark.parametrize(("aggregation", "finding"), [(2**34, "not-in-profile"), (2**34 - 4, "not-equal")])
def test_a_share_that_no_ratio_holds_does_not_follow(aggregation: int, finding: str) -> None:
    """Of seed 78, input 97243: the reference compared it."""
    source = {"mdev_type": "i915-GVTg_V5_4", "aggregation": aggregation}
    assert f"capacity.{finding}" in agreed("gvt-g", source, {"attributes": {"capacity": "1/4"}})


OWN = {"source": "site rule"}


@pytest.mark.parametrize(
    ("name", "source", "device", "accepts", "expected"),
    [
        (
            "nvidia",
            {"gsp_firmware": True},
            {"gsp_firmware": False},
            {"gsp_firmware": {"rule": "equal", **OWN}},
            ["gsp_firmware.accepted-by-target", "gsp_firmware.not-equal"],
        ),
        (
            "nvidia",
            {"guest_driver": "550.1"},
            {"driver_version": "595.1"},
            {"guest_driver": {"rule": "branch", "newer": 1, **OWN}},
            ["guest_driver.accepted-by-target", "guest_driver.branch"],
        ),
        (
            "nvidia",
            {"vgpu_version": 13},
            {"vgpu_version_range": [10, 14]},
            # That of the target's attribute counts.
            {
                "vgpu_version": {"rule": "in-range", "range": [1, 20], **OWN},
                "vgpu_version_range": {"rule": "in-range", "range": [14, 20], **OWN},
            },
            ["vgpu_version.accepted-by-target", "vgpu_version.not-in-range", "vgpu_version_range.accepted-by-target"],
        ),
        (
            "nvme",
            {"max_io_queues": 64, "io_queues": 16},
            {"max_io_queues": 32},
            {"max_io_queues": {"rule": "at-least", **OWN}},
            ["max_io_queues.accepted-by-target", "max_io_queues.not-at-least"],
        ),
        (
            "gvt-g",
            {"mdev_type": "i915-GVTg_V5_4", "aggregation": 2},
            {"mdev_type": "i915-GVTg_V5_4"},
            {"mdev_type": {"rule": "ignore", **OWN}},
            ["high_gm_mb.not-equal", "low_gm_mb.not-equal", "mdev_type.accepted-by-target"],
        ),
        (
            "ccw",
            {"availability": "boxed"},
            {"availability": "good"},
            {"availability": {"rule": "equal", **OWN}},
            ["availability.accepted-by-target", "availability.not-equal"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_of_the_targets_own_replaces_rows_whole(
    name: str, source: dict[str, Any], device: dict[str, Any], accepts: dict[str, Any], expected: list[str]
) -> None:
    found = agreed(name, source, {"attributes": device, "accepts": accepts})
    about = {identity.partition(".")[0] for identity in expected}
    assert sorted(identity for identity in found if identity.partition(".")[0] in about) == expected


def test_a_hypervisor_that_is_not_reported_hides_nothing() -> None:
    source = {"hypervisor": {"unknown": True}, "driver_version": "550.54.10"}
    found = agreed("nvidia", source, {"attributes": {"hypervisor": "RHEL 9.6", "driver_version": "550.90"}})
    assert found.count("hypervisor.not-reported-yet") == 1
    assert "driver_version.needs-assertion" in found


@pytest.mark.parametrize(
    ("name", "source", "number"),
    [
        ("nvidia", {"driver_build": "550.90.07", "manager_version": "570.1"}, 0x0114),
        (
            "nvidia",
            {"driver_version": {"unknown": True}, "driver_build": "550.90", "manager_version": "1"},
            0x0114,
        ),
        ("nvidia", {"driver_version": "550.90.8", "driver_build": "550.90.07"}, 0x000D),
        ("nvme", {"page_size": 4096, "page_sizes": [8192, 16384]}, 0x0111),
    ],
)
def test_a_contradiction_is_reported_at_the_second(name: str, source: dict[str, Any], number: int) -> None:
    case = differential.Case(differential.profile(name, source), {"vendor": name, "attributes": {}})
    answer, difference = differential.compare(case)
    assert difference is None, f"{difference}"
    (offset,) = [at for identity, at, _ in answer.reasons if identity == "profile.contradicts-itself"]
    assert offset is not None
    # Eight bytes of head stand before the value, the id first.
    assert int.from_bytes(case.data[offset - 8 : offset - 6], "little") & 0x7FFF == number


def test_an_input_is_made_again() -> None:
    """Not only in this process: nothing may hang on the order of a set."""
    make = "import differential; print([differential.make(differential.Random(str(number))) for number in range(300)])"
    code = f"import sys; sys.path.insert(0, 'scripts'); {make}"
    made = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]
