"""Every bad input ends in one line that says what to do, exit code 1 or 2, and nothing half-written."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from command_line import assert_one_line_error, fediomt


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def table(columns: str, *rows: str) -> str:
    return "\n".join((columns, *rows)) + "\n"


GOOD_ROWS = [f"{i % 7},{i % 5},{'sick' if i % 2 else 'well'}" for i in range(200)]


def assert_nothing_written(folder: Path) -> None:
    assert not (folder / "runs").exists() or not any((folder / "runs").iterdir())


def test_unknown_data_is_named_with_what_is_known(tmp_path):
    assert_one_line_error(fediomt("train", "--no-chain", "--data", "mnist", cwd=tmp_path), "mnist", "wdbc")
    assert_nothing_written(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    outcome = fediomt("train", "--no-chain", "--csv", "nowhere.csv", "--label", "y", cwd=tmp_path)
    assert_one_line_error(outcome, "nowhere.csv")


def test_a_malformed_file_is_named(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\x00\xff\xfe\x01" * 50)
    assert_one_line_error(
        fediomt("train", "--no-chain", "--csv", "t.csv", "--label", "y", cwd=tmp_path), "t.csv"
    )


def test_a_table_without_its_label_option_is_refused(tmp_path):
    write(tmp_path / "t.csv", table("a,b,y", *GOOD_ROWS))
    assert_one_line_error(fediomt("train", "--no-chain", "--csv", "t.csv", cwd=tmp_path), "--label")


def test_an_unknown_label_column_is_named(tmp_path):
    write(tmp_path / "t.csv", table("a,b,y", *GOOD_ROWS))
    assert_one_line_error(
        fediomt("train", "--no-chain", "--csv", "t.csv", "--label", "z", cwd=tmp_path), "'z'"
    )


def test_a_column_of_nothing_but_missing_values_is_named(tmp_path):
    write(tmp_path / "t.csv", table("a,empty,y", *(f"{i},nan,{i % 2}" for i in range(200))))
    outcome = fediomt("train", "--no-chain", "--csv", "t.csv", "--label", "y", cwd=tmp_path)
    assert_one_line_error(outcome, "empty")


def test_a_table_of_one_class_is_refused(tmp_path):
    write(tmp_path / "t.csv", table("a,b,y", *(f"{i},{i % 3},same" for i in range(200))))
    outcome = fediomt("train", "--no-chain", "--csv", "t.csv", "--label", "y", cwd=tmp_path)
    assert_one_line_error(outcome, "single class")


def test_more_devices_than_rows_names_both_numbers(tmp_path):
    outcome = fediomt("train", "--no-chain", "--devices", "200", cwd=tmp_path)
    assert_one_line_error(outcome, "800")
    assert_nothing_written(tmp_path)


def test_a_cohort_below_k_min_is_refused_before_any_work(tmp_path):
    outcome = fediomt("train", "--no-chain", "--devices", "4", "--k-min", "5", cwd=tmp_path)
    assert_one_line_error(outcome, "k_min", "4 devices")
    outcome = fediomt("train", "--no-chain", "--cohort-size", "3", "--k-min", "5", cwd=tmp_path)
    assert_one_line_error(outcome, "k_min 5", "cohorts of 3")
    assert_nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--rounds", "0"), "rounds"),
        (("--seed", "-1"), "seed"),
        (("--model", "forest"), "forest"),
        (("--epochs", "0"), "epochs"),
        (("--learning-rate", "-1"), "learning rate"),
        (("--learning-rate", "1e308"), "learning rate"),
        (("--label", "y"), "--csv"),
        (("--dropout", "2"), "dropout"),
        (("--alpha", "0"), "alpha"),
        (("--hospitals", "99"), "99 hospitals"),
        (("--data", "wdbc", "--csv", "x.csv"), "either"),
        (("--profile", "open"), "profile 'open'"),
        (("--profile", "private", "--hospitals", "2"), "at least 3"),
        (("--epsilon", "0"), "epsilon 0.0"),
        (("--epsilon", "-1"), "epsilon -1.0"),
        (("--epsilon", "nan"), "epsilon nan"),
        (("--delta", "0"), "delta 0.0"),
        (("--delta", "1"), "delta 1.0"),
        (("--epsilon", "inf", "--delta", "1e-5"), "without noise"),
        (("--clip", "0"), "clip norm 0.0"),
        (("--clip", "-1"), "clip norm -1.0"),
        (("--clip", "inf"), "clip norm inf"),
        (("--fraction", "0"), "fraction of 0.0"),
        (("--fraction", "1.5"), "fraction of 1.5"),
        (("--bits", "7"), "7 bits"),
        (("--bits", "65"), "65 bits"),
        (("--bits", "9"), "ring of 9 bits"),
        (("--epsilon", "inf", "--bits", "8"), "fit 8 bits"),
        (("--cohort-size", "600", "--devices", "600", "--hospitals", "1"), "cohort size"),
        (("--ranges", "x.json"), "--csv"),
        (("--split-patients",), "--group"),
        (("--hidden", "16"), "no hidden layers"),
        (("--model", "mlp", "--hidden", "16,x"), "--hidden: 'x'"),
        (("--model", "mlp", "--hidden", "16,0"), "at least 1 unit"),
        (("--device", "gpu"), "device 'gpu'"),
        (("--device", "cuda:x"), "device 'cuda:x'"),
        (("--threads", "0"), "0 threads"),
        (("--workers", "0"), "0 worker processes"),
        (("--workers", "2", "--device", "cuda"), "--workers 1"),
        (("--workers", "2", "--threads", "2"), "--workers 1"),
        (("--momentum", "1"), "momentum 1.0"),
        (("--proximal", "-1"), "proximal term -1.0"),
        (("--edge-epsilon", "0"), "epsilon 0.0"),
        (("--edge-epsilon", "4", "--epsilon", "inf"), "--epsilon too"),
        (("--record-epsilon", "0"), "epsilon 0.0 of a record"),
        (("--record-epsilon", "inf"), "epsilon inf of a record"),
        (("--record-clip", "1"), "--record-epsilon"),
        (("--record-epsilon", "4", "--record-clip", "0"), "clip norm 0.0"),
        (("--record-epsilon", "4", "--epsilon", "inf", "--delta", "0.9"), "delta 0.9"),
        (("--write-ranges", "r.json"), "--csv"),
        (("--link-classes", "0.5"), "the first link class"),
        (("--link-classes", "1,0.2,0.5"), "never sends more"),
        (("--link-classes", "1,,0.5"), "--link-classes: ''"),
        (("--link-classes", "1,0"), "above 0"),
        (("--link-classes", ",".join(["1"] * 17)), "17 link classes for 16 devices"),
        (("--fraction", "0.5", "--public-top", "1"), "share 1.0 of the mask"),
        (("--fraction", "0.5", "--residual", "-1"), "residual of -1.0"),
        (("--residual", "2"), "not sent"),
        (("--public-top", "0.2"), "not sent"),
        (("--root-share", "0.5", "--start", "root"), "root share 0.5"),
        (("--root-share", "nan", "--start", "root"), "root share nan"),
        (("--root-share", "0.02", "--rule", "mean"), "nothing uses the root set"),
        (("--start", "root"), "--root-share"),
        (("--start", "afresh"), "start 'afresh'"),
        (("--projection", "8"), "--root-share"),
        (("--projection", "-1", "--root-share", "0.02"), "-1 directions"),
        (("--projection", "30", "--root-share", "0.02"), "at most 11"),
        (("--k-min", "2", "--cohort-size", "4"), "k_min 2"),
    ],
)
def test_impossible_settings_are_refused_before_any_work(tmp_path, arguments, word):
    assert_one_line_error(fediomt("train", "--no-chain", *arguments, cwd=tmp_path), word)
    assert_nothing_written(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_before_any_work(tmp_path):
    outcome = fediomt("train", "--no-chain", "--data", "nothing", "--device", "cuda:1", cwd=tmp_path)
    assert_one_line_error(outcome, "device cuda:1", "--device cpu")
    assert_nothing_written(tmp_path)


def test_more_devices_than_patients_names_the_option_that_lets_a_patient_have_several(tmp_path):
    rows = [f"p{i % 30},{row}" for i, row in enumerate(GOOD_ROWS)]
    write(tmp_path / "t.csv", table("who,a,b,y", *rows))
    told = ("train", "--no-chain", "--csv", "t.csv", "--label", "y", "--group", "who", "--epsilon", "inf")
    assert_one_line_error(fediomt(*told, cwd=tmp_path), "64 devices", "--split-patients")
    assert_nothing_written(tmp_path)


def test_a_table_with_noise_needs_public_ranges(tmp_path):
    write(tmp_path / "t.csv", table("a,b,y", *GOOD_ROWS))
    outcome = fediomt("train", "--no-chain", "--csv", "t.csv", "--label", "y", cwd=tmp_path)
    assert_one_line_error(outcome, "--ranges", "--root-share", "--epsilon inf")
    assert_nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": [0, 6], "c": [0, 4], "y": ["sick", "well"]}', ("r.json", "t.csv", "'c'")),
        ('{"a": [6, 0], "b": [0, 4], "y": ["sick", "well"]}', ("r.json", "'a'")),
        ('{"a": [0, 6], "b": [0, null], "y": ["sick", "well"]}', ("r.json", "'b'")),
        ('{"a": [0, 6], "b": [true, 4], "y": ["sick", "well"]}', ("r.json", "'b'")),
        ('{"a": [0, 6], "b": 4, "y": ["sick", "well"]}', ("r.json", "'b'")),
        ('{"a": [0, 1e999], "b": [0, 4], "y": ["sick", "well"]}', ("r.json", "1e999", "out of range")),
        ('{"a": [0, 6], "b": [0, 4]}', ("r.json", "'y'", "classes")),
        ('{"a": [0, 6], "b": [0, 4], "y": [0, 1]}', ("r.json", "'y'", "classes")),
        ('{"a": [0, 6], "b": [0, 4], "y": ["sick", "sick"]}', ("r.json", "'y'", "two or more")),
        ('{"y": ["sick", "well"]}', ("r.json", "no column")),
        ("[]", ("r.json", "object")),
        ("{", ("r.json", "not JSON")),
    ],
)
def test_ranges_that_cannot_be_used_are_named(tmp_path, text, words):
    write(tmp_path / "t.csv", table("a,b,y", *GOOD_ROWS))
    write(tmp_path / "r.json", text)
    outcome = fediomt(
        "train", "--no-chain", "--csv", "t.csv", "--label", "y", "--ranges", "r.json", cwd=tmp_path
    )
    assert_one_line_error(outcome, *words)
    assert_nothing_written(tmp_path)


def test_ranges_that_are_not_there_are_named(tmp_path):
    write(tmp_path / "t.csv", table("a,b,y", *GOOD_ROWS))
    outcome = fediomt(
        "train", "--no-chain", "--csv", "t.csv", "--label", "y", "--ranges", "no.json", cwd=tmp_path
    )
    assert_one_line_error(outcome, "no.json")


def test_an_unknown_option_is_a_usage_error(tmp_path):
    outcome = fediomt("train", "--flavour", "vanilla", cwd=tmp_path)
    assert outcome.code == 2
    assert "--flavour" in outcome.err
    assert "Traceback" not in outcome.err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "command",
    [
        ("train",),
        ("deploy",),
        ("ledger", "rounds"),
        ("tokens", "supply"),
        ("redeem", "services"),
        ("dispute", "list"),
    ],
)
def test_a_node_that_is_down_is_named_with_the_command_that_starts_one(tmp_path, command):
    url = f"http://127.0.0.1:{free_port()}"
    assert_one_line_error(fediomt(*command, "--url", url, cwd=tmp_path), url, "fediomt chain up")
    assert_nothing_written(tmp_path)


@pytest.mark.parametrize("command", [("audit",), ("claim",)])
def test_commands_on_a_run_say_that_there_is_none(tmp_path, command):
    assert_one_line_error(fediomt(*command, cwd=tmp_path), "no runs", "fediomt train")
    assert_one_line_error(fediomt(*command, "--run", "x", cwd=tmp_path), "no run x")


def test_a_run_without_a_chain_has_nothing_to_claim(tmp_path):
    assert fediomt("train", "--no-chain", "--rounds", "1", cwd=tmp_path).code == 0
    assert_one_line_error(fediomt("claim", cwd=tmp_path), "--no-chain")


def test_a_disk_that_refuses_is_named(tmp_path):
    (tmp_path / "runs").write_text("not a folder")
    assert_one_line_error(fediomt("train", "--no-chain", "--rounds", "1", cwd=tmp_path), "runs")
