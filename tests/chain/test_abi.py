"""Calls, results, events and errors pass through the ABI by name."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import pytest

from chain.abi import ZERO_ADDRESS, Abi, abi_of, snake
from chain.errors import ChainError, RecordError

POINT = [{"name": "xPos", "type": "uint8"}, {"name": "owner", "type": "address"}]
SHAPE = Abi.parse(
    "Shape",
    [
        {
            "type": "function",
            "name": "draw",
            "inputs": [
                {"name": "points", "type": "tuple[]", "components": POINT},
                {"name": "at", "type": "uint64[2]"},
            ],
            "outputs": [
                {"name": "", "type": "tuple", "components": POINT},
                {"name": "", "type": "bytes32[]"},
            ],
        },
        {"type": "function", "name": "wipe", "inputs": [], "outputs": []},
        {"type": "function", "name": "wipe", "inputs": [{"name": "all", "type": "bool"}], "outputs": []},
        {"type": "error", "name": "TooBig", "inputs": [{"name": "", "type": "uint256"}]},
        {
            "type": "event",
            "name": "Drawn",
            "inputs": [
                {"name": "byWhom", "type": "address", "indexed": True},
                {"name": "what", "type": "string", "indexed": True},
                {"name": "point", "type": "tuple", "components": POINT, "indexed": False},
            ],
        },
    ],
)
OWNER = "0x" + "11" * 20


@dataclass(frozen=True)
class Point:
    x_pos: int
    owner: str | bytes | None


Tuple = namedtuple("Tuple", "owner x_pos")


def test_names_become_snake_case():
    assert [snake(name) for name in ("weightTreasury", "shareE18", "kMin", "round_", "volumeCap")] == [
        "weight_treasury",
        "share_e18",
        "k_min",
        "round",
        "volume_cap",
    ]


def test_structs_go_in_as_any_shape_and_come_out_by_name():
    draw = SHAPE.function("draw")
    assert draw.signature == "draw((uint8,address)[],uint64[2])"
    forms = [
        Point(1, OWNER),
        Point(1, bytes.fromhex("11" * 20)),
        {"x_pos": 1, "owner": OWNER},
        (1, OWNER),
        Tuple(OWNER, 1),
    ]
    encoded = {draw.encode([[form], (3, 4)]) for form in forms}
    assert len(encoded) == 1
    assert draw.decode_input(encoded.pop()[4:]) == {"points": ({"x_pos": 1, "owner": OWNER},), "at": (3, 4)}
    assert (
        draw.decode_input(draw.encode([[Point(1, None)], (3, 4)])[4:])["points"][0]["owner"] == ZERO_ADDRESS
    )


def test_functions_without_a_result_give_none_and_overloads_are_by_signature():
    assert SHAPE.function("wipe").decode_output(b"") is None
    assert SHAPE.function("wipe(bool)").encode([True])[:4] != SHAPE.function("wipe").id


def test_events_give_indexed_and_plain_values():
    drawn = SHAPE.event("Drawn")
    topics = [drawn.id, bytes.fromhex("11" * 20).rjust(32, b"\0"), b"\7" * 32]
    data = (9).to_bytes(32, "big") + bytes(32)
    values = drawn.decode_log(topics, data)
    assert values == {"by_whom": OWNER, "what": b"\7" * 32, "point": {"x_pos": 9, "owner": ZERO_ADDRESS}}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([[], [1, 2, 3]], "Shape.draw: at = "),
        ([[Point(256, OWNER)], [1, 2]], "points"),
        ([[], [1, -2]], "Shape.draw: at = "),
        ([5, [1, 2]], "points must be a list, not 5"),
        ([[], [1, 2], 3], "takes 2 arguments, 3 given"),
        ([[Point(1, "nobody")], [1, 2]], "does not fit"),
    ],
)
def test_values_that_do_not_fit_are_named(arguments, text):
    with pytest.raises(RecordError, match=text):
        SHAPE.function("draw").encode(arguments)


def test_answers_of_another_contract_are_refused():
    with pytest.raises(RecordError, match="another version"):
        SHAPE.function("draw").decode_output(b"\1" * 7)
    for member in (SHAPE.function, SHAPE.event):
        with pytest.raises(ChainError, match=r"no (function|event) nothing"):
            member("nothing")


def test_constructors_and_unnamed_error_values_are_read():
    assert SHAPE.constructor.encode([]) == b""
    error = next(iter(SHAPE.errors.values()))
    assert error.decode_input((5).to_bytes(32, "big")) == {"0": 5}
    assert abi_of("ParticipationToken").constructor.inputs[1].name == "max_supply"
