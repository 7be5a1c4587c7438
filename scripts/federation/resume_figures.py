"""The figures of a run's rounds in its checkpoint; the records themselves are in the rounds' bundles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fl_core.canonical import sha256
from fl_core.checkpoint import CheckpointError, Snapshot
from fl_core.engine import WireBytes
from fl_core.errors import BundleError
from fl_core.stores import RunStore
from scripts.federation.record import RoundRecord
from scripts.federation.rounds import RoundSummary

_DIGEST_BYTES = len(sha256(b""))


def snapshot_of(summaries: Sequence[RoundSummary]) -> Snapshot:
    """What a checkpoint keeps of the rounds done, in order: all but their records, and the bundles' digests."""
    places = sorted(summaries[0].quality) if summaries else []
    quality = [[item.quality[place] for place in places] for item in summaries]
    return Snapshot(
        values={
            "rounds": [item.record.number for item in summaries],
            "wire": [[item.wire.up, item.wire.down] for item in summaries],
            "failed_cohorts": [item.failed_cohorts for item in summaries],
            "silent": [item.silent for item in summaries],
            "places": [list(place) for place in places],
        },
        arrays={
            "accuracy": np.array([item.accuracy for item in summaries], dtype=np.float64),
            "quality": np.array(quality, dtype=np.int32).reshape(len(summaries), len(places)),
        },
        secrets={"digests": b"".join(item.digest for item in summaries)},
    )


def summaries_from(snapshot: Snapshot, store: RunStore) -> list[RoundSummary]:
    """The rounds done, their records read from their bundles.

    Raises:
        CheckpointError: a bundle is missing or is not the one that was written.
    """
    numbers, places = snapshot.value("rounds"), [tuple(place) for place in snapshot.value("places")]
    count, digests = len(numbers), snapshot.secret("digests")
    accuracy = snapshot.array("accuracy", np.float64, (count,))
    quality = snapshot.array("quality", np.int32, (count, len(places)))
    found = []
    for row, number in enumerate(numbers):
        digest = digests[row * _DIGEST_BYTES : (row + 1) * _DIGEST_BYTES]
        try:
            record = RoundRecord.from_files(store.read_bundle(number, digest))
        except BundleError as error:
            raise CheckpointError(f"round {number} of the run cannot be read again: {error}") from error
        up, down = snapshot.value("wire")[row]
        found.append(
            RoundSummary(
                record=record,
                digest=digest,
                quality={(h, i): int(points) for (h, i), points in zip(places, quality[row], strict=True)},
                wire=WireBytes(int(up), int(down)),
                accuracy=float(accuracy[row]),
                failed_cohorts=int(snapshot.value("failed_cohorts")[row]),
                silent=int(snapshot.value("silent")[row]),
            )
        )
    return found
