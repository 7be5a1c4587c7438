"""A small world with known devices: cohort utilities as validators would see them, from a seed.

The sizes follow what logistic regression on the WDBC data shows with six rows a device: a typical gain that
shrinks quickly, per-device noise of 0.03 in loss, and flipped labels that cost about 0.15 a device in every
round.
"""

from dataclasses import dataclass

import numpy as np

from incentives import CohortKey, RoundEvidence, agree, round_evidence

HOSPITALS = 4
DEVICES = 16
COHORT = 8
MICRO = 1_000_000


def device(hospital: int, index: int) -> bytes:
    return (1_000 * hospital + index + 1).to_bytes(20, "big")


@dataclass(frozen=True)
class World:
    """Histories by hospital, and who is what."""

    histories: dict[int, list[RoundEvidence]]
    flippers: frozenset[bytes]
    free_riders: frozenset[bytes]

    def honest(self, hospital: int) -> set[bytes]:
        return {device(hospital, k) for k in range(DEVICES)} - self.flippers - self.free_riders


def simulate(
    seed: int, rounds: int = 10, *, flippers: int = 2, free_riders: int = 1, persistent_gain: float = 0.0
) -> World:
    """Draw a world: bad devices anywhere, fresh cohorts each round, each hospital valuing the others'."""
    rng = np.random.default_rng(seed)
    everyone = [(h, k) for h in range(1, HOSPITALS + 1) for k in range(DEVICES)]
    order = rng.permutation(len(everyone))
    bad = [device(*everyone[k]) for k in order[: flippers + free_riders]]
    flipping, riding = frozenset(bad[:flippers]), frozenset(bad[flippers:])
    lasting = {device(*who): rng.normal(0, 0.15) for who in everyone}
    histories: dict[int, list[RoundEvidence]] = {h: [] for h in range(1, HOSPITALS + 1)}
    for number in range(1, rounds + 1):
        gain = 0.3 * 0.5 ** (number - 1) + persistent_gain
        members: dict[CohortKey, list[bytes]] = {}
        for h in histories:
            drawn = [device(h, int(k)) for k in rng.permutation(DEVICES)]
            for c in range(DEVICES // COHORT):
                members[CohortKey(h, c)] = drawn[c * COHORT : (c + 1) * COHORT]
        worth = {}
        for key, cohort in members.items():
            values = []
            for who in cohort:
                noise = rng.normal(0, 0.03)
                if who in riding:
                    values.append(0.0)
                elif who in flipping:
                    values.append(noise - gain - 0.15)
                else:
                    values.append(gain * (1 + lasting[who]) + noise)
            worth[key] = float(np.mean(values))
        views = {
            h: {
                key: round(MICRO * (value + rng.normal(0, 0.004)))
                for key, value in worth.items()
                if key.hospital != h
            }
            for h in histories
        }
        agreed = agree(views)
        for h, history in histories.items():
            history.append(round_evidence(number, h, members, agreed.utilities, None, agreed.scale))
    return World(histories, flipping, riding)
