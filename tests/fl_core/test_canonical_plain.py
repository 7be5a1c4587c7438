"""What Python's own encoder writes for plain values is what RFC 8785 says, and everything else goes the long way."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from fl_core.canonical import canonical_json
from fl_core.errors import SpecError

PLAIN = (
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text() | st.floats(allow_nan=False)
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner)
)


@given(VALUES)
def test_both_ways_write_the_same_bytes(value):
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(SpecError):
            canonical_json(value)
        return
    assert canonical_json(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        '"',
        "\\",
        "/",
        "\x7f",
        "\x1f",
        "é",
        "\U0001f600",
        " ~",
        {"b": 1, "a": [True, None, -0]},
        2**53 - 1,
        (),
        {},
    ],
    ids=repr,
)
def test_the_edges_of_what_is_plain_are_written_alike(value):
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), float("nan"), {1: 2}, b"", {"a": {1}}, float("inf")], ids=repr
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(SpecError):
        canonical_json(value)


def test_a_value_nested_too_deep_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SpecError):
        canonical_json(deep)
