"""Global noise: anyone with seed and beacon recomputes it, nobody chooses it, no two sums share it."""

import hashlib
import itertools
import math

import numpy as np
import pytest

from fl_core.errors import SpecError
from fl_core.privacy import global_noise

SEED, BEACON = hashlib.sha256(b"seed").digest(), hashlib.sha256(b"beacon").digest()
ARGUMENTS = {"round_number": 3, "hospital": 2, "cohort": 1, "variance": 400.0, "size": 500, "link_class": 0}


def noise(seed=SEED, beacon=BEACON, **changes):
    return global_noise(seed, beacon, **{**ARGUMENTS, **changes})


def test_anyone_with_seed_and_beacon_recomputes_it():
    assert np.array_equal(noise(), noise())
    assert (
        hashlib.sha256(noise().astype("<i8").tobytes()).hexdigest()
        == "bf6ac8f893e09aefccb3d1ff85f9956807d7c5b42b3a443965ffbce6b7af1130"
    )


def test_every_released_sum_has_noise_of_its_own():
    others = [
        noise(),
        noise(seed=hashlib.sha256(b"other").digest()),
        noise(beacon=hashlib.sha256(b"later").digest()),
        noise(round_number=4),
        noise(hospital=3),
        noise(cohort=0),
        noise(cohort=None),
        noise(link_class=1),
        noise(variance=400.5),
        noise(size=501)[:500],
    ]
    for one, other in itertools.combinations(others, 2):
        assert abs((one * other).mean()) / 400 < 5 / math.sqrt(500)


def test_its_variance_is_the_one_agreed():
    values = noise(size=100_000)
    assert values.var() == pytest.approx(400.0, rel=0.02)
    assert not noise(variance=0.0).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": bytes(31)}, "seed of 31"),
        ({"beacon": bytes(33)}, "beacon of 32 and|and beacon of 33"),
        ({"round_number": -1}, "round -1"),
        ({"hospital": 1 << 32}, "hospital 4294967296"),
        ({"cohort": -2}, "cohort -2"),
        ({"variance": math.nan}, "variance"),
        ({"size": -1}, "-1 entries"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(SpecError, match=message):
        noise(**arguments)
