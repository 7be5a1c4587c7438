"""A privacy account in a checkpoint: what its charges have in common once, the charges themselves as numbers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fl_core.canonical import canonical_json, parse_json
from fl_core.checkpoint.errors import CheckpointError
from fl_core.checkpoint.snapshot import Snapshot
from fl_core.privacy import Accountant, Budget, Charge, RoundExposure

_NUMBERS = 3  # round, attempt, kind


def account_snapshot(account: Accountant) -> Snapshot:
    """A device's account; a charge takes three numbers, however much the charges say."""
    kinds: dict[tuple[str, RoundExposure], int] = {}
    seen: dict[
        tuple[str, int], int
    ] = {}  # by identity: rounds share one exposure, and hashing it takes longer
    numbers: list[int] = []
    for charge in account.charges:
        same = (charge.purpose, id(charge.exposure))
        if same not in seen:
            seen[same] = kinds.setdefault((charge.purpose, charge.exposure), len(kinds))
        numbers += (charge.round_number, charge.attempt, seen[same])
    return Snapshot(
        values={"stated": _stated(account.budget, tuple(kinds))},
        arrays={"charges": np.array(numbers, dtype=np.int64).reshape(-1, _NUMBERS)},
    )


def account_from(snapshot: Snapshot) -> Accountant:
    """The account that `account_snapshot` wrote.

    Raises:
        CheckpointError: the snapshot lacks something, or a charge is of no kind that is there.
        SpecError: the account is malformed.
    """
    rows = snapshot.arrays.get("charges")
    if rows is None or rows.ndim != 2 or rows.shape[1] != _NUMBERS:
        raise CheckpointError("the charges of a privacy account are not in the form that they are written in")
    stated = Accountant.from_json(parse_json(str(snapshot.value("stated")).encode()))
    charges = []
    for number, attempt, kind in rows.tolist():
        if not 0 <= kind < len(stated.charges):
            raise CheckpointError(f"a privacy account has no charges of kind {kind}")
        sample = stated.charges[kind]
        charges.append(Charge(number, attempt, sample.purpose, sample.exposure))
    return Accountant(stated.budget, tuple(charges))


@lru_cache(maxsize=64)
def _stated(budget: Budget, kinds: tuple[tuple[str, RoundExposure], ...]) -> str:
    """An account with one charge of each kind, as canonical JSON: the same for most devices of a run."""
    charges = (Charge(0, 0, purpose, exposure) for purpose, exposure in kinds)
    return canonical_json(Accountant(budget, tuple(charges)).to_json()).decode()
