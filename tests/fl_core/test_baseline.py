import numpy as np
import pytest
from plain_fedavg import Experiment
from sklearn.linear_model import LogisticRegression

from fl_core.data import load, partition_dirichlet, split
from fl_core.simulation import Behaviour

SEEDS = (0, 1, 2)
DISHONEST = {5: Behaviour.LABEL_FLIP, 23: Behaviour.LABEL_FLIP, 48: Behaviour.FREE_RIDER}


@pytest.fixture(scope="module")
def experiments():
    table = load("wdbc")
    made = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        parts = split(table, hospitals=4, rng=rng)
        made.append(Experiment(table, partition_dirichlet(table, parts, devices=16, rng=rng, alpha=2.0)))
    return made


@pytest.fixture(scope="module")
def centralised(experiments):
    return [experiment.centralised(seed) for seed, experiment in zip(SEEDS, experiments, strict=True)]


def test_the_baseline_is_as_good_as_a_tuned_solver(experiments, centralised):
    for experiment, result in zip(experiments, centralised, strict=True):
        rows, test = experiment.federation.training_rows, experiment.federation.test
        solver = LogisticRegression(C=1.0, max_iter=1000).fit(
            experiment.features[rows], experiment.labels[rows]
        )
        assert result.test.accuracy >= solver.score(experiment.features[test], experiment.labels[test]) - 0.02
        assert result.test.auroc > 0.98


def test_the_baseline_is_reproducible(experiments, centralised):
    again = experiments[0].centralised(SEEDS[0])
    assert np.array_equal(again.vector, centralised[0].vector)
    assert again.test == centralised[0].test


@pytest.mark.parametrize("behaviours", [{}, DISHONEST], ids=["all honest", "two flippers and a free rider"])
def test_federated_training_comes_near_the_baseline_on_wdbc(experiments, centralised, behaviours):
    differences = [
        experiment.test_metrics(experiment.federated(seed, behaviours=behaviours)).accuracy
        - result.test.accuracy
        for seed, experiment, result in zip(SEEDS, experiments, centralised, strict=True)
    ]
    assert np.mean(differences) > -0.03  # 2 points over 20 seeds, with room for the noise of 3
