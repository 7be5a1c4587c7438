import math
from dataclasses import asdict

import pytest

from fl_core.errors import SpecError
from fl_core.json_fields import from_fields
from fl_core.updates import CompressionSpec


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"fraction": 0.0}, "fraction of 0.0"),
        ({"fraction": 1.1}, "fraction of 1.1"),
        ({"fraction": math.nan}, "fraction of nan"),
        ({"public_top": -0.1}, "share -0.1"),
        ({"public_top": 1.0}, "share 1.0"),
        ({"public_top": math.inf}, "share inf"),
        ({"prefixes": ()}, "first link class"),
        ({"prefixes": (0.5,)}, "first link class"),
        ({"prefixes": (1.0, 0.0)}, "above 0"),
        ({"prefixes": (1.0, 0.2, 0.5)}, "slower link class never sends more"),
        ({"prefixes": (1.0, math.nan)}, "above 0"),
        ({"residual_norm": -1.0}, "residual of -1.0"),
        ({"residual_norm": math.inf}, "residual of inf"),
        ({"peak": 0.5}, "peak 0.5"),
        ({"peak": math.nan}, "peak nan"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes, what):
    with pytest.raises(SpecError, match=what):
        CompressionSpec(**{"fraction": 0.1, **changes})


def test_it_survives_json():
    spec = CompressionSpec(0.25, 0.5, (1.0, 0.5, 0.1), 2.0, 4.0)
    assert from_fields(CompressionSpec, asdict(spec)) == spec


def test_every_link_class_sends_something_and_none_more_than_a_faster_one():
    for dim in (1, 2, 7, 3366, 80_582):
        lengths = CompressionSpec(0.1, 0.5, (1.0, 0.5, 0.01)).lengths(dim)
        assert lengths[0] == max(1, round(0.1 * dim))
        assert list(lengths) == sorted(lengths, reverse=True)
        assert min(lengths) >= 1


def test_the_peak_never_exceeds_the_clip_norm():
    assert CompressionSpec(0.1).peak_of(3.0, 1000) == 3.0
    assert CompressionSpec(0.1, peak=4.0).peak_of(3.0, 1000) == pytest.approx(3.0 * 4 / 10)
    assert CompressionSpec(0.1, peak=4.0).peak_of(3.0, 10) == 3.0
