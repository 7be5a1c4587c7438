import math
import random
from contextlib import suppress
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_run import spec_of

from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import SpecError
from fl_core.models import ModelSpec, initial_vector
from fl_core.privacy import NoiseSpec
from fl_core.robust import MEAN, RuleSpec
from fl_core.round_plan import RoundPlan
from fl_core.spec import DEVICE_CLASSES, DeviceClass, Profile, RoundSpec, epoch_of
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec

HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
POSITIVE = st.floats(1e-6, 1e6)
PLAN = RoundPlan(7, spec_of(4), np.linspace(-1, 1, 10, dtype=np.float32))
WIRE = PLAN.encode()


@st.composite
def specs(draw):
    k_min = draw(st.integers(3, 40))
    hidden = draw(st.lists(st.integers(1, 9), max_size=2))
    return spec_of(
        1,
        model=ModelSpec(
            "mlp" if hidden else "logistic",
            draw(st.integers(1, 12)),
            draw(st.integers(2, 4)),
            tuple(hidden),
        ),
        training=LocalTraining(
            epochs=draw(st.integers(1, 50)),
            batch_size=draw(st.integers(1, 500)),
            learning_rate=draw(POSITIVE),
            momentum=draw(st.floats(0, 0.999)),
            weight_decay=draw(st.floats(0, 10)),
        ),
        cohort_size=draw(st.integers(k_min, 500)),
        k_min=k_min,
        clip_norm=draw(POSITIVE),
        bits=64,
        fraction_bits=draw(st.integers(0, 30)),
        reference_rows=draw(st.integers(1, 10**6)),
        utility_clip=draw(st.floats(1e-3, 1e300)),
        utility_step=draw(st.integers(1, 10**6)),
        schema_digest=draw(HEX),
        scoring_digest=draw(HEX),
        classes=tuple(
            DeviceClass(name, rows)
            for name, rows in draw(
                st.lists(st.tuples(st.text("ab", min_size=1), st.integers(1, 99)), min_size=1)
            )
        ),
    )


@st.composite
def plans(draw):
    spec = draw(specs())
    model = np.random.default_rng(draw(st.integers(0, 99))).normal(size=spec.dim).astype(np.float32)
    return RoundPlan(draw(st.integers(1, 2**53 - 1)), spec, model)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_a_spec_reads_back_from_its_canonical_json(spec):
    encoded = canonical_json(spec.to_json())
    back = RoundSpec.from_json(parse_json(encoded))
    assert back == spec
    assert back.digest == spec.digest
    assert canonical_json(back.to_json()) == encoded


@settings(max_examples=50)
@given(plans())
def test_a_plan_reads_back_from_the_wire_bit_for_bit(plan):
    back = RoundPlan.decode(plan.encode())
    assert back.spec == plan.spec
    assert back.number == plan.number
    assert back.model.tobytes() == plan.model.tobytes()
    assert back.model_hash == plan.model_hash
    assert back.encode() == plan.encode()


def test_a_plan_holds_what_changed_since_the_round_before_and_no_more():
    before = PLAN.model.copy()
    before[[2, 7]] += 1
    plan = replace(PLAN, previous=before)
    assert len(plan.encode()) == len(WIRE) + 2 * 8
    back = RoundPlan.decode(plan.encode())
    assert back.previous.tobytes() == before.tobytes()
    assert back.previous_hash == plan.previous_hash != PLAN.model_hash
    same = RoundPlan.decode(replace(PLAN, previous=PLAN.model).encode())
    assert same.previous_hash == PLAN.model_hash
    assert PLAN.previous_hash is None
    listed = plan.encode()[len(WIRE) :]
    for forged in (
        listed[4:8] + listed[:4] + listed[8:],  # out of order
        listed[:4] + listed[:4] + listed[8:],  # twice
        listed[:4] + (10).to_bytes(4, "little") + listed[8:],  # beyond the model
        listed[:8] + before[[3, 7]].tobytes()[:4] + PLAN.model[7:8].tobytes(),  # no change
    ):
        with pytest.raises(SpecError, match="malformed"):
            RoundPlan.decode(plan.encode()[: len(WIRE)] + forged)


def identity(plan):
    return plan.number, plan.spec.digest, plan.model_hash, plan.previous_hash


def test_any_flipped_byte_of_a_plan_is_refused_or_makes_it_another_plan():
    pick = random.Random(1)
    for position in range(len(WIRE)):
        for flip in {1, 128, pick.randrange(1, 256), pick.randrange(1, 256)}:
            forged = WIRE[:position] + bytes([WIRE[position] ^ flip]) + WIRE[position + 1 :]
            with suppress(SpecError):
                assert identity(RoundPlan.decode(forged)) != identity(PLAN)


def test_a_truncated_or_lengthened_plan_is_refused():
    for size in range(len(WIRE)):
        with pytest.raises(SpecError):
            RoundPlan.decode(WIRE[:size])
    with pytest.raises(SpecError, match="length"):
        RoundPlan.decode(WIRE + b"\x00")


@given(st.binary(max_size=200))
def test_noise_in_place_of_a_plan_is_refused(data):
    with pytest.raises(SpecError):
        RoundPlan.decode(data)
    with pytest.raises(SpecError):
        RoundPlan.decode(WIRE[:25] + data)


def rewritten(change):
    """A well-formed plan whose spec's JSON text was changed."""
    text = canonical_json(PLAN.spec.to_json())
    changed = change(text)
    header = WIRE[:12] + len(changed).to_bytes(4, "big") + WIRE[16:25]
    return header + changed + WIRE[25 + len(text) :]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b":", b": ", 1),
        lambda text: text.replace(b'"k_min":3', b'"k_min":3.0'),
        lambda text: text.replace(b'"k_min":3', b'"k_min":3,"k_min":3'),
        lambda text: text.replace(b'"k_min":3', b'"k_min":"3"'),
        lambda text: text.replace(b'"k_min":3', b'"k_min":NaN'),
        lambda text: text.replace(b'"noise":null', b'"noise":0'),
        lambda text: text.replace(b'"noise":null,', b""),
        lambda text: text.replace(b'"profile":"accountable"', b'"profile":"none"'),
        lambda text: text.replace(b'"features":4', b'"features":4.5'),
        lambda text: text.replace(b'"features":4', b'"features":5'),
        lambda text: text.replace(b'"epochs":2', b'"epochs":2.5'),
        lambda text: text.replace(b'"hidden":[]', b'"hidden":{}'),
        lambda text: b"[]",
        lambda text: b"null",
        lambda text: b"[" * 100_000,
    ],
)
def test_a_spec_in_any_but_its_canonical_form_is_refused(change):
    assert rewritten(bytes) == WIRE
    with pytest.raises(SpecError) as refusal:
        RoundPlan.decode(rewritten(change))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"k_min": 2}, "need 3 <= k_min"),
        ({"k_min": 5}, "k_min 5 with cohorts of 4"),
        ({"cohort_size": 513, "bits": 64}, "cohort size <= 512"),
        ({"clip_norm": 0.0}, "clip norm 0.0"),
        ({"clip_norm": -1.0}, "clip norm -1.0"),
        ({"clip_norm": math.nan}, "clip norm nan"),
        ({"clip_norm": math.inf}, "clip norm inf"),
        ({"clip_norm": 2.0**9}, "7 updates can wrap a ring of 32 bits"),
        ({"cohort_size": 200}, "399 updates can wrap"),
        ({"bits": 7}, "ring of 7 bits"),
        ({"bits": 65}, "ring of 65 bits"),
        ({"fraction_bits": 60}, "60 fraction bits"),
        ({"fraction_bits": 30}, "more bits"),
        ({"reference_rows": 0}, "reference rows 0"),
        ({"utility_clip": 0.0}, "positive finite clip"),
        ({"utility_clip": math.nan}, "positive finite clip"),
        ({"utility_clip": math.inf}, "positive finite clip"),
        ({"utility_step": 0}, "step of at least 1"),
        ({"schema_digest": "ab"}, "schema digest"),
        ({"scoring_digest": "AB" * 32}, "scoring digest"),
        ({"classes": ()}, "device classes"),
        ({"classes": (DeviceClass("none", 0),)}, "device classes"),
        ({"model": ModelSpec("logistic", 1 << 24, 2)}, "parameters: secure sums"),
        ({"profile": Profile.PRIVATE}, "at least 3 hospitals are needed, the spec says 1"),
        ({"profile": Profile.PRIVATE, "min_hospitals": 2}, "the spec says 2"),
        ({"profile": Profile.HOSPITAL, "min_hospitals": 3}, "only profile private"),
        ({"noise": NoiseSpec(8.0, 1e-5, 10, 100.0, 100.0, corrupted=1)}, "does not keep epsilon 8.0"),
        (
            {
                "profile": Profile.PRIVATE,
                "min_hospitals": 3,
                "noise": NoiseSpec(8.0, 1e-5, 1, 1e10, 1e10, corrupted=1),
            },
            "at least 1 corrupted hospital",
        ),
        (
            {"bits": 16, "fraction_bits": 8, "noise": NoiseSpec(8.0, 1e-5, 1, 1e9, 0.0, 1)},
            "can wrap a ring of 16",
        ),
        ({"fraction_bits": 10, "noise": NoiseSpec(8.0, 1e-5, 1, 1e9, 0.0, 3)}, "0 honest devices"),
    ],
)
def test_a_round_that_cannot_work_is_refused_before_any_work(changes, what):
    with pytest.raises(SpecError, match=what):
        spec_of(4, **changes)


def test_every_field_of_a_spec_changes_its_digest():
    spec = spec_of(4, bits=40, fraction_bits=10, profile=Profile.PRIVATE, min_hospitals=3)
    changes = {
        "model": ModelSpec("logistic", 5, 2),
        "training": replace(spec.training, epochs=9),
        "clip_norm": 8.5,
        "schema_digest": "00" * 32,
        "scoring_digest": "00" * 32,
        "classes": DEVICE_CLASSES[:2],
        "utility_clip": 2.0,
        "compression": CompressionSpec(0.5),
        "noise": NoiseSpec(8.0, 1e-5, 1, 1e10, 1e10, corrupted=1, corrupted_hospitals=1),
        "auditor": "12" * 32,
        "scaling_digest": "34" * 32,
    }
    counts = (
        "cohort_size",
        "k_min",
        "bits",
        "fraction_bits",
        "reference_rows",
        "utility_step",
        "min_hospitals",
    )
    changes.update({name: getattr(spec, name) + 1 for name in counts})
    assert set(changes) | {"profile", "rule"} == {field.name for field in fields(RoundSpec)}
    others = {
        replace(spec, profile=p, min_hospitals=1).digest for p in (Profile.HOSPITAL, Profile.ACCOUNTABLE)
    }
    digests = {
        spec.digest,
        *others,
        *(replace(spec, **{name: value}).digest for name, value in changes.items()),
    }
    assert len(digests) == len(changes) + 3


def test_the_rule_and_each_of_its_parameters_change_the_digest():
    spec = spec_of(4)
    rules = [
        RuleSpec(),
        RuleSpec("median"),
        RuleSpec("geometric-median"),
        RuleSpec("trimmed-mean", 0.2),
        RuleSpec("trimmed-mean", 0.3),
        RuleSpec("multi-krum", 0.3),
        RuleSpec("fltrust", root_digest="ab" * 32),
        RuleSpec("fltrust", root_digest="cd" * 32),
    ]
    assert len({replace(spec, rule=rule).digest for rule in rules}) == len(rules)
    for rule in rules:
        chosen = replace(spec, rule=rule)
        assert RoundSpec.from_json(parse_json(canonical_json(chosen.to_json()))) == chosen


def test_a_spec_from_before_there_were_rules_means_the_mean_and_has_the_digest_it_had():
    spec = spec_of(4)
    written = spec.to_json()
    assert "rule" not in written
    assert RoundSpec.from_json(written).rule == MEAN
    said = {**written, "rule": {"name": "mean", "share": 0.0, "root_digest": None}}
    plan = RoundPlan(7, spec, PLAN.model)
    forged = plan.encode().replace(canonical_json(written), canonical_json(said))
    with pytest.raises(SpecError):
        RoundPlan.decode(forged)  # one form only


def test_no_rule_tells_good_from_bad_in_one_sum_over_all():
    with pytest.raises(SpecError, match="median needs profile accountable or hospital"):
        spec_of(4, profile=Profile.PRIVATE, min_hospitals=3, rule=RuleSpec("median"))


@pytest.mark.parametrize(
    ("number", "model", "what"),
    [
        (0, np.zeros(10, np.float32), "numbered from 1"),
        (-1, np.zeros(10, np.float32), "numbered from 1"),
        (1 << 53, np.zeros(10, np.float32), "numbered from 1"),
        (1, np.zeros(9, np.float32), "10 float32 parameters"),
        (1, np.zeros(10), "10 float32 parameters"),
        (1, np.zeros((2, 5), np.float32), "10 float32 parameters"),
        (1, np.full(10, np.nan, np.float32), "not finite"),
        (1, np.full(10, np.inf, np.float32), "not finite"),
    ],
)
def test_a_plan_whose_model_is_not_the_specs_is_refused(number, model, what):
    with pytest.raises(SpecError, match=what):
        RoundPlan(number, spec_of(4), model)


def test_a_device_is_credited_with_no_more_rows_than_its_class_can_hold():
    spec = spec_of(4, reference_rows=512)
    assert spec.credited_rows(100, 0) == 100
    assert spec.credited_rows(10**6, 0) == DEVICE_CLASSES[0].max_rows
    assert spec.weight(10**6, 0) == 2.0
    for unknown in (-1, 4):
        with pytest.raises(SpecError, match=f"device class {unknown}"):
            spec.credited_rows(1, unknown)


def test_profiles_are_numbered_as_on_chain():
    assert [profile.code for profile in Profile] == [0, 1, 2]
    assert Profile("accountable").code == 0


def test_an_epoch_is_256_rounds():
    assert [epoch_of(number) for number in (0, 1, 255, 256, 511, 512)] == [0, 0, 0, 1, 1, 2]


def test_the_starting_model_of_a_round_is_the_models_own():
    spec = spec_of(4)
    assert spec.dim == len(initial_vector(spec.model, 0)) == 10
