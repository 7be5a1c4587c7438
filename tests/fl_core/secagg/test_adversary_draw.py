"""An edge that arranges its ready list before the beacon, to surround a device with its own."""

from __future__ import annotations

import pytest
from scipy import stats

from fl_core.canonical import sha256
from fl_core.cohorts import ReadyDevice, draw_cohorts, ready_digest

READY, COLLUDERS, COHORT, BEACONS = 120, 30, 24, 1_500
VICTIM = 60
PLACEMENTS = {
    "first": range(COLLUDERS),
    "last": range(READY - COLLUDERS, READY),
    "around the victim": [p for p in range(VICTIM - 15, VICTIM + 16) if p != VICTIM],
    "every fourth": [p for p in range(0, READY) if p % 4 == 1],
}


def colluders_beside_the_victim(colluders, beacon):
    cohorts = draw_cohorts(beacon, 1, [0] * READY, cohort_size=COHORT, k_min=16)
    (own,) = (cohort for cohort in cohorts if VICTIM in cohort.positions)
    assert len(own.positions) == COHORT
    return len(set(own.positions) & set(colluders))


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_whatever_the_order_of_the_ready_list_colluders_beside_a_device_are_as_many_as_chance_has_it(
    placement,
):
    colluders = PLACEMENTS[placement]
    assert len(colluders) == COLLUDERS
    found = [colluders_beside_the_victim(colluders, sha256(b"%d" % number)) for number in range(BEACONS)]
    chance = stats.hypergeom(READY - 1, COLLUDERS, COHORT - 1)
    bins = [(0, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, COHORT)]
    expected = [BEACONS * (chance.cdf(high) - chance.cdf(low - 1)) for low, high in bins]
    seen = [sum(low <= count <= high for count in found) for low, high in bins]
    assert stats.chisquare(seen, expected).pvalue > 1e-4


def test_the_list_that_was_published_cannot_be_arranged_anew_once_the_beacon_is_known():
    """Of all ways to swap two lines of a list of forty, none has the digest that devices hold the edge to."""
    lines = [ReadyDevice(bytes([number]) * 20, 0, 6, False) for number in range(40)]
    digests = {ready_digest(1, 1, lines)}
    for one in range(40):
        for other in range(one):
            swapped = list(lines)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            digests.add(ready_digest(1, 1, swapped))
    assert len(digests) == 1 + 40 * 39 // 2
