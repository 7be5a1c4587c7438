import re

import numpy as np
import pytest

from fl_core.data import Table, known_data, load
from fl_core.errors import DataError


def make_table(**changes):
    fields = {
        "name": "small",
        "source": "made here",
        "numeric_names": ("a",),
        "numeric": np.arange(4, dtype=np.float64).reshape(4, 1),
        "categorical_names": (),
        "categorical": np.empty((4, 0), dtype=np.object_),
        "labels": np.array([0, 1, 0, 1], dtype=np.int64),
        "class_names": ("no", "yes"),
    }
    return Table(**(fields | changes))


def test_wdbc_has_its_published_shape():
    table = load("wdbc")
    assert (len(table), len(table.numeric_names), table.categorical_names) == (569, 30, ())
    assert np.bincount(table.labels).tolist() == [212, 357]
    assert table.class_names == ("malignant", "benign")
    assert table.groups is None
    assert table.sites is None


def test_unknown_data_lists_what_is_known():
    with pytest.raises(DataError, match="unknown data 'iris'; known: har, wdbc"):
        load("iris")
    assert known_data() == ("har", "wdbc")


def test_a_table_cannot_be_written_to():
    table = load("wdbc")
    with pytest.raises(ValueError, match="read-only"):
        table.labels[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        table.numeric[0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numeric": np.zeros((3, 1))}, "numeric columns have shape (3, 1), expected (4, 1)"),
        ({"numeric": np.array([[0.0], [np.inf], [1], [2]])}, "column 'a' holds infinite values"),
        ({"class_names": ("no",)}, "1 class; at least 2"),
        ({"labels": np.array([0, 1, 2, 0])}, "labels hold codes outside 0..1"),
        ({"groups": np.array([0, 1]), "group_names": ("p", "q")}, "2 groups for 4 rows"),
        ({"sites": np.array([0, 1, 2, 3]), "site_names": ("s",)}, "sites hold codes outside 0..0"),
        ({"numeric_names": (), "numeric": np.empty((4, 0))}, "no column is left"),
    ],
)
def test_an_inconsistent_table_is_refused(changes, message):
    with pytest.raises(DataError, match=re.escape(message)):
        make_table(**changes)


def test_only_named_groups_may_be_divided():
    with pytest.raises(DataError, match="no group column is named"):
        make_table(divisible_groups=True)
    grouped = make_table(groups=np.array([0, 0, 1, 1]), group_names=("p", "q"), divisible_groups=True)
    assert not grouped.groups_as_sites().divisible_groups


def test_groups_can_stand_for_hospitals():
    table = make_table(groups=np.array([0, 0, 1, 1]), group_names=("north", "south"))
    by_site = table.groups_as_sites()
    assert by_site.site_names == ("north", "south")
    assert by_site.groups is None
    with pytest.raises(DataError, match="no group column was named"):
        by_site.groups_as_sites()
