"""Whoever changes a bundle is found out, and what was changed is named, even where every digest was made anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import fediomt
from safetensors.numpy import load, save

from fl_core.bundle import MANIFEST, bundle_manifest
from fl_core.canonical import canonical_json

pytestmark = pytest.mark.node

Mutation = Callable[[dict[str, bytes]], None]


def edit(name: str, change: Callable[[Any], None]) -> Mutation:
    def mutate(files: dict[str, bytes]) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = canonical_json(value)

    return mutate


def tensor(name: str, change: Callable[[Any], None]) -> Mutation:
    def mutate(files: dict[str, bytes]) -> None:
        tensors = load(files["tensors.safetensors"])
        tensors[name] = tensors[name].copy()
        change(tensors[name])
        files["tensors.safetensors"] = save(tensors)

    return mutate


def bump(array: Any) -> None:
    array[0] += 1


def raise_quality(part: Any) -> None:
    part["contributions"][0][5] -= 100


def raise_volume(part: Any) -> None:
    part["contributions"][1][4] += 1


def redirect_payee(part: Any) -> None:
    part["contributions"][0][3] = "11" * 20


def swap_slots(part: Any) -> None:
    first, second = part["contributions"][0], part["contributions"][1]
    first[1], second[1] = second[1], first[1]


def drop_survivor(part: Any) -> None:
    part["cohorts"][0]["survivors"].pop()


def add_rows(part: Any) -> None:
    part["ready"][0][2] *= 2


def change_salt(part: Any) -> None:
    part["salts"][0] = "22" * 32


def raise_score(common: Any) -> None:
    scores = common["validators"]["2"]["scores"]
    scores["1"] = (scores["1"] + 1) % 10_001


def change_utility(common: Any) -> None:
    common["validators"]["2"]["utilities"][0][2] += 100


def change_rule(common: Any) -> None:
    common["rule"]["device_gate"] = 0


def change_spec(common: Any) -> None:
    common["spec"]["clip_norm"] = 0.25


def change_beacon(common: Any) -> None:
    common["beacon"] = "33" * 32


def drop_validator(common: Any) -> None:
    del common["validators"]["3"]


MUTATIONS: dict[str, tuple[Mutation, str]] = {
    "the model after": (tensor("model_after", bump), "model after the round"),
    "the model before": (tensor("model_before", bump), "starting model"),
    "a cohort's sum": (tensor("sum.1.0", bump), "model after the round"),
    "a leaf's quality": (edit("hospital-1.json", raise_quality), "quality"),
    "a leaf's volume": (edit("hospital-1.json", raise_volume), "volume"),
    "a payee": (edit("hospital-2.json", redirect_payee), "payee"),
    "two slots": (edit("hospital-2.json", swap_slots), "slot"),
    "a survivor": (edit("hospital-3.json", drop_survivor), "cohort 0"),
    "a device's rows": (edit("hospital-3.json", add_rows), "ready list"),
    "a salt": (edit("hospital-4.json", change_salt), "entry: hospital 4"),
    "a score": (edit("round.json", raise_score), "scores: validator 2"),
    "a utility": (edit("round.json", change_utility), "utilities: validator 2"),
    "the reward rule": (edit("round.json", change_rule), "reward rule"),
    "the spec": (edit("round.json", change_spec), "spec hash"),
    "the beacon": (edit("round.json", change_beacon), "beacon"),
    "a validator": (edit("round.json", drop_validator), "validators"),
}


@pytest.mark.parametrize("consistent", [False, True], ids=["as is", "digests made anew"])
@pytest.mark.parametrize("what", MUTATIONS)
def test_an_altered_bundle_is_caught_and_what_was_altered_is_named(recorded, tmp_path, what, consistent):
    mutate, named = MUTATIONS[what]
    runs = tmp_path / "runs"
    shutil.copytree(recorded.run_folder, runs / recorded.run["run"])
    bundle = runs / recorded.run["run"] / "rounds" / "000002"
    files = {path.name: path.read_bytes() for path in bundle.iterdir() if path.name != MANIFEST}
    mutate(files)
    write(bundle, files, consistent=consistent)
    outcome = fediomt("audit", "--runs", str(runs), "--json", cwd=recorded.folder)
    assert outcome.code == 1
    findings = [text for line in json.loads(outcome.out)["lines"] for text in line["findings"]]
    assert findings[0].startswith("bundle: ")
    assert any(named in text for text in findings), findings


def write(bundle: Path, files: dict[str, bytes], *, consistent: bool) -> None:
    for name, data in files.items():
        (bundle / name).write_bytes(data)
    if consistent:
        (bundle / MANIFEST).write_bytes(bundle_manifest(files))


def test_a_missing_bundle_is_a_finding(recorded, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(recorded.run_folder, runs / recorded.run["run"])
    shutil.rmtree(runs / recorded.run["run"] / "rounds" / "000003")
    outcome = fediomt("audit", "--runs", str(runs), cwd=recorded.folder)
    assert outcome.code == 1
    assert "round 3" in outcome.out
    assert "Traceback" not in outcome.err
