"""A table read by a declaration: no record changes which columns, categories and classes there are."""

from __future__ import annotations

import numpy as np
import pytest

from fl_core.data import DeclaredColumns, load_csv
from fl_core.errors import DataError

DECLARED = DeclaredColumns(("dose", "on"), ("unit",), ("sick", "well"), "r.json")
ROWS = [
    f"p{i},{i}.5,{'true' if i % 3 else 'false'},{'mg' if i % 2 else 'ug'},{'sick' if i % 2 else 'well'}"
    for i in range(20)
]


def read(tmp_path, rows=ROWS, declared=DECLARED, **options):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(("who,dose,on,unit,y", *rows)) + "\n")
    return load_csv(path, "y", declared=declared, **options)


def shape(table):
    return table.numeric_names, table.categorical_names, table.class_names


def test_declared_columns_are_read_in_their_order_and_no_others(tmp_path):
    table = read(tmp_path)
    assert shape(table) == (("dose", "on"), ("unit",), ("sick", "well"))
    assert table.numeric[:3].tolist() == [[0.5, 0.0], [1.5, 1.0], [2.5, 1.0]]
    assert table.categorical[:2, 0].tolist() == ["ug", "mg"]
    assert table.labels[:2].tolist() == [1, 0]
    assert table.notes == ("not used, since r.json does not declare them: who",)


@pytest.mark.parametrize(
    "row",
    ["p20,n/k,true,mg,sick", "p20,inf,7,kg,sick", "p20,1,maybe,,sick", "p20,0.1,true,mg,rare", "p20,,,,well"],
)
def test_no_single_row_changes_the_columns_or_the_classes(tmp_path, row):
    assert shape(read(tmp_path, [*ROWS, row])) == shape(read(tmp_path))


def test_what_does_not_fit_a_column_is_missing_and_noted(tmp_path):
    table = read(tmp_path, [*ROWS, "p20,n/k,maybe,mg,sick", "p21,-inf,,kg,sick", "p22,,1,,sick"])
    assert np.isnan(table.numeric[20:, 0]).all()
    assert np.isnan(table.numeric[20:22, 1]).all()
    assert table.numeric[22, 1] == 1
    assert table.categorical[20:, 0].tolist() == ["mg", "kg", None]
    assert table.notes[0] == "column 'dose': 2 cells are no finite numbers and count as missing"
    assert table.notes[1] == "column 'on': 1 cells are no finite numbers and count as missing"


def test_rows_of_another_class_are_left_out_and_noted(tmp_path):
    table = read(tmp_path, ["p,1,1,mg,rare", *ROWS, "q,1,1,mg,SICK"])
    assert len(table) == len(ROWS)
    assert table.numeric[0, 0] == 0.5
    assert table.notes[0] == "2 rows of a class that r.json does not declare were left out"


def test_a_class_that_no_row_has_and_a_column_that_is_constant_stay(tmp_path):
    declared = DeclaredColumns(("dose",), ("on",), ("well", "rare", "sick"), "r.json")
    table = read(tmp_path, [row.replace("false", "true") for row in ROWS], declared)
    assert shape(table) == (("dose",), ("on",), ("well", "rare", "sick"))
    assert set(table.labels.tolist()) == {0, 2}


def test_classes_that_are_numbers_are_told_by_value(tmp_path):
    rows = [f"p{i},{i},1,mg,{('0', '1.0', '1', '0.0', '2')[i % 5]}" for i in range(20)]
    table = read(tmp_path, rows, DeclaredColumns(("dose",), (), ("0", "1"), "r.json"))
    assert table.labels[:4].tolist() == [0, 1, 1, 0]
    assert len(table) == 16


def test_groups_and_declarations_go_together(tmp_path):
    assert read(tmp_path, group="who").group_names[:2] == ("p0", "p1")
    for columns, message in (
        (("who",), "'who' names groups"),
        (("heart",), "no column 'heart', which r.json"),
    ):
        with pytest.raises(DataError, match=message):
            read(tmp_path, declared=DeclaredColumns(columns, (), ("sick", "well"), "r.json"), group="who")
