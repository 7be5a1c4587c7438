"""Four real hospitals, missing values, a CSV file: from the file to a trained model."""

import os
from pathlib import Path

import numpy as np
import pytest
from plain_fedavg import Experiment

from fl_core.data import load_csv, partition_by_group, split

SITES = ("cleveland", "hungarian", "switzerland", "va")
COLUMNS = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal"


@pytest.fixture(scope="module")
def csv_file(tmp_path_factory):
    root = os.environ.get("FEDIOMT_DATA")
    if not root:
        pytest.skip("FEDIOMT_DATA does not name a data folder")
    folder = Path(root) / "heart_disease_4site"
    if not folder.is_dir():
        pytest.skip("the data folder has no heart_disease_4site")
    lines = [f"{COLUMNS},disease,patient,site"]
    for site in SITES:
        for number, line in enumerate((folder / f"processed.{site}.data").read_text().split()):
            *cells, stage = line.split(",")
            lines.append(",".join([*cells, "yes" if int(stage) else "no", f"{site}-{number}", site]))
    path = tmp_path_factory.mktemp("heart") / "heart.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_four_hospitals_learn_together_from_a_csv_file(csv_file):
    table = load_csv(csv_file, "disease", "patient", "site")
    assert (len(table), table.site_names, len(table.numeric_names)) == (920, SITES, 13)
    assert np.bincount(table.labels).tolist() == [411, 509]
    assert int(np.isnan(table.numeric).sum()) == 6 + 782 + 273 + 698
    differences, accuracies = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        parts = split(table, hospitals=4, rng=rng)
        federation = partition_by_group(table, parts, devices=16, rng=rng)
        for site, devices in enumerate(federation.devices):
            assert set(table.sites[np.concatenate(devices)].tolist()) == {site}
        experiment = Experiment(table, federation)
        accuracies.append(experiment.test_metrics(experiment.federated(seed)).accuracy)
        differences.append(accuracies[-1] - experiment.centralised(seed).test.accuracy)
    assert np.mean(accuracies) > 0.75
    assert np.mean(differences) > -0.04


def test_the_site_column_alone_can_name_the_hospitals(csv_file):
    table = load_csv(csv_file, "disease", "site").groups_as_sites()
    assert table.notes == ("column 'patient' was dropped: its 920 different strings identify rows",)
    rng = np.random.default_rng(0)
    federation = partition_by_group(table, split(table, hospitals=4, rng=rng), devices=8, rng=rng)
    assert federation.hospital_names == SITES
    assert federation.device_count == 32
