import re

import numpy as np
import pytest

from fl_core.data import load_csv
from fl_core.errors import DataError

ROWS = [
    "age,ward,smoker,pressure,outcome,patient,site",
    "61,A,True,120.5,sick,p1,north",
    "54,B,False,?,well,p1,north",
    "48,A,False,131,sick,p2,north",
    "39,,True,118,well,p3,south",
    "71,C,,NaN,sick,p4,south",
    "66,B,True,NA,well,p5,south",
    "45,A,False,140,well,p6,south",
    "52,C,True,122,sick,p6,south",
    "58,B,False,127,well,p7,north",
    "63,A,True,133,sick,p8,north",
    "47,B,True,129,well,p9,north",
]


@pytest.fixture
def write(tmp_path):
    def write(lines, name="ward.csv", newline="\n"):
        path = tmp_path / name
        content = lines if isinstance(lines, bytes) else newline.join([*lines, ""]).encode()
        path.write_bytes(content)
        return path

    return write


def replaced(column, values):
    """ROWS with a column's cells exchanged."""
    index = ROWS[0].split(",").index(column)
    lines = [ROWS[0]]
    for line, value in zip(ROWS[1:], values, strict=True):
        cells = line.split(",")
        cells[index] = value
        lines.append(",".join(cells))
    return lines


def test_numbers_truths_categories_and_missing_cells_are_told_apart(write):
    table = load_csv(write(ROWS), "outcome", "patient", "site")
    assert table.numeric_names == ("age", "smoker", "pressure")
    assert table.categorical_names == ("ward",)
    assert table.class_names == ("sick", "well")
    assert table.labels.tolist() == [0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]
    assert table.numeric[:, 1].tolist()[:4] == [1, 0, 0, 1]
    assert np.isnan(table.numeric).sum(axis=0).tolist() == [0, 1, 3]
    assert table.categorical[3, 0] is None
    assert [table.group_names[code] for code in table.groups[:3]] == ["p1", "p1", "p2"]
    assert table.site_names == ("north", "south")
    assert table.notes == ()
    assert table.name == "ward"
    assert "SHA-256" in table.source


@pytest.mark.parametrize(("separator", "newline"), [(";", "\n"), ("\t", "\r\n"), ("|", "\r")])
def test_other_separators_and_line_ends_give_the_same_table(write, separator, newline):
    lines = [line.replace(",", separator) for line in ROWS]
    plain = load_csv(write(ROWS, "plain.csv"), "outcome")
    other = load_csv(write(lines, newline=newline), "outcome")
    assert np.array_equal(plain.numeric, other.numeric, equal_nan=True)
    assert plain.categorical.tolist() == other.categorical.tolist()
    assert other.notes[0] == f"columns are separated by {separator!r}"


def test_quotes_spaces_blank_lines_and_a_byte_order_mark_are_read(write):
    lines = ["\ufeff" + ROWS[0], *ROWS[1:4], "", "   ", *ROWS[4:], '50," A ", True ,"125",sick,p9,south']
    table = load_csv(write(lines), "outcome")
    assert len(table) == 12
    assert table.categorical[11, table.categorical_names.index("ward")] == "A"
    assert table.numeric[11].tolist() == [50, 1, 125]


def test_number_labels_are_ordered_by_value_and_written_once(write):
    table = load_csv(
        write(replaced("outcome", ["10", "2", "2.0", "10", "2", "-1", "2", "2", "10", "2", "2"])), "outcome"
    )
    assert table.class_names == ("-1", "2", "10")


def test_rows_without_label_or_group_are_dropped_with_a_note(write):
    lines = [
        *replaced("outcome", ["", *(line.split(",")[4] for line in ROWS[2:])]),
        "50,A,True,125,well,,north",
    ]
    table = load_csv(write(lines), "outcome", "patient")
    assert len(table) == 10
    assert table.notes[:2] == (
        "1 rows without label ('outcome') were dropped",
        "1 rows without group ('patient') were dropped",
    )


def test_a_patient_has_one_device_unless_said(write):
    path = write(ROWS)
    assert not load_csv(path, "outcome", "patient").divisible_groups
    assert load_csv(path, "outcome", "patient", divisible_groups=True).divisible_groups
    with pytest.raises(DataError, match="no group column is named"):
        load_csv(path, "outcome", divisible_groups=True)


def test_useless_columns_are_dropped_with_a_note(write):
    lines = [
        f"{line},{extra}"
        for line, extra in zip(
            ROWS, ["unit,record_id,serial", *(f"mmHg,{i},x{i}" for i in range(11))], strict=True
        )
    ]
    table = load_csv(write(lines), "outcome", "patient", "site")
    assert table.columns == ("age", "smoker", "pressure", "ward")
    assert table.notes == (
        "column 'unit' was dropped: it is constant",
        "column 'record_id' was dropped: it numbers the rows",
        "column 'serial' was dropped: its 11 different strings identify rows",
    )


def test_a_number_column_with_a_stray_word_is_read_as_categories_with_a_note(write):
    table = load_csv(
        write(replaced("age", ["40", "41", "40", "41", "40", "41", "40", "41", "40", "41", "old"])), "outcome"
    )
    assert "age" in table.categorical_names
    assert "column 'age' is read as categories: 'old' is not a number" in table.notes


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"a,b\n\x00\x01,2\n", "is binary, not CSV text"),
        (b"a,b\n\xff\xfe,2\n", "is not UTF-8 text (byte 4)"),
        (ROWS[:1], "has a line of column names but no rows"),
        (["outcome", "1", "0"], "has one column only"),
        ([*ROWS, "1,2,3"], "line 13 has 3 cells, the first line 7"),
        ([*ROWS, "1,2,3,4,5,6,7,8"], "line 13 has 8 cells, the first line 7"),
        ([*ROWS, '61,"A,True,120.5,sick,p1,north'], "line 13 is not CSV"),
        (["age,age,outcome", "1,2,3"], "column names repeat: 'age'; rename them"),
        (["63,1,1,145", "67,1,4,160"], "the first line holds numbers; put the column names there"),
        (["63,1,2,145", "67,1,4,160"], "no label column 'outcome'; the first line holds numbers"),
        (ROWS[:8], "7 usable rows; at least 10 are needed"),
        (replaced("outcome", ["sick"] * 11), "label 'outcome' has the single class 'sick'"),
        (replaced("outcome", [""] * 11), "the label column 'outcome' has no value in any row"),
        (replaced("outcome", [str(i / 7) for i in range(11)]), "it looks continuous"),
        (replaced("pressure", ["?"] * 11), "column 'pressure' has no value in any row; remove it"),
        (replaced("pressure", ["inf", *["1"] * 10]), "column 'pressure' holds an infinite value ('inf')"),
        (replaced("pressure", ["1e999", *["1"] * 10]), "column 'pressure' holds an infinite value ('1e999')"),
    ],
)
def test_a_bad_file_is_named_in_one_line(write, lines, message):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        load_csv(write(lines), "outcome")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Outcome",), "no label column 'Outcome'; did you mean 'outcome'?"),
        (("outcom",), "did you mean 'outcome'?"),
        (("zzz",), "it has 'age', 'ward', 'smoker'"),
        (("outcome", "patients"), "no group column 'patients'; did you mean 'patient'?"),
        (("outcome", "patient", "hospital"), "no site column 'hospital'"),
        (("outcome", "outcome"), "label, group and site must be different columns"),
    ],
)
def test_an_absent_column_names_near_ones(write, arguments, message):
    with pytest.raises(DataError, match=re.escape(message)):
        load_csv(write(ROWS), *arguments)


def test_more_classes_than_a_label_has_are_refused(write):
    lines = ["x,y", *(f"{i % 7},c{i}" for i in range(60))]
    with pytest.raises(DataError, match="label 'y' has 60 different values; name a column with classes"):
        load_csv(write(lines), "y")
    lines = ["x,y", *(f"{i % 7},{i}" for i in range(30))]
    with pytest.raises(DataError, match="label 'y' has 30 different values; it looks continuous"):
        load_csv(write(lines), "y")


def test_nothing_to_learn_from_is_an_error(write):
    with pytest.raises(DataError, match="no column is left to learn from"):
        load_csv(write(["unit,y", *(f"kg,{i % 2}" for i in range(12))]), "y")


def test_missing_files_directories_and_unreadable_ones_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="no such file; check the path"):
        load_csv(tmp_path / "none.csv", "y")
    with pytest.raises(DataError, match="is a directory"):
        load_csv(tmp_path, "y")
