"""What validators and decoders make of the benchmark's rounds: the product's valuation, and the one before it."""

from __future__ import annotations

import numpy as np

from benchmarks.valuation_former import combine, former_effects
from benchmarks.valuation_rounds import PlayedRound, ReleasedCohort
from benchmarks.valuation_truth import FloatArray
from benchmarks.valuation_world import IntArray, World
from fl_core.valuation import cohort_utilities, path_utilities
from incentives import MICRO, CohortKey, RoundEvidence, agree, decode, effects, round_evidence
from scripts.federation.update_terms import UTILITY_CLIP, UTILITY_STEP

Views = dict[int, dict[CohortKey, int]]


class DeviceScores:
    """Gathers what the validators say, round by round."""

    def __init__(self, world: World, rows: IntArray) -> None:
        """Start without evidence.

        Args:
            world: the devices.
            rows: what each declares, their weights.
        """
        self._world, self._rows = world, rows
        self._history: dict[int, list[RoundEvidence]] = {h: [] for h in range(1, world.hospitals + 1)}
        self._former: dict[int, list[list[tuple[IntArray, float]]]] = {h: [] for h in self._history}

    def see(self, played: PlayedRound, cohorts: tuple[ReleasedCohort, ...]) -> None:
        """Value a round's cohorts on every hospital's rows, both ways."""
        gains, paths = self._views(played, cohorts)
        agreed, standard = agree(paths), combine(gains)
        members = {cohort.key: [account(int(i)) for i in cohort.members] for cohort in cohorts}
        weights = {account(i): int(rows) for i, rows in enumerate(self._rows)}
        for hospital, history in self._history.items():
            history.append(
                round_evidence(played.number, hospital, members, agreed.utilities, weights, agreed.scale)
            )
            self._former[hospital].append(
                [
                    (cohort.members, standard[cohort.key] / MICRO)
                    for cohort in cohorts
                    if cohort.key.hospital == hospital and cohort.key in standard
                ]
            )

    def _views(self, played: PlayedRound, cohorts: tuple[ReleasedCohort, ...]) -> tuple[Views, Views]:
        gains: Views = {}
        paths: Views = {}
        for validator, (features, labels) in enumerate(self._world.validation, start=1):
            others = [cohort for cohort in cohorts if cohort.key.hospital != validator]
            keys, means = [cohort.key for cohort in others], [cohort.mean for cohort in others]
            model, start = self._world.model, played.start
            gain = cohort_utilities(
                model, start, means, features, labels, clip=UTILITY_CLIP, step=UTILITY_STEP
            )
            path = path_utilities(
                model,
                start,
                means,
                features,
                labels,
                after=played.after,
                clip=UTILITY_CLIP,
                step=UTILITY_STEP,
            )
            gains[validator] = dict(zip(keys, gain, strict=True))
            paths[validator] = dict(zip(keys, path, strict=True))
        return gains, paths

    def effects(self, rounds: int | None = None) -> FloatArray:
        """Decoded effect of each device after so many rounds, or all."""
        found = np.zeros(len(self._rows))
        for history in self._history.values():
            for device, effect in effects(history[:rounds]).items():
                found[int.from_bytes(device, "big")] = effect.mean
        return found

    def qualities(self) -> IntArray:
        """The scores (0..10,000) that devices are paid by."""
        found = np.zeros(len(self._rows), dtype=np.int64)
        for history in self._history.values():
            for device, quality in decode(history).items():
                found[int.from_bytes(device, "big")] = quality
        return found

    def former(self) -> FloatArray:
        """Effects by the decoder that came before."""
        found = np.zeros(len(self._rows))
        for hospital, rounds in self._former.items():
            devices = np.flatnonzero(self._world.home == hospital - 1)
            found[devices] = former_effects(rounds, self._rows.astype(np.float64), devices)
        return found


def account(index: int) -> bytes:
    """A simulated device's account, 20 bytes."""
    return index.to_bytes(20, "big")
