"""A person may have several devices of one hospital, and what they lose through all of them together is shown."""

from __future__ import annotations

import json
import math
import os
from dataclasses import fields, replace

import numpy as np
import pytest
from command_line import fediomt
from interrupted_runs import fresh, seeded_noise

from fl_core.privacy import PrivacyLoss, composed_person_loss
from scripts.federation.report import RunReport, figures
from scripts.federation.resume import resume_offline
from scripts.federation.settings import RunSettings

RANGES = '{"dose": [0, 6], "age": [0, 100], "y": ["sick", "well"]}'
TABLE = ("--csv", "t.csv", "--label", "y", "--group", "who", "--ranges", "r.json", "--split-patients")
SMALL = ("--rounds", "2", "--hospitals", "3", "--devices", "8", "--cohort-size", "4", "--k-min", "3")


@pytest.fixture
def patients(tmp_path):
    """A table of 30 patients with 14 rows each, and its public ranges."""
    rng = np.random.default_rng(1)
    rows = []
    for who in range(30):
        for dose, age in rng.uniform((0, 0), (6, 100), (14, 2)):
            rows.append(f"p{who},{dose:.3f},{age:.1f},{'sick' if dose + rng.normal() > 3 else 'well'}")
    (tmp_path / "t.csv").write_text("\n".join(("who,dose,age,y", *rows)) + "\n")
    (tmp_path / "r.json").write_text(RANGES)
    return tmp_path


def settings_of(folder, **changes):
    chosen = {
        "data": None,
        "csv": str(folder / "t.csv"),
        "label": "y",
        "group": "who",
        "ranges": str(folder / "r.json"),
        "split_patients": True,
        "rounds": 2,
        "hospitals": 3,
        "devices": 8,
        "cohort_size": 4,
        "k_min": 3,
        "epsilon": 8.0,
    }
    return RunSettings(**(chosen | changes))


def test_a_run_shows_what_a_person_loses_through_all_devices(patients):
    said = fediomt("train", "--no-chain", "--json", *SMALL, *TABLE, cwd=patients)
    assert said.code == 0, said
    report = json.loads(said.out)
    assert report["devices_per_person"] > 1
    assert report["epsilon"] <= 8 < report["epsilon_person"]
    assert report["epsilon_person"] <= report["epsilon_person_edge"] <= report["epsilon_person_unmasked"]
    shown = fediomt("train", "--no-chain", *SMALL, *TABLE, cwd=patients)
    assert f"A person here has up to {report['devices_per_person']} devices" in shown.out
    assert f"epsilon of a person with up to {report['devices_per_person']} devices" in shown.out
    assert fediomt("audit", cwd=patients).code == 0


def test_without_noise_no_epsilon_of_a_person_is_claimed(patients):
    said = fediomt("train", "--no-chain", "--json", "--epsilon", "inf", *SMALL, *TABLE, cwd=patients)
    report = json.loads(said.out)
    assert report["devices_per_person"] > 1
    assert report["epsilon_person"] is report["epsilon_person_unmasked"] is None


def test_where_nobody_has_several_devices_a_person_loses_what_a_device_loses(tmp_path):
    said = fediomt("train", "--no-chain", "--json", "--rounds", "1", cwd=tmp_path)
    report = json.loads(said.out)
    assert report["devices_per_person"] == 1
    assert report["epsilon_person"] == report["epsilon"]
    assert "of a person" not in fediomt("train", "--no-chain", "--rounds", "1", cwd=tmp_path).out


def test_a_report_has_a_persons_epsilons_where_one_has_several_devices():
    empty = dict.fromkeys((field.name for field in fields(RunReport)), 0)
    told = {"loss": PrivacyLoss(3.0, 2.0, 4.0), "person_loss": PrivacyLoss(9.0, 8.0, math.inf), "delta": 1e-5}
    several = RunReport(**(empty | told | {"devices_per_person": 4}))
    shown = dict(figures(several))
    assert shown["epsilon of a person with up to 4 devices"].startswith(
        "8.00 at release, 9.00 at the edge, none"
    )
    alone = dict(figures(replace(several, devices_per_person=1)))
    assert not [name for name in alone if "person" in name]


def test_a_persons_devices_are_all_at_one_hospital_and_no_device_is_of_two_persons(patients):
    run = fresh(settings_of(patients), patients / "run")
    population = run.population
    assert population.devices_per_person == max(map(len, population.persons)) > 1
    for places in population.persons:
        assert len({hospital for hospital, _ in places}) == 1
    held = [place for places in population.persons for place in places]
    assert len(held) == len(set(held)) == 24


def test_the_figure_is_that_of_the_rounds_and_devices_that_took_part(patients):
    run = fresh(settings_of(patients), patients / "run")
    assert run.population.person_loss() == PrivacyLoss(0.0, 0.0, 0.0)
    run.train()
    most = run.population.devices_per_person
    expected = composed_person_loss([(run.spec.exposure, most, 2)], run.spec.noise.delta)
    assert run.population.person_loss() == expected


def test_the_figure_goes_on_where_a_run_goes_on(patients):
    def stop(_summary):
        raise KeyboardInterrupt

    run = fresh(settings_of(patients), patients / "run")
    with pytest.raises(KeyboardInterrupt):
        run.train(stop)
    after_one = run.population.person_loss()
    resumed = resume_offline(patients / "run", seeded_noise).run
    assert resumed.population.person_loss() == after_one
    resumed.train()
    assert resumed.population.person_loss().release > after_one.release


@pytest.mark.skipif(not os.environ.get("FEDIOMT_DATA"), reason="FEDIOMT_DATA names no folder with UCI HAR")
def test_har_trains_with_the_default_devices(tmp_path):
    said = fediomt("train", "--data", "har", "--no-chain", "--json", "--rounds", "1", cwd=tmp_path)
    assert said.code == 0, said
    report = json.loads(said.out)
    assert 3 <= report["devices_per_person"] <= 6
    assert report["epsilon"] < report["epsilon_person"]
