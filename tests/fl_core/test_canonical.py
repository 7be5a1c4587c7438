from dataclasses import dataclass
from enum import Enum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.canonical import canonical_json, digest_json, parse_json, sha256
from fl_core.errors import SpecError
from fl_core.json_fields import from_fields

WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_reads_back_as_what_it_was(value):
    assert parse_json(canonical_json(value)) == value
    assert digest_json(value) == sha256(canonical_json(value))


@given(st.dictionaries(TEXT, WHOLE, min_size=2))
def test_the_order_of_keys_does_not_matter(value):
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, b"raw", {1: 2}, "\ud800", {"\ud800": 1}, object],
    ids=repr,
)
def test_what_json_cannot_hold_exactly_is_refused(value):
    with pytest.raises(SpecError, match="not canonical JSON"):
        canonical_json(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":}',
        b"\xff\xfe1",
        "1".encode("utf-16"),
        b"[" * 100_000,
        b"1" * 5000,
        b"1e400",
        b'{"a":-1e999}',
        b'"a\\' * 200_000,
    ],
    ids=lambda data: repr(data[:8]),
)
def test_bytes_that_are_no_json_are_refused_whatever_is_wrong_with_them(data):
    with pytest.raises(SpecError, match="not JSON"):
        parse_json(data)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    count: int


@dataclass(frozen=True)
class Outer:
    count: int
    rate: float
    name: str
    flag: bool
    kind: Literal["x", "y"]
    colour: Colour
    sizes: tuple[int, ...]
    inner: tuple[Inner, ...]

    def __post_init__(self):
        if self.count < 0:
            raise SpecError("negative")


GOOD = {
    "count": 3,
    "rate": 0.5,
    "name": "n",
    "flag": True,
    "kind": "x",
    "colour": "red",
    "sizes": [1, 2],
    "inner": [{"count": 1}],
}


def test_a_json_object_becomes_the_dataclass_that_it_describes():
    expected = Outer(3, 0.5, "n", True, "x", Colour.RED, (1, 2), (Inner(1),))
    assert from_fields(Outer, GOOD) == expected


def test_a_whole_number_stands_for_a_float():
    rate = from_fields(Outer, {**GOOD, "rate": 2}).rate
    assert rate == 2.0
    assert type(rate) is float


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 1.5),
        ("count", "3"),
        ("count", True),
        ("count", None),
        ("count", -1),
        ("rate", "0.5"),
        ("rate", 10**400),
        ("rate", True),
        ("name", 1),
        ("flag", 1),
        ("kind", "z"),
        ("kind", ["x"]),
        ("colour", "blue"),
        ("colour", []),
        ("sizes", 1),
        ("sizes", [1, 2.5]),
        ("inner", [1]),
        ("inner", [{"count": 1, "more": 2}]),
        ("inner", [{}]),
    ],
    ids=repr,
)
def test_a_value_of_another_type_is_refused_and_its_field_named(field, value):
    with pytest.raises(SpecError) as refusal:
        from_fields(Outer, {**GOOD, field: value})
    assert field in str(refusal.value) or "Inner" in str(refusal.value) or str(refusal.value) == "negative"
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [[], None, 3, "text", {**GOOD, "odd": 1}, {"count": 3}], ids=type)
def test_an_object_with_other_fields_or_no_object_is_refused(value):
    with pytest.raises(SpecError, match="Outer"):
        from_fields(Outer, value)


@pytest.mark.parametrize("number", [1e17, -1e17, 2.0**53, 1e20, 9.007199254740994e15])
def test_a_large_float_can_be_written_again_after_reading(number):
    data = canonical_json(number)
    assert canonical_json(parse_json(data)) == data


def test_a_whole_number_that_no_float_holds_is_not_canonical():
    data = b"9007199254740993"
    assert canonical_json(parse_json(data)) != data


def test_a_number_beyond_all_floats_is_refused():
    with pytest.raises(SpecError, match="out of range"):
        parse_json(b"1" * 400)
