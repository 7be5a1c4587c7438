"""`--ranges` declares a table's columns and classes; `--write-ranges` drafts such a file, which is nobody's yet."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import assert_one_line_error, fediomt

from fl_core.data import load_csv
from fl_core.errors import DataError
from scripts.federation.public_ranges import DRAFT, read_ranges, write_draft
from scripts.federation.settings import RunSettings

SMALL = ("--rounds", "1", "--devices", "8", "--cohort-size", "8", "--k-min", "5")
TOLD = ("train", "--no-chain", "--json", *SMALL, "--csv", "t.csv", "--label", "y")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    rows = [
        f"{i},{dose:.3f},{'mg' if dose > 3 else 'ug'},{'sick' if dose + rng.normal() > 3 else 'well'}"
        for i, dose in enumerate(rng.uniform(0.2, 5.7, 400))
    ]
    (tmp_path / "t.csv").write_text("\n".join(("id,dose,unit,y", *rows)) + "\n")
    return tmp_path


def schema_of(folder):
    settings = RunSettings(
        data=None, csv=str(folder / "t.csv"), label="y", ranges=str(folder / "r.json"), epsilon=8.0
    )
    return settings.declared().encoder(settings.load()).schema


def test_a_file_is_read_as_written(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"a": [-1.5, 2], "y": ["well", "sick"], "b": ["x", "w", "x"]}')
    ranges = read_ranges(path, "y")
    assert ranges.numeric == {"a": (-1.5, 2.0)}
    assert ranges.categorical == {"b": ("w", "x")}
    assert ranges.classes == ("well", "sick")
    assert ranges.columns.numeric == ("a",)


@pytest.mark.parametrize("row", ["400,0.1,mg,rare", "400,n/k,kg,sick", "400,1e300,,well"])
def test_no_record_changes_the_model_or_its_schema(folder, row):
    (folder / "r.json").write_text('{"dose": [0, 6], "unit": ["ug", "mg"], "y": ["sick", "well"]}')
    before = schema_of(folder)
    path = folder / "t.csv"
    path.write_text(path.read_text() + row + "\n")
    assert schema_of(folder) == before
    assert before.classes == 2


def test_a_draft_is_refused_until_it_is_somebodys_own_and_trains_then(folder):
    said = fediomt("train", "--csv", "t.csv", "--label", "y", "--write-ranges", "r.json", cwd=folder)
    assert said.code == 0, said
    assert "r.json is a draft" in said.out
    draft = json.loads((folder / "r.json").read_text())
    assert list(draft) == [DRAFT, "dose", "unit", "y"]
    assert (draft["dose"], draft["unit"], draft["y"]) == ([0.2, 6], ["mg", "ug"], ["sick", "well"])
    assert_one_line_error(fediomt(*TOLD, "--ranges", "r.json", cwd=folder), "draft", DRAFT)
    del draft[DRAFT]
    (folder / "r.json").write_text(json.dumps(draft))
    done = fediomt(*TOLD, "--ranges", "r.json", cwd=folder)
    assert done.code == 0, done
    assert json.loads(done.out)["epsilon"] <= 8


def test_a_draft_overwrites_nothing(folder):
    (folder / "r.json").write_text("mine")
    with pytest.raises(DataError, match="there already"):
        write_draft(folder / "r.json", load_csv(folder / "t.csv", "y"), "y")
    assert (folder / "r.json").read_text() == "mine"


def test_without_a_declaration_a_noised_run_says_what_it_took_for_public(folder):
    shown = fediomt(*(word for word in TOLD if word != "--json"), "--root-share", "0.05", cwd=folder)
    assert shown.code == 0, shown
    assert "was read off all rows" in shown.out
