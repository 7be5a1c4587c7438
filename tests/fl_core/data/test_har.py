import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from fl_core.data import load, load_har, load_har_signals, partition_within_groups, split
from fl_core.data.fixed_width import parse_fixed_width
from fl_core.data.har import SIGNALS
from fl_core.errors import DataError

PARTS = {"train": (3, 5, 3, 5, 3), "test": (2, 9, 2)}  # subjects, one a row


def cell(value):
    mantissa, exponent = f"{abs(value):.7e}".split("e")
    return f" {'-' if value < 0 else ' '}{mantissa}e{exponent[0]}{int(exponent[1:]):03d}"


def small_har(width=561, samples=128):
    """Files of the original layout with few rows, by path."""
    rng = np.random.default_rng(0)
    files = {
        "activity_labels.txt": "".join(f"{k + 1} {name}\n" for k, name in enumerate("ABCDEF")),
        "features.txt": "".join(f"{k + 1} f{k % 300}\n" for k in range(width)),
    }
    for part, subjects in PARTS.items():
        n = len(subjects)
        files[f"{part}/y_{part}.txt"] = "".join(f"{k % 6 + 1}\n" for k in range(n))
        files[f"{part}/subject_{part}.txt"] = "".join(f"{s}\n" for s in subjects)
        files[f"{part}/X_{part}.txt"] = "".join(
            "".join(map(cell, row)) + "\r\n" for row in rng.uniform(-1, 1, (n, width))
        )
        for name in SIGNALS:
            rows = rng.normal(size=(n, samples))
            files[f"{part}/Inertial Signals/{name}_{part}.txt"] = "".join(
                "".join(map(cell, row)) + "\n" for row in rows
            )
    return files


def unpacked(folder, files):
    for path, text in files.items():
        target = folder / "UCI HAR Dataset" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, newline="")
    return folder


def packed(folder, files):
    (folder / "uci_har").mkdir()
    for name, inertial in (("features", False), ("inertial", True)):
        with tarfile.open(folder / "uci_har" / f"uci_har_{name}.tar.xz", "w:xz") as archive:
            for path, text in files.items():
                if ("Inertial" in path) == inertial:
                    info = tarfile.TarInfo(f"UCI HAR Dataset/{path}")
                    info.size = len(text)
                    archive.addfile(info, io.BytesIO(text.encode()))
    return folder


def test_fixed_width_numbers_equal_python_floats_in_every_bit():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(size=400), rng.normal(size=400) * 10.0 ** rng.integers(-30, 30, 400)])
    text = "".join(map(cell, values))
    expected = [float(text[k : k + 16]) for k in range(0, len(text), 16)]
    lines = "\n".join(text[k : k + 160] for k in range(0, len(text), 160)) + "\n"
    assert parse_fixed_width("made", lines.encode(), 10).ravel().tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lines of 0 characters, expected 1 numbers"),
        (" 1.0\n", "lines of 4 characters"),
        ("  1.0000000e+000\n  1.0000000e+000", "lines of 16 characters"),
        ("  1.0000000e+00x\n", "is not a number of the form"),
        ("  1.00:0000e+000\n", "is not a number"),
        ("  1.0000000e+000\n  1.0000000e+0000", "made"),
    ],
)
def test_text_that_is_not_fixed_width_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse_fixed_width("made", text.encode(), 1)


def test_an_unpacked_folder_and_archives_give_the_same_table_and_signals(tmp_path):
    files = small_har()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    folder, archives = unpacked(tmp_path / "a", files), packed(tmp_path / "b", files)
    one, two = load_har(folder), load_har(archives)
    assert np.array_equal(one.numeric, two.numeric)
    assert one.group_names == ("subject 2", "subject 3", "subject 5", "subject 9")
    assert one.divisible_groups
    assert [one.group_names[g] for g in one.groups] == [f"subject {s}" for p in PARTS.values() for s in p]
    assert one.held_out.tolist() == [False] * 5 + [True] * 3
    assert one.labels.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert len(set(one.numeric_names)) == 561
    assert one.notes == ()
    signals = load_har_signals(archives)
    assert np.array_equal(signals.signals, load_har_signals(folder).signals)
    assert signals.signals.shape == (8, 9, 128)
    expected = [float(x) for x in files["test/Inertial Signals/body_gyro_x_test.txt"].split()[:128]]
    assert np.allclose(signals.signals[5, SIGNALS.index("body_gyro_x")], expected, atol=1e-7)


def test_missing_data_are_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.delenv("FEDIOMT_DATA", raising=False)
    with pytest.raises(DataError, match="let the variable FEDIOMT_DATA name the folder"):
        load("har")
    monkeypatch.setenv("FEDIOMT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="is no folder"):
        load("har")
    monkeypatch.setenv("FEDIOMT_DATA", str(tmp_path))
    with pytest.raises(DataError, match="UCI HAR is not in"):
        load("har")


def test_damaged_data_are_refused(tmp_path):
    files = small_har()
    del files["test/y_test.txt"]
    with pytest.raises(DataError, match=r"has no y_test\.txt; the data set is not complete"):
        load_har(unpacked(tmp_path, files))
    (tmp_path / "packed" / "uci_har").mkdir(parents=True)
    (tmp_path / "packed" / "uci_har" / "uci_har_features.tar.xz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be unpacked"):
        load_har(tmp_path / "packed")
    files = small_har()
    files["test/subject_test.txt"] = "3\n9\n2\n"
    with pytest.raises(DataError, match="subject 3 is in train and in test"):
        load_har(unpacked(tmp_path / "both", files))


@pytest.fixture(scope="module")
def har():
    root = os.environ.get("FEDIOMT_DATA")
    if not root or not (Path(root) / "uci_har").is_dir():
        pytest.skip("FEDIOMT_DATA does not name a folder with uci_har")
    return load("har")


def test_the_published_counts_hold(har):
    assert har.numeric.shape == (10_299, 561)
    assert np.bincount(har.labels[~har.held_out]).tolist() == [1226, 1073, 986, 1286, 1374, 1407]
    assert np.bincount(har.labels[har.held_out]).tolist() == [496, 471, 420, 491, 532, 537]
    tested = sorted(int(har.group_names[g].split()[1]) for g in np.unique(har.groups[har.held_out]))
    assert tested == [2, 4, 9, 10, 12, 13, 18, 20, 24]
    assert np.bincount(har.groups).min() == 281
    assert np.bincount(har.groups).max() == 409
    assert har.numeric.min() == -1
    assert har.numeric.max() == 1
    assert "recomputed" in har.notes[0]


def test_a_thousand_devices_hold_a_few_windows_of_one_subject_each(har):
    rng = np.random.default_rng(0)
    parts = split(har, hospitals=10, rng=rng)
    federation = partition_within_groups(har, parts, devices=100, rng=rng)
    sizes = [len(rows) for hospital in federation.devices for rows in hospital]
    assert len(sizes) == 1_000
    assert (min(sizes), max(sizes)) == (6, 10)
    assert float(np.mean(sizes)) == 7.352
    assert all(len(set(har.groups[rows])) == 1 for hospital in federation.devices for rows in hospital)
    subjects = [set(har.groups[np.concatenate(hospital)]) for hospital in federation.devices]
    assert sum(map(len, subjects)) == len(set().union(*subjects)) == 21
    validating = set(har.groups[np.concatenate(federation.validation)])
    testing = set(har.groups[federation.test])
    assert not validating & testing
    assert len(validating | testing) == 9
