import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_rounds import DEVICES, device, simulate

from incentives import (
    DEFAULT_RULE,
    MICRO,
    CohortEvidence,
    CohortKey,
    DecoderSettings,
    IncentivesError,
    RoundEvidence,
    decode,
    effects,
    round_evidence,
)

GATE = DEFAULT_RULE.device_gate


def _rates(seeds, rounds, **world):
    """Scores of flippers, honest devices and free riders over simulated worlds."""
    scores = {"flipper": [], "honest": [], "free rider": []}
    for seed in seeds:
        drawn = simulate(seed, rounds, **world)
        for hospital, history in drawn.histories.items():
            quality = decode(history, devices=[device(hospital, k) for k in range(DEVICES)])
            for who, value in quality.items():
                kind = (
                    "flipper"
                    if who in drawn.flippers
                    else "free rider"
                    if who in drawn.free_riders
                    else "honest"
                )
                scores[kind].append(value)
    return {kind: np.array(values) for kind, values in scores.items()}


def test_flippers_lose_their_pay_within_ten_rounds_and_honest_devices_keep_theirs():
    scores = _rates(range(30), 10)
    assert np.mean(scores["flipper"] < GATE) > 0.8  # 0.92 over 30 worlds
    assert np.mean(scores["flipper"]) < 1_500  # 700
    assert np.mean(scores["honest"] < GATE) < 0.01  # 0.005
    assert np.mean(scores["honest"]) > 9_200  # 9,400
    assert np.mean(scores["free rider"]) < np.mean(scores["honest"])


def test_while_devices_still_have_something_to_add_a_free_rider_falls_behind():
    scores = _rates(range(15), 20, persistent_gain=0.05)
    assert np.mean(scores["flipper"] < GATE) > 0.97
    assert np.mean(scores["free rider"]) < 8_000  # 6,200 over 15 worlds,
    assert np.mean(scores["honest"]) > 9_200  # against 9,480
    assert np.mean(scores["honest"] < GATE) < 0.01


def test_without_bad_devices_hardly_anyone_falls_below_the_gate():
    scores = _rates(range(20), 10, flippers=0, free_riders=0)
    assert np.mean(scores["honest"] < GATE) < 0.025  # 0.005 over 30 worlds


def test_a_mixture_prior_beats_a_plain_gaussian_at_naming_flippers():
    world = [simulate(seed) for seed in range(15)]
    gaussian = DecoderSettings(sweeps=0)

    def caught(settings):
        return np.mean(
            [
                decode(history, settings=settings)[who] < GATE
                for drawn in world
                for history in drawn.histories.values()
                for who in drawn.flippers & {d for c in history[0].cohorts for d in c.members}
            ]
        )

    assert caught(None) > caught(gaussian) + 0.1


def _evidence(*cohorts, number=1):
    return RoundEvidence(
        number, tuple(CohortEvidence(tuple(device(1, k) for k in who), value) for who, value in cohorts)
    )


def test_without_evidence_a_device_is_typical():
    assert decode([], devices=[device(1, 0)]) == {device(1, 0): 10_000}
    known = decode([_evidence(((0, 1), 0), ((2, 3), 0))], devices=[device(1, 9)])
    assert known[device(1, 9)] == 10_000


def test_devices_that_always_shared_a_cohort_are_judged_alike():
    history = [_evidence(((0, 1), -3 * MICRO), ((2, 3), MICRO), number=k + 1) for k in range(8)]
    quality = decode(history)
    assert quality[device(1, 0)] == quality[device(1, 1)]
    assert quality[device(1, 2)] == quality[device(1, 3)] == 10_000


@given(st.integers(-9, 9))
def test_what_the_whole_hospital_shares_is_no_devices_fault(level):
    history = [
        _evidence(((0, 1, 2, 3), level * MICRO), ((4, 5, 6, 7), level * MICRO), number=k + 1)
        for k in range(5)
    ]
    assert set(decode(history).values()) == {10_000}


def test_the_one_bad_device_is_found_in_its_changing_cohorts():
    rng = np.random.default_rng(0)
    history = []
    for number in range(1, 9):
        order = [int(k) for k in rng.permutation(12)]
        halves = [tuple(order[:6]), tuple(order[6:])]
        history.append(_evidence(*((half, -2 * MICRO if 5 in half else 0) for half in halves), number=number))
    quality = decode(history)
    assert quality[device(1, 5)] == 0
    assert min(value for who, value in quality.items() if who != device(1, 5)) >= 9_000


def test_a_device_with_little_weight_answers_for_little():
    members = tuple(device(1, k) for k in range(4))
    history = [
        RoundEvidence(
            number,
            (
                CohortEvidence(members[:2], -3 * MICRO, (1, 9)),
                CohortEvidence(members[2:], 0, (5, 5)),
            ),
        )
        for number in range(1, 9)
    ]
    found = effects(history)
    assert found[members[1]].mean < found[members[0]].mean < 0


def test_uncertainty_shrinks_as_rounds_go_by():
    history = simulate(3).histories[1]
    early, late = effects(history[:2]), effects(history)
    assert np.mean([late[d].deviation for d in late]) < np.mean([early[d].deviation for d in early])


def test_rounds_in_which_more_is_at_stake_count_more():
    def effect(early_scale, late_scale):
        """Of a device that did harm early and good late, each in scales of the round."""
        rounds = [
            RoundEvidence(
                number,
                tuple(
                    CohortEvidence((device(1, k), device(1, k + 1)), round(value * scale))
                    for k, value in ((0, sign), (2, -sign))
                ),
                scale,
            )
            for number, sign, scale in [
                *((n, -1.0, early_scale) for n in range(1, 6)),
                *((n, 1.0, late_scale) for n in range(6, 11)),
            ]
        ]
        return effects(rounds)[device(1, 0)].mean

    assert effect(100_000, 10_000) < 0 < effect(10_000, 100_000)


def test_the_unit_of_utilities_does_not_matter():
    history = simulate(5).histories[1]
    coarse = [
        RoundEvidence(
            item.round,
            tuple(CohortEvidence(c.members, 7 * c.utility, c.weights) for c in item.cohorts),
            7 * item.scale,
        )
        for item in history
    ]
    assert decode(coarse) == decode(history)


def test_where_everything_is_noise_nobody_is_blamed():
    rng = np.random.default_rng(2)
    history = []
    for number in range(1, 21):
        order = [int(k) for k in rng.permutation(24)]
        groups = [tuple(order[k : k + 6]) for k in range(0, 24, 6)]
        history.append(_evidence(*((group, round(MICRO * rng.normal())) for group in groups), number=number))
    assert np.mean([quality < GATE for quality in decode(history).values()]) < 0.05


def test_what_is_decoded_once_is_not_changed_by_who_got_it():
    history = simulate(6).histories[1]
    first = effects(history)
    first.clear()
    assert effects(history)


def test_old_sins_are_forgotten_when_asked():
    bad = [_evidence(((0, 1), -4 * MICRO), ((2, 3), 0), number=k) for k in range(1, 6)]
    good = [_evidence(((0, 1), 0), ((2, 3), 0), number=k) for k in range(6, 16)]
    keeping = effects(bad + good, DecoderSettings(forgetting=1.0))[device(1, 0)].mean
    forgetting = effects(bad + good, DecoderSettings(forgetting=0.7))[device(1, 0)].mean
    assert keeping < forgetting <= 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.randoms())
def test_quality_is_a_pure_function_of_the_history_and_coarse(seed, random):
    history = simulate(seed, 4).histories[1]
    shuffled = []
    for item in history:
        cohorts = [
            CohortEvidence(tuple(random.sample(c.members, len(c.members))), c.utility) for c in item.cohorts
        ]
        random.shuffle(cohorts)
        shuffled.append(RoundEvidence(item.round, tuple(cohorts), item.scale))
    quality = decode(history)
    assert decode(shuffled) == quality
    assert all(0 <= value <= 10_000 and value % 100 == 0 for value in quality.values())


def test_evidence_is_taken_from_the_hospitals_valued_cohorts_alone():
    members = {CohortKey(h, c): [device(h, 2 * c), device(h, 2 * c + 1)] for h in (1, 2) for c in (0, 1)}
    utilities = {CohortKey(1, 0): 5, CohortKey(2, 0): 7, CohortKey(2, 9): 1}
    found = round_evidence(3, 1, members, utilities, dict.fromkeys([device(1, 0), device(1, 1)], 4))
    assert found == RoundEvidence(3, (CohortEvidence((device(1, 0), device(1, 1)), 5, (4, 4)),))
    with pytest.raises(IncentivesError, match="no public weight"):
        round_evidence(3, 1, members, utilities, {device(1, 0): 4})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: effects([_evidence(((0,), 0), number=2), _evidence(((0,), 0), number=2)]), "not in order"),
        (lambda: CohortEvidence((), 0), "empty or names one twice"),
        (lambda: CohortEvidence((device(1, 1),) * 2, 0), "empty or names one twice"),
        (lambda: CohortEvidence((device(1, 1),), 0, (1, 2)), "2 weights for 1 members"),
        (lambda: CohortEvidence((device(1, 1),), 0, (0,)), "at least 1"),
        (lambda: DecoderSettings(noise_variance=0), "noise_variance is 0"),
        (lambda: DecoderSettings(drift=1.0), "drift is 1.0"),
        (lambda: DecoderSettings(bad_share=0.0), "bad_share is 0.0"),
        (lambda: RoundEvidence(3, (), 0), "scale of 0"),
        (lambda: DecoderSettings(forgetting=1.1), "forgetting is 1.1"),
        (lambda: DecoderSettings(step=300), "step is 300"),
        (lambda: DecoderSettings(sweeps=-1), "sweeps is -1"),
    ],
)
def test_evidence_and_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(IncentivesError, match=message):
        make()


def test_what_one_cohort_is_worth_counts_for_four_scales_at_most_however_far_it_lies_off():
    history = next(iter(simulate(3, 12).histories.values()))

    def with_worth(utility):
        hit, *others = history[8].cohorts
        told = RoundEvidence(
            history[8].round,
            (CohortEvidence(hit.members, utility, hit.weights), *others),
            history[8].scale,
        )
        return decode([*history[:8], told, *history[9:]])

    far = with_worth(-20 * history[8].scale)
    assert far == with_worth(-(10**12))
    assert far != with_worth(0)
