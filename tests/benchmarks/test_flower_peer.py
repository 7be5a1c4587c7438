"""Figures of a peer are asked for with sizes that can work, or refused before anything is run."""

import sys
from pathlib import Path

import pytest

from benchmarks.peers.flower_secagg import PeerError, ensure_peer_env, measure_flower
from fl_core.errors import SpecError


@pytest.mark.parametrize(
    "wrong",
    [
        {"neighbours": 13},
        {"neighbours": 20},
        {"neighbours": 0},
        {"threshold": 16},
        {"threshold": 1},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dim": 0},
        {"clients_measured": 1},
        {"clients_measured": 21},
    ],
)
def test_sizes_that_cannot_work_are_refused(wrong):
    settings = {"clients": 20, "dim": 10, "neighbours": 14, **wrong}
    with pytest.raises(SpecError):
        measure_flower(Path(sys.executable), **settings)


def test_an_interpreter_without_the_peer_says_so_in_one_line():
    with pytest.raises(PeerError, match="No module named 'flwr'"):
        measure_flower(Path(sys.executable), clients=20, dim=10, neighbours=14)


def test_an_interpreter_that_is_not_there_says_so(tmp_path):
    with pytest.raises(PeerError, match="No such file"):
        measure_flower(tmp_path / "python", clients=20, dim=10, neighbours=14)


def test_a_folder_that_cannot_hold_an_environment_says_so(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(PeerError, match="no environment"):
        ensure_peer_env(tmp_path / "taken")
