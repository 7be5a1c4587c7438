import pytest

from fl_core.errors import SpecError
from fl_core.robust import RULES, RuleSpec

DIGEST = "0f" * 32


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "vote"}, "unknown"),
        ({"name": "trimmed-mean"}, "choose above 0 and below 0.5"),
        ({"name": "multi-krum", "share": 0.5}, "half are corrupted"),
        ({"name": "multi-krum", "share": float("nan")}, "choose above 0"),
        ({"name": "median", "share": 0.1}, "takes no share"),
        ({"name": "fltrust"}, "--root-share"),
        ({"name": "fltrust", "root_digest": "xy"}, "--root-share"),
        ({"name": "mean", "root_digest": DIGEST}, "uses no root set"),
    ],
)
def test_parameters_that_a_rule_cannot_have_are_refused(fields, words):
    with pytest.raises(SpecError, match=words):
        RuleSpec(**fields)


def spec_of(name, share=0.3):
    takes_share = name in ("trimmed-mean", "multi-krum")
    return RuleSpec(name, share if takes_share else 0.0, DIGEST if name == "fltrust" else None)


@pytest.mark.parametrize("name", RULES)
def test_what_is_required_beforehand_is_what_works_in_a_round(name):
    for share in (0.1, 0.3, 0.49):
        rule = spec_of(name, share)
        for means in range(1, 40):
            try:
                rule.require(means)
            except SpecError:
                assert means < 20 or name in ("trimmed-mean", "multi-krum")
            else:
                assert rule.works_on(means)


def test_krum_needs_more_means_than_twice_those_it_withstands():
    rule = RuleSpec("multi-krum", 0.3)
    assert [rule.works_on(means) for means in (4, 5, 9, 10)] == [False, True, True, True]
    with pytest.raises(SpecError, match="2 f \\+ 3"):
        RuleSpec("multi-krum", 0.45).require(9)
    with pytest.raises(SpecError, match="less than one of them"):
        rule.require(3)


def test_two_means_have_no_majority():
    for name in ("median", "geometric-median"):
        with pytest.raises(SpecError, match="no majority"):
            spec_of(name).require(2)
