"""The root set: a few consented rows that the coordinator holds, public to all who take part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fl_core.canonical import canonical_json, sha256
from fl_core.data.splitting import Split
from fl_core.data.tables import IntArray, Table
from fl_core.errors import DataError


def set_aside_root(
    table: Table, parts: Split, *, rows: int, rng: np.random.Generator
) -> tuple[IntArray, Split]:
    """Take a root set out of the validation rows: (its sorted rows, the split without them).

    Who gives validation records has consented to their use outside the devices' privacy claim, and shares no group
    with training or test. Classes give in proportion, hospitals evenly as far as classes allow. Nobody validates on a
    row that is in the root set.

    Args:
        table: the data.
        parts: from `split`.
        rows: size of the root set, 1-2% of the table by default practice.
        rng: source of the draw.

    Raises:
        DataError: a hospital would be left without a validation row.
    """
    if rows < 1:
        raise DataError(f"{table.name}: a root set of {rows} rows; at least 1 is needed")
    pool = np.concatenate(parts.validation)
    if rows > len(pool) - parts.hospitals:
        raise DataError(
            f"{table.name}: a root set of {rows} rows out of {len(pool)} validation rows leaves too few for "
            f"{parts.hospitals} hospitals; take a smaller one"
        )
    home = np.repeat(np.arange(parts.hospitals), [len(part) for part in parts.validation])
    shuffled = rng.permutation(len(pool))
    # in rising order of the share of its class (then of its hospital) that comes before: any prefix is in proportion
    by_class = _rank_share(table.labels[pool[shuffled]])
    by_home = _rank_share(home[shuffled])
    order = shuffled[np.lexsort((by_home, np.floor(by_class * len(pool) / rows)))]
    chosen = np.sort(pool[order[:rows]])
    left = tuple(np.setdiff1d(part, chosen) for part in parts.validation)
    if min(map(len, left)) == 0:
        raise DataError(
            f"{table.name}: a root set of {rows} rows takes all of a hospital's; take a smaller one"
        )
    return chosen, replace(parts, validation=left)


def root_digest(table: Table, rows: IntArray) -> str:
    """SHA-256 (hex) over the columns and labels of some rows, before any scaling: which root set was agreed on.

    Args:
        table: the data.
        rows: int64 (n,), indices of the root rows.
    """
    head = canonical_json(
        {
            "numeric": table.numeric_names,
            "categorical": table.categorical_names,
            "classes": table.class_names,
            "categories": table.categorical[rows].tolist(),
        }
    )
    numbers = table.numeric[rows].astype("<f8").tobytes() + table.labels[rows].astype("<i8").tobytes()
    return sha256(sha256(head) + numbers).hex()


def _rank_share(codes: IntArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """For each entry, the share of the equal entries that come before it."""
    share = np.empty(len(codes))
    for code in np.unique(codes):
        where = np.flatnonzero(codes == code)
        share[where] = np.arange(len(where)) / len(where)
    return share
