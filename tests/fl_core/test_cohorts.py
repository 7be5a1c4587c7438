from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.cohorts import ReadyDevice, beacon_of_run, default_threshold, draw_cohorts, ready_digest
from fl_core.errors import SpecError
from fl_core.secagg import minimum_threshold

BEACON = bytes(range(32))
LINES = tuple(ReadyDevice(bytes([i]) * 20, i % 4, 8 + i, i % 2 == 0) for i in range(5))


def positions(beacon, hospital, count, **sizes):
    """The draw among devices of one link class."""
    drawn = draw_cohorts(beacon, hospital, [0] * count, **sizes)
    assert all(cohort.link_class == 0 for cohort in drawn)
    return tuple(cohort.positions for cohort in drawn)


@st.composite
def sizes(draw):
    k_min = draw(st.integers(1, 12))
    return draw(st.integers(0, 120)), draw(st.integers(k_min, 24)), k_min


@given(st.binary(min_size=32, max_size=32), st.integers(1, 64), sizes())
def test_a_draw_is_a_function_of_beacon_hospital_and_count_and_covers_everybody_once(beacon, hospital, size):
    ready, cohort_size, k_min = size
    drawn = positions(beacon, hospital, ready, cohort_size=cohort_size, k_min=k_min)
    assert drawn == positions(beacon, hospital, ready, cohort_size=cohort_size, k_min=k_min)
    if ready < k_min:
        assert drawn == ()
        return
    assert sorted(chain(*drawn)) == list(range(ready))
    assert all(list(cohort) == sorted(cohort) for cohort in drawn)
    lengths = [len(cohort) for cohort in drawn]
    assert max(lengths) - min(lengths) <= 1
    if ready < cohort_size:
        assert lengths == [ready]
    else:
        assert len(drawn) == ready // cohort_size
        assert all(cohort_size <= length < 2 * cohort_size for length in lengths)


@given(st.lists(st.integers(0, 3), max_size=80), st.integers(1, 64), st.integers(3, 12))
def test_cohorts_are_drawn_within_a_link_class_or_with_slower_ones(classes, hospital, cohort_size):
    drawn = draw_cohorts(BEACON, hospital, classes, cohort_size=cohort_size, k_min=3)
    if len(classes) < 3:
        assert drawn == ()
        return
    assert sorted(chain(*(cohort.positions for cohort in drawn))) == list(range(len(classes)))
    for cohort in drawn:
        assert all(classes[position] <= cohort.link_class for position in cohort.positions)
        assert len(cohort.positions) >= min(cohort_size, len(classes))
        assert len(cohort.positions) < 2 * cohort_size
    for link_class in set(classes):
        # fewer than a cohort join from faster classes: with as many cohorts as that, one is without them
        if classes.count(link_class) >= cohort_size**2:
            assert any(set(map(classes.__getitem__, c.positions)) == {link_class} for c in drawn)


def test_too_few_of_a_link_class_join_the_next_slower_one():
    drawn = draw_cohorts(BEACON, 1, [0] * 3 + [1] * 13, cohort_size=8, k_min=5)
    assert [(cohort.link_class, len(cohort.positions)) for cohort in drawn] == [(1, 8), (1, 8)]
    everybody = draw_cohorts(BEACON, 1, [0, 1, 2, 2, 1, 0], cohort_size=8, k_min=5)
    assert [(cohort.link_class, cohort.positions) for cohort in everybody] == [(2, (0, 1, 2, 3, 4, 5))]


def test_too_few_of_the_slowest_class_are_filled_up_from_the_one_before():
    classes = [0] * 20 + [2] * 3
    drawn = draw_cohorts(BEACON, 1, classes, cohort_size=8, k_min=5)
    assert [(cohort.link_class, len(cohort.positions)) for cohort in drawn] == [(0, 15), (2, 8)]
    assert set(drawn[1].positions) > {20, 21, 22}
    crowded = draw_cohorts(BEACON, 1, [0] * 10 + [1] * 3, cohort_size=8, k_min=5)
    assert [(cohort.link_class, len(cohort.positions)) for cohort in crowded] == [(1, 13)]


def test_a_slow_device_does_not_slow_those_of_other_cohorts():
    classes = [0] * 47 + [1]
    drawn = draw_cohorts(BEACON, 1, classes, cohort_size=8, k_min=5)
    assert [cohort.link_class for cohort in drawn] == [0] * 5 + [1]


def test_beacon_and_hospital_each_change_the_draw():
    def draw(beacon, hospital):
        return positions(beacon, hospital, 40, cohort_size=8, k_min=5)

    assert len({draw(BEACON, 1), draw(BEACON, 2), draw(bytes(32), 1)}) == 3


def test_every_pair_meets_about_equally_often():
    together = {}
    draws = 2000
    for number in range(draws):
        for cohort in positions(beacon_of_run(3, number), 1, 8, cohort_size=4, k_min=4):
            for pair in ((a, b) for a in cohort for b in cohort if a < b):
                together[pair] = together.get(pair, 0) + 1
    expected = draws * 3 / 7  # of seven others, three are in one's cohort
    deviation = (draws * (3 / 7) * (4 / 7)) ** 0.5
    assert len(together) == 28
    assert all(abs(count - expected) < 5 * deviation for count in together.values())


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"k_min": 0}, "k_min 0"),
        ({"k_min": 9}, "k_min 9 and cohort size 8"),
        ({"beacon": b""}, "beacon of 0 bytes"),
        ({"beacon": BEACON + b"\x00"}, "beacon of 33 bytes"),
        ({"hospital": -1}, "hospital -1"),
        ({"hospital": 1 << 16}, "hospital 65536"),
    ],
)
def test_a_draw_that_cannot_be_is_refused(changes, what):
    good = {"beacon": BEACON, "hospital": 1, "link_classes": [0] * 20, "cohort_size": 8, "k_min": 5}
    with pytest.raises(SpecError, match=what):
        draw_cohorts(**{**good, **changes})


@given(st.integers(1, 1024), st.integers(1, 1024))
def test_a_cohort_needs_more_than_two_thirds_and_never_fewer_than_k_min(members, k_min):
    threshold = default_threshold(members, k_min)
    assert threshold == max(minimum_threshold(members), k_min)
    assert 3 * threshold > 2 * members
    if k_min <= members:
        assert threshold <= members


def test_the_design_s_example_of_24_devices_needs_17():
    assert default_threshold(24, 16) == 17


def test_the_ready_digest_binds_round_hospital_order_and_every_field():
    digests = {
        ready_digest(1, 1, LINES),
        ready_digest(2, 1, LINES),
        ready_digest(1, 2, LINES),
        ready_digest(1, 1, LINES[::-1]),
        ready_digest(1, 1, LINES[:-1]),
        ready_digest(1, 1, ()),
        *(
            ready_digest(1, 1, (replace(LINES[0], **change), *LINES[1:]))
            for change in (
                {"address": bytes(19) + b"\x01"},
                {"device_class": 3},
                {"rows": 9},
                {"own_payee": False},
                {"link_class": 1},
            )
        ),
    }
    assert len(digests) == 11
    assert {len(digest) for digest in digests} == {32}


BYTE = st.integers(0, 255)


@given(st.binary(min_size=20, max_size=20), BYTE, st.integers(1, 2**53 - 1), st.booleans(), BYTE)
def test_a_line_of_the_ready_list_reads_back(address, device_class, rows, own_payee, link_class):
    line = ReadyDevice(address, device_class, rows, own_payee, link_class)
    assert ReadyDevice.from_json(line.to_json()) == line


@pytest.mark.parametrize(
    "value",
    [
        ["00" * 19, 0, 1, True, 0],
        ["zz" * 20, 0, 1, True, 0],
        ["00" * 20, -1, 1, True, 0],
        ["00" * 20, 256, 1, True, 0],
        ["00" * 20, 0, 0, True, 0],
        ["00" * 20, 0, -5, True, 0],
        ["00" * 20, 0, 1.5, True, 0],
        ["00" * 20, True, 1, True, 0],
        ["00" * 20, 0, 1, 1, 0],
        ["00" * 20, 0, 1, True, -1],
        ["00" * 20, 0, 1, True, 256],
        ["00" * 20, 0, 1, True, False],
        ["00" * 20, 0, 1, True],
        [1, 0, 1, True, 0],
        None,
        "four",
        {},
    ],
    ids=repr,
)
def test_a_malformed_line_is_refused(value):
    with pytest.raises(SpecError, match="ready list"):
        ReadyDevice.from_json(value)


def test_the_beacon_of_a_run_changes_with_seed_and_round():
    assert len({beacon_of_run(seed, number) for seed in (-1, 0, 1) for number in (0, 1, 2)}) == 9
    with pytest.raises(SpecError, match="128 bits"):
        beacon_of_run(1 << 127, 1)
