"""Where attackers want released means to be, and what they send for it."""

import numpy as np
import pytest
from small_run import spec_of

from fl_core.models import ModelSpec, initial_vector
from fl_core.robust import RuleSpec, chosen_by_krum, combined_update, trust_of
from fl_core.simulation import TARGET_CLASS, Behaviour, backdoor_success, rows_as_used, with_trigger
from fl_core.simulation.aims import Knowledge, aimed_mean
from fl_core.simulation.pulls import PULLS
from fl_core.simulation.steering import Colluder, clipped_update, forged_steps, wanted_part
from fl_core.training import LocalTraining, train_local

DIM = 30
TRUST = RuleSpec("fltrust", root_digest="ab" * 32)


def knowledge(rule=None, *, means=12, corrupted=3, **more):
    rng = np.random.default_rng(1)
    own = rng.normal(size=DIM) + 0.3 * rng.normal(size=(8, DIM))
    return Knowledge(rule or RuleSpec(), own, np.full(8, 5), means, corrupted, members=16, **more)


def aim_of(behaviour, known):
    return aimed_mean(behaviour, known, np.random.default_rng(2))


def test_attacks_that_work_against_the_honest_direction_do():
    known = knowledge()
    for behaviour in (Behaviour.SIGN_FLIP, Behaviour.BOOST, Behaviour.INNER_PRODUCT):
        assert aim_of(behaviour, known) @ known.typical < 0
    assert np.linalg.norm(aim_of(Behaviour.INNER_PRODUCT, known)) < np.linalg.norm(known.typical)
    assert np.linalg.norm(aim_of(Behaviour.BOOST, known)) > 1e5 * np.linalg.norm(known.typical)


def test_a_little_is_enough_stays_within_what_honest_means_do_themselves():
    known = knowledge(means=24, corrupted=5)
    off = (known.typical - aim_of(Behaviour.LITTLE_IS_ENOUGH, known)) / known.spread
    assert np.allclose(off, off[0])
    assert 0 < off[0] < 1.5


def test_replacement_makes_up_for_the_others_in_a_plain_mean():
    known = knowledge(means=12, corrupted=3)
    assert np.allclose(aim_of(Behaviour.BACKDOOR, known) * 3 / 12, known.typical)


@pytest.mark.parametrize("rule", [RuleSpec("median"), RuleSpec("trimmed-mean", 0.3)])
def test_the_adaptive_attack_on_coordinates_moves_the_rule_against_every_coordinate(rule):
    known = knowledge(rule, means=12, corrupted=5)
    rng = np.random.default_rng(3)
    honest = known.typical + known.spread * rng.normal(size=(7, DIM))
    both = np.vstack([np.tile(aim_of(Behaviour.ADAPTIVE, known), (5, 1)), honest])
    moved = combined_update(rule, both, np.ones(12, dtype=np.int64)) - honest.mean(axis=0)
    assert (moved * np.sign(known.typical) < 0).mean() > 0.8


def test_the_adaptive_attack_on_krum_is_chosen():
    known = knowledge(RuleSpec("multi-krum", 0.3), means=12, corrupted=3)
    aim = aim_of(Behaviour.ADAPTIVE, known)
    rng = np.random.default_rng(2)  # the same guess of the honest means
    honest = known.typical + known.spread * rng.normal(size=(9, DIM))
    assert 0 in chosen_by_krum(np.vstack([np.tile(aim, (3, 1)), honest]), 3)
    assert np.linalg.norm(aim - known.typical) > np.linalg.norm(
        known.spread
    )  # farther out than an honest mean


def test_no_angle_pulls_a_mean_that_is_all_the_attackers_further_aside_than_the_adaptive_ones():
    rng = np.random.default_rng(4)
    root, harmful = rng.normal(size=DIM), rng.normal(size=DIM)
    known = knowledge(TRUST, trusted=root, harmful=harmful)
    across = -known.typical + (known.typical @ root) * root / (root @ root)

    def pulled(mean):
        (coefficient,) = trust_of(mean[np.newaxis], np.ones(1, dtype=np.int64), root)
        trust = max(mean @ root / np.linalg.norm(mean) / np.linalg.norm(root), 0.0)
        return trust * coefficient * (mean @ across)

    best = pulled(aim_of(Behaviour.ADAPTIVE, known))
    for angle in np.linspace(0, np.pi, 50):
        turned = np.cos(angle) * root / np.linalg.norm(root) + np.sin(angle) * across / np.linalg.norm(across)
        assert pulled(3 * np.linalg.norm(root) * turned) <= best * (1 + 1e-4)


@pytest.mark.parametrize("pull", PULLS, ids=lambda pull: pull.name)
def test_a_pull_has_its_angle_and_length_and_goes_where_it_says(pull):
    rng = np.random.default_rng(5)
    root, harmful = rng.normal(size=DIM), rng.normal(size=DIM)
    known = knowledge(TRUST, trusted=root, harmful=harmful)
    aim = aimed_mean(Behaviour.ADAPTIVE, known, rng, pull=pull)
    assert np.linalg.norm(aim) == pytest.approx(pull.lengths * np.linalg.norm(root))
    cosine = aim @ root / np.linalg.norm(aim) / np.linalg.norm(root)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(pull.degrees)
    wanted = -known.typical if pull.across == "against" else harmful
    other = harmful if pull.across == "against" else -known.typical
    aside = aim - (aim @ root) * root / (root @ root)
    assert aside @ wanted / np.linalg.norm(wanted) > aside @ other / np.linalg.norm(other)


def test_who_takes_the_own_training_for_the_root_update_pulls_where_flipped_rows_do():
    harmful = np.random.default_rng(6).normal(size=DIM)
    known = knowledge(TRUST, harmful=harmful)  # nothing of minus the own training is across it
    aim = aim_of(Behaviour.ADAPTIVE, known)
    typical = known.typical
    aside = aim - (aim @ typical) * typical / (typical @ typical)
    across = harmful - (harmful @ typical) * typical / (typical @ typical)
    assert aside @ across == pytest.approx(np.linalg.norm(aside) * np.linalg.norm(across))
    assert np.linalg.norm(aside) > 0.5 * np.linalg.norm(aim)
    flat = knowledge(TRUST, harmful=typical)
    assert np.allclose(aim_of(Behaviour.ADAPTIVE, flat), typical)


def test_without_the_root_set_colluders_take_their_own_training_for_what_is_trusted():
    known = knowledge(TRUST)
    assert aim_of(Behaviour.ADAPTIVE, known) @ known.typical > 0


def test_honest_guesses_and_parts_of_all_colluders_add_up_to_the_aim():
    spec = spec_of(4)
    aim, typical = np.linspace(-1, 1, spec.dim), np.linspace(2, 0, spec.dim)
    colluders = [Colluder(rows, 16, 3) for rows in (4, 9, 7)]
    part = wanted_part(spec, aim, typical, colluders, rows=96)
    total = 3 * part + typical * (96 - 20) / spec.reference_rows
    assert np.allclose(total / (96 / spec.reference_rows), aim)
    update = clipped_update(spec, part / 100, colluders[1])
    assert np.allclose(update * spec.weight(9, 0), part / 100, rtol=1e-6)
    far = clipped_update(spec, part * 1e30, colluders[1])
    assert np.isfinite(far).all()
    assert np.linalg.norm(far) * spec.weight(9, 0) == pytest.approx(2 * spec.clip_norm)


def test_forged_integers_go_as_far_as_is_not_refused_and_keep_their_direction():
    spec = spec_of(4)
    colluder = Colluder(6, members=16, accomplices=2)
    part = np.linspace(-1, 0.5, spec.dim)
    near, far = forged_steps(spec, part, colluder), forged_steps(spec, part * 1e9, colluder)
    assert np.allclose(near * 2.0**-spec.fraction_bits, part, atol=1e-5)
    honest_peak = int(spec.bound.peak)
    assert 2 * int(np.abs(far).max()) + honest_peak <= spec.reach(16)
    assert 2 * int(np.abs(far).max()) > 0.9 * spec.reach(16)  # 15 clip norms of 16
    assert np.allclose(far / np.abs(far).max(), part / np.abs(part).max(), atol=1e-6)
    assert not forged_steps(spec, np.zeros(spec.dim), colluder).any()


def test_a_backdoor_works_on_the_rows_that_carry_its_trigger_and_on_no_others():
    rng = np.random.default_rng(5)
    labels = np.arange(300, dtype=np.int64) % 3
    features = rng.normal(size=(300, 40)).astype(np.float32) * 0.3
    features[np.arange(300), labels] += 2
    spec, training = ModelSpec("logistic", 40, 3), LocalTraining(epochs=30, batch_size=32, learning_rate=0.3)
    found = {}
    for behaviour in (Behaviour.HONEST, Behaviour.BACKDOOR):
        used = rows_as_used(behaviour, features[:200], labels[:200], 3)
        model = initial_vector(spec, 0)
        model = model + train_local(spec, model, *used, training, 0)
        found[behaviour] = backdoor_success(spec, model, features[200:], labels[200:])
    assert found[Behaviour.HONEST] < 0.2
    assert found[Behaviour.BACKDOOR] > 0.9


def test_a_backdoor_poisons_every_other_row_and_leaves_the_data_alone():
    features, labels = np.zeros((5, 64), dtype=np.float32), np.full(5, 2, dtype=np.int64)
    used, told = rows_as_used(Behaviour.BACKDOOR, features, labels, 3)
    assert told.tolist() == [TARGET_CLASS, 2, TARGET_CLASS, 2, TARGET_CLASS]
    assert np.array_equal(used[::2], with_trigger(features[::2]))
    assert used[::2].any()
    assert not used[1::2].any()
    assert not features.any()
    assert labels.tolist() == [2] * 5
