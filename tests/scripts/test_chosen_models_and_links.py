"""What `fediomt train` is asked for about model, links and threads is what the rounds do."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from command_line import fediomt
from interrupted_runs import fresh

from fl_core.updates import CompressionSpec
from scripts.federation.settings import RunSettings

SMALL = ("--rounds", "2", "--hospitals", "3", "--devices", "12", "--cohort-size", "4", "--k-min", "3")


def train(folder, *arguments: str):
    said = fediomt("train", "--no-chain", "--json", *SMALL, *arguments, cwd=folder)
    assert said.code == 0, said
    return json.loads(said.out)


def settings_of(**changes):
    chosen = {"rounds": 1, "hospitals": 3, "devices": 12, "cohort_size": 4, "k_min": 3}
    return RunSettings(**(chosen | changes))


def test_hidden_layers_are_those_of_the_spec(tmp_path):
    deep = fresh(settings_of(model="mlp", hidden=(12, 5)), tmp_path / "deep")
    assert deep.spec.model.layers == ((30, 12), (12, 5), (5, 2))
    assert fresh(settings_of(model="mlp"), tmp_path / "plain").spec.model.hidden == (16,)


def test_settings_with_lists_are_read_as_they_were_written():
    chosen = settings_of(model="mlp", hidden=(12, 5), link_classes=(1.0, 0.25))
    assert RunSettings.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


def test_settings_written_before_there_were_such_options_are_the_defaults():
    older = {
        name: value
        for name, value in settings_of().to_json().items()
        if name not in {"hidden", "link_classes", "residual", "root_share", "projection", "torch_device"}
    }
    assert RunSettings.from_json(older) == settings_of()


def test_each_hospitals_devices_are_spread_evenly_over_link_classes_by_the_seed(tmp_path):
    def classes(seed):
        run = fresh(settings_of(link_classes=(1.0, 0.5, 0.25), seed=seed), tmp_path / f"{seed}")
        return [[device.link_class for device in hospital.devices] for hospital in run.population.hospitals]

    found = classes(1)
    assert all(Counter(hospital) == {0: 4, 1: 4, 2: 4} for hospital in found)
    assert found == classes(1) != classes(2)


def test_the_spec_of_the_rounds_has_what_was_chosen_about_compression(tmp_path):
    chosen = settings_of(fraction=0.5, link_classes=(1.0, 0.5), residual=2.0, public_top=0.25)
    spec = fresh(chosen, tmp_path / "run").spec
    assert spec.compression == CompressionSpec(0.5, 0.25, (1.0, 0.5), 2.0)
    assert fresh(settings_of(fraction=0.5), tmp_path / "plain").spec.compression == CompressionSpec(0.5, 0.5)
    assert fresh(settings_of(), tmp_path / "whole").spec.compression is None


@pytest.mark.parametrize("profile", ["accountable", "hospital", "private"])
def test_slower_links_send_less_under_the_same_claim_and_the_audit_agrees(tmp_path, profile):
    chosen = ("--model", "mlp", "--hidden", "64", "--profile", profile)
    alike = train(tmp_path, *chosen)
    slower = train(tmp_path, *chosen, "--link-classes", "1,0.25,0.1")
    assert slower["wire_bytes_up"] < 0.8 * alike["wire_bytes_up"]
    assert slower["epsilon"] <= 8
    audit = fediomt("audit", cwd=tmp_path)
    assert audit.code == 0, audit


def test_link_classes_that_fill_no_cohort_are_told(tmp_path):
    told = ("train", "--no-chain", *SMALL, "--epsilon", "inf", "--link-classes", "1,0.5,0.25,0.1")
    assert "drawn with slower ones" in fediomt(*told, cwd=tmp_path).out
    assert "drawn with slower ones" not in fediomt(*told[:-1], "1,0.5,0.25", cwd=tmp_path).out


def test_threads_change_no_bit_of_the_model(tmp_path):
    one, two = (train(tmp_path, "--epsilon", "inf", "--threads", count)["model_hash"] for count in "12")
    assert one == two
