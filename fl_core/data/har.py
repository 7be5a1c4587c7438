"""UCI HAR: six activities of 30 subjects from a waist smartphone, 10,299 windows of 2.56 s.

Read from the original layout (Anguita et al., ESANN 2013), unpacked or straight from archives of it.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import sha256
from fl_core.data.fixed_width import parse_fixed_width
from fl_core.data.tables import IntArray, Table
from fl_core.errors import DataError

DATA_VARIABLE = "FEDIOMT_DATA"
FEATURES = 561
SIGNALS = tuple(f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz")
SAMPLES = 128

_TREE = "UCI HAR Dataset"
_ARCHIVES = "uci_har"
_FEATURES_ARCHIVE = "uci_har_features.tar.xz"
_INERTIAL_ARCHIVE = "uci_har_inertial.tar.xz"
_RECOMPUTED_TEST = "f43a2ef7336b971bcceb162cee2d7807e9cf61be8988692804b77dcdbbd0df6e"
_RECOMPUTED_NOTE = (
    "columns 266 to 561 of the nine test subjects are recomputed from their raw signals, not the original numbers "
    "(the same code gives the original training columns within 1.4e-5, but for isolated ties in two entropy columns); "
    "say so where results on the 561 test features are quoted"
)


@dataclass(frozen=True, eq=False)
class HarSignals:
    """The raw windows of UCI HAR; rows are those of the table that `load_har` gives.

    Attributes:
        signals: float32 (n, 9, 128), in the order of `SIGNALS`, 50 Hz; accelerations in g, rotation in rad/s.
        labels: int64 (n,), 0..5.
        subjects: int64 (n,), 1..30.
        held_out: bool (n,), true for the nine test subjects.
    """

    signals: NDArray[np.float32]
    labels: IntArray
    subjects: IntArray
    held_out: NDArray[np.bool_]


def load_har(folder: str | Path | None = None) -> Table:
    """The 561 features of each window; subjects are the groups, and the original nine test subjects are held out.

    A subject may wear several devices, so that its windows may be divided.

    Args:
        folder: holds `UCI HAR Dataset`, or `uci_har` with that or with the archive `uci_har_features.tar.xz`;
            by default the folder that FEDIOMT_DATA names.

    Raises:
        DataError: the data are not there, or damaged.
    """
    members, source = _read(folder, _FEATURES_ARCHIVE, ("X", "y", "subject"), ("features", "activity_labels"))
    numeric = np.concatenate(
        [parse_fixed_width(f"X_{p}", members[f"X_{p}"], FEATURES) for p in ("train", "test")]
    )
    labels, subjects, held_out = _rows(members)
    if len(numeric) != len(labels):
        raise DataError(f"UCI HAR: {len(numeric)} rows of features, but {len(labels)} labels")
    names = [line.strip() for line in members["features"].decode().splitlines() if line.strip()]
    classes = [
        line.split()[1].lower() for line in members["activity_labels"].decode().splitlines() if line.strip()
    ]
    recomputed = sha256(members["X_test"]).hex() == _RECOMPUTED_TEST
    present, groups = np.unique(subjects, return_inverse=True)
    return Table(
        name="har",
        source=f"UCI HAR (Anguita et al. 2013), {source}",
        numeric_names=tuple(names),  # numbered as in the file, since its names repeat
        numeric=numeric,
        categorical_names=(),
        categorical=np.empty((len(labels), 0), dtype=np.object_),
        labels=labels,
        class_names=tuple(classes),
        groups=groups.astype(np.int64),
        group_names=tuple(f"subject {number}" for number in present),
        divisible_groups=True,  # a subject may wear several devices
        held_out=held_out,
        notes=(_RECOMPUTED_NOTE,) if recomputed else (),
    )


def load_har_signals(folder: str | Path | None = None) -> HarSignals:
    """The nine raw signals of each window.

    Args:
        folder: as for `load_har`; an archive `uci_har_inertial.tar.xz` is needed beside the other.

    Raises:
        DataError: the data are not there, or damaged.
    """
    members, _ = _read(folder, _FEATURES_ARCHIVE, ("y", "subject"), ())
    labels, subjects, held_out = _rows(members)
    raw, _ = _read(folder, _INERTIAL_ARCHIVE, SIGNALS, ())
    signals = np.empty((len(labels), len(SIGNALS), SAMPLES), dtype=np.float32)
    for channel, name in enumerate(SIGNALS):
        parts = [parse_fixed_width(f"{name}_{p}", raw[f"{name}_{p}"], SAMPLES) for p in ("train", "test")]
        if sum(map(len, parts)) != len(labels):
            raise DataError(f"UCI HAR: {sum(map(len, parts))} rows of {name}, but {len(labels)} labels")
        signals[:, channel] = np.concatenate(parts)
    return HarSignals(signals, labels, subjects, held_out)


def _rows(members: Mapping[str, bytes]) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
    """Labels 0..5, subjects, and which rows are of the original test part; training rows first."""
    parts = {}
    for part in ("train", "test"):
        try:
            labels, subjects = (
                np.array(members[f"{what}_{part}"].split(), dtype=np.int64) for what in ("y", "subject")
            )
        except ValueError as error:
            raise DataError(
                f"UCI HAR: labels or subjects of {part} are not whole numbers ({error})"
            ) from error
        if len(labels) != len(subjects) or len(labels) == 0:
            raise DataError(f"UCI HAR: {len(labels)} labels and {len(subjects)} subjects in {part}")
        parts[part] = labels - 1, subjects
    both = np.intersect1d(parts["train"][1], parts["test"][1])
    if len(both):
        raise DataError(
            f"UCI HAR: subject {both[0]} is in train and in test; the files do not belong together"
        )
    labels, subjects = (np.concatenate([parts["train"][k], parts["test"][k]]) for k in range(2))
    return labels, subjects, np.arange(len(labels)) >= len(parts["train"][0])


def _read(
    folder: str | Path | None, archive: str, per_part: tuple[str, ...], single: tuple[str, ...]
) -> tuple[dict[str, bytes], str]:
    """The wanted files by name without `.txt`, and where they came from in words."""
    wanted = {f"{name}_{part}.txt" for name in per_part for part in ("train", "test")}
    wanted |= {f"{name}.txt" for name in single}
    root = _data_folder(folder)
    for place in (root, root / _ARCHIVES):
        if (place / _TREE).is_dir():
            found = {path.name: path for path in sorted((place / _TREE).rglob("*.txt"))}
            _require(wanted, set(found), place / _TREE)
            return {name[:-4]: found[name].read_bytes() for name in wanted}, "original layout"
        if (place / archive).is_file():
            return _from_archive(place / archive, wanted)
    raise DataError(
        f"UCI HAR is not in {root}: put the folder '{_TREE}' or {_ARCHIVES}/{archive} there, "
        f"or let {DATA_VARIABLE} name the folder that has it"
    )


def _data_folder(folder: str | Path | None) -> Path:
    named = folder if folder is not None else os.environ.get(DATA_VARIABLE)
    if not named:
        raise DataError(
            f"UCI HAR is read from a folder of data: let the variable {DATA_VARIABLE} name the folder "
            f"that holds '{_TREE}' or {_ARCHIVES}/{_FEATURES_ARCHIVE}"
        )
    if not Path(named).is_dir():
        raise DataError(f"{named}: is no folder; let {DATA_VARIABLE} name the folder with the data")
    return Path(named)


def _from_archive(path: Path, wanted: set[str]) -> tuple[dict[str, bytes], str]:
    found = {}
    try:
        with tarfile.open(path) as archive:  # in one pass: members of an xz stream cannot be sought cheaply
            for member in archive:
                name = Path(member.name).name
                if member.isfile() and name in wanted:
                    content = archive.extractfile(member)
                    assert content is not None
                    found[name] = content.read()
                    if len(found) == len(wanted):
                        break
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{path.name}: cannot be unpacked ({error}); copy it again") from error
    _require(wanted, set(found), path)
    return {name[:-4]: content for name, content in found.items()}, (
        f"{path.name}, SHA-256 {sha256(path.read_bytes()).hex()}"
    )


def _require(wanted: set[str], found: set[str], place: Path) -> None:
    if wanted - found:
        raise DataError(f"{place.name}: has no {sorted(wanted - found)[0]}; the data set is not complete")
