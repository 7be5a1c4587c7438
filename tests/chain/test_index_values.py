"""Numbers of 256 bits, structures and logs survive SQL exactly, in either database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from index_places import database_of
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from chain.abi import abi_of
from chain.deployments import CONTRACT_FIELDS
from chain.errors import RecordError
from chain.index.columns import fields_of, from_row, to_row
from chain.index.database import Database
from chain.index.errors import IndexFault
from chain.index.numbers import Uint, sqlite_form
from chain.index.schema import SOURCES, schema
from chain.index.store import Store

EDGES = [0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 10**18 + 1, 2**128 + 7, 2**256 - 1]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with database_of(request.param, tmp_path) as database:
        yield database


def test_numbers_of_any_width_are_kept_ordered_compared_and_summed_exactly(database: Database):
    table = Table("numbers", MetaData(), Column("id", Integer, primary_key=True), Column("value", Uint))
    values = EDGES + [random.Random(3).randrange(2**256 // 64) for _ in range(30)]
    with database.writing() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"id": i, "value": v} for i, v in enumerate(values[:-1])])
    with database.reading() as connection:
        column = table.c.value
        assert list(connection.execute(select(column).order_by(column)).scalars()) == sorted(values[:-1])
        for value in EDGES:
            assert connection.execute(select(table.c.id).where(column == value)).scalar_one() == values.index(
                value
            )
            above = connection.execute(select(column).where(column > value)).scalars()
            assert sorted(above) == sorted(v for v in values[:-1] if v > value)
        below = [value for value in values[:-1] if value < 2**200]
        total = connection.execute(
            select(Store(database).exact_sum(column)).where(column < 2**200)
        ).scalar_one()
        assert int(total) == sum(below)


def test_number_that_is_no_uint256_is_refused(database: Database):
    table = Table("numbers", MetaData(), Column("value", Uint))
    with database.writing() as connection:
        table.create(connection)
    for value in (-1, 2**256):
        with pytest.raises(IndexFault, match="is no uint256"), database.writing() as connection:
            connection.execute(insert(table).values(value=value))


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_order_of_the_forms_in_sqlite_is_that_of_the_numbers(a: int, b: int):
    def key(value: int) -> tuple[bool, int | str]:
        form = sqlite_form(value)
        return isinstance(form, str), form

    assert (key(a) < key(b)) == (a < b)
    assert (key(a) == key(b)) == (a == b)


def value_of(kind: str, draw: st.DrawFn) -> object:  # noqa: PLR0911 - a type, a value
    if kind.endswith("]"):
        length = int(size) if (size := kind[kind.rindex("[") + 1 : -1]) else draw(st.integers(0, 4))
        return [value_of(kind[: kind.rindex("[")], draw) for _ in range(length)]
    if kind.startswith("("):
        raise AssertionError("structures are drawn member by member")
    if kind == "address":
        return "0x" + draw(st.binary(min_size=20, max_size=20)).hex()
    if kind == "bool":
        return draw(st.booleans())
    if kind == "string":
        return draw(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8))
    if kind == "bytes":
        return draw(st.binary(max_size=70))
    if kind.startswith("uint"):
        return draw(st.integers(0, 2 ** int(kind[4:]) - 1))
    if kind.startswith("int"):
        return draw(st.integers(-(2 ** (int(kind[3:]) - 1)), 2 ** (int(kind[3:]) - 1) - 1))
    return draw(st.binary(min_size=int(kind[5:]), max_size=int(kind[5:])))


def drawn(parameter, draw: st.DrawFn) -> object:
    if parameter.components:
        return tuple(drawn(item, draw) for item in parameter.components)
    return value_of(parameter.type, draw)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_log_of_any_event_comes_back_from_its_row_as_the_abi_decodes_it(data: st.DataObject):
    item = data.draw(st.sampled_from(sorted(schema().events.values(), key=lambda item: item.table.name)))
    plain = [part for part in item.member.inputs if not part.indexed]
    values = [drawn(part, data.draw) for part in plain]
    topics = [item.member.id]
    for part in item.member.inputs:
        if part.indexed:
            dynamic = part.type in {"string", "bytes"} or part.type.endswith("]")
            topics.append(
                data.draw(st.binary(min_size=32, max_size=32))
                if dynamic
                else encode([part.type], [drawn(part, data.draw)])
            )
    body = encode([part.type for part in plain], values)
    decoded = item.member.decode_log(topics, body)
    assert item.values(topics, body) == decoded
    row = to_row(item.fields, decoded)
    assert from_row(item.fields, [row[field.name] for field in item.fields]) == decoded


def test_log_that_does_not_fit_is_refused_by_the_fast_decoder_too():
    item = schema().event("distributor", "Claimed")
    assert item.words is not None
    topics = [item.member.id, bytes(32), bytes(32), bytes(32)]
    for body in (bytes(31), b"\xff" * 64):  # too short; a slot beyond 32 bits
        with pytest.raises(RecordError, match="another version"):
            item.values(topics, body)


def test_every_deployed_contract_but_the_settlement_token_is_read():
    assert set(SOURCES) == set(CONTRACT_FIELDS) - {"settlement"}
    for source, contract in SOURCES.items():
        tables = {item.member.name for item in schema().events.values() if item.source == source}
        assert tables == {member.name for member in abi_of(contract).events.values()}


def test_columns_of_a_structure_are_its_members():
    fields = fields_of(abi_of("ContributionLedger").event("EntrySubmitted").inputs)
    assert [field.name for field in fields if field.path[0] == "left"] == ["left_hash", "left_lanes"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://somewhere/db", "of no known kind"),
        ("://", "of no known kind"),
        ("postgresql://nobody@127.0.0.1:1/none", "check that it runs, its URL"),
    ],
)
def test_database_that_cannot_be_used_is_named_in_one_line(url: str, words: str):
    with pytest.raises(IndexFault, match=words) as failed, Database(url).reading():
        pass
    assert "\n" not in str(failed.value)


def test_password_is_never_shown():
    with pytest.raises(IndexFault) as failed, Database("postgresql://u:hush-hush@127.0.0.1:1/none").reading():
        pass
    assert "hush-hush" not in str(failed.value)


def test_file_that_is_no_database_and_folder_that_cannot_be_made_are_named(tmp_path: Path):
    (tmp_path / "index.sqlite").write_bytes(b"something else, and long enough to be looked at" * 40)
    for own, remedy in ((False, "name another with --index$"), (True, "delete it and run the command again")):
        with (
            pytest.raises(IndexFault, match=f"damaged or no index: {remedy}"),
            Database(tmp_path / "index.sqlite", own=own).reading(),
        ):
            pass
    with pytest.raises(IndexFault, match="name another place with --index"):
        Database(tmp_path / "index.sqlite" / "below" / "x.sqlite")
