"""What valuation costs beside the rest of a round: CPU seconds of a real round, secure sums included."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fl_core.cohorts import beacon_of_run
from fl_core.valuation import path_utilities
from incentives import CohortKey, RoundEvidence, agree, decode, hospital_scores, round_evidence
from incentives.decoding import forget_effects
from scripts.federation.contributions import valued_means
from scripts.federation.offline import offline_run
from scripts.federation.settings import RunSettings

_GOES = 5  # of decoding; rounds are timed as often as they are played


@dataclass(frozen=True)
class CostFigures:
    """CPU seconds of one process that plays everybody, medians over rounds.

    Attributes:
        cohort_size: aim of the draw.
        devices: of all hospitals.
        hospitals: all of them value, and decode their own devices.
        round_s: training and secure aggregation, from the plan to the next model.
        utilities_s: both utilities of all others' sums on the rows of all hospitals.
        decoding_s: scores, combining and the decoding of all devices, with a history of `rounds` rounds.
        rounds: rounds of history when decoding is timed.
    """

    cohort_size: int
    devices: int
    hospitals: int
    round_s: float
    utilities_s: float
    decoding_s: float
    rounds: int

    @property
    def share(self) -> float:
        """Valuation's part of the whole."""
        valuation = self.utilities_s + self.decoding_s
        return valuation / (valuation + self.round_s)

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {**asdict(self), "share": self.share}


def measure_cost(
    *, cohort_size: int, hospitals: int = 4, devices: int = 48, rounds: int = 3, history: int = 20
) -> CostFigures:
    """Time rounds of `fediomt train` on wdbc, valued by everybody; decoding at the length of history stated.

    Args:
        cohort_size: aim of the draw.
        hospitals: how many.
        devices: of each.
        rounds: rounds that are timed, after one that warms up.
        history: rounds of evidence that are decoded: those played, over and over.
    """
    settings = RunSettings(
        data="wdbc",
        hospitals=hospitals,
        devices=devices,
        cohort_size=cohort_size,
        k_min=min(8, cohort_size),
        rounds=rounds + 1,
    )
    round_s, utilities_s, evidence = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        run = offline_run(settings, "cost", Path(folder) / "run")
        engine, cloud = run.population.engine, run.cloud
        engine.begin_epoch(0)
        run.population.agree_on_scaling(0)
        for number in range(1, rounds + 2):
            plan, beacon = cloud.plan(), beacon_of_run(0, number)
            begin = time.process_time()
            outcome = engine.run_round(plan, engine.ready_lists(number), beacon)
            after = cloud.combine(plan, outcome.releases, beacon)
            round_s.append(time.process_time() - begin)
            begin = time.process_time()
            gains: dict[int, dict[CohortKey, int]] = {}
            paths: dict[int, dict[CohortKey, int]] = {}
            means = valued_means(plan, outcome.releases, beacon)
            for hospital in run.population.hospitals:
                keys = [key for key in means if key.hospital != hospital.id]
                others = [means[key] for key in keys]
                gain = hospital.edge.value(plan.spec, plan.model, others)
                rows = hospital.edge.validation
                path = path_utilities(
                    plan.spec.model,
                    plan.model,
                    others,
                    rows.features,
                    rows.labels,
                    after=after,
                    clip=plan.spec.utility_clip,
                    step=plan.spec.utility_step,
                )
                gains[hospital.id] = dict(zip(keys, gain, strict=True))
                paths[hospital.id] = dict(zip(keys, path, strict=True))
            utilities_s.append(time.process_time() - begin)
            members = {
                CohortKey(cohort.hospital, cohort.cohort): cohort.survivors for cohort in outcome.cohorts
            }
            evidence.append((gains, paths, members))
    return CostFigures(
        cohort_size=cohort_size,
        devices=hospitals * devices,
        hospitals=hospitals,
        round_s=statistics.median(round_s[1:]),
        utilities_s=statistics.median(utilities_s[1:]),
        decoding_s=_decoding_s(evidence, hospitals, history),
        rounds=history,
    )


def _decoding_s(evidence: list[Any], hospitals: int, history: int) -> float:
    """CPU seconds to score and decode the last of `history` rounds, the median of a few goes."""
    spent = []
    for _ in range(_GOES):
        forget_effects()
        histories: dict[int, list[RoundEvidence]] = {hospital: [] for hospital in range(1, hospitals + 1)}
        begin = 0.0
        for number in range(history):
            begin = time.process_time()
            gains, paths, members = evidence[number % len(evidence)]
            for validator, utilities in gains.items():
                hospital_scores(utilities, validator=validator)
            agreed = agree(paths)
            for hospital, known in histories.items():
                known.append(
                    round_evidence(number + 1, hospital, members, agreed.utilities, None, agreed.scale)
                )
        for known in histories.values():
            decode(known)
        spent.append(time.process_time() - begin)
    return statistics.median(spent)
