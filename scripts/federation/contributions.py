"""From a round's record to contributions and entries: one computation for who records and who checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import digest_json
from fl_core.round_plan import RoundPlan
from fl_core.tiers import JOINT_HOSPITAL, Release, mean_update
from fl_core.training import training_flops
from incentives import (
    DECODE_FLOOR,
    FULL_SCORE,
    SCORE_FLOOR,
    CohortKey,
    Contribution,
    DecoderSettings,
    HospitalEntry,
    RoundEvidence,
    SpreadFloor,
    agree,
    build_entry,
    compute_points,
    effects,
    hospital_scores,
    round_evidence,
    volume_points,
)
from incentives.decoding import DeviceEffect, forget_effects, quality_scores
from incentives.scoring import MIN_VIEWS
from incentives.suspicion import SuspicionSettings
from scripts.federation.quarantine_settings import QUARANTINE, quarantine_json
from scripts.federation.record import HospitalRecord, RoundRecord

History = Mapping[int, Sequence[RoundEvidence]]
"""Each hospital's evidence of the run so far, in order of rounds."""


def scoring_settings(quarantine: SuspicionSettings | None = None) -> dict[str, Any]:
    """The scoring settings of a run, as they go into its records.

    Args:
        quarantine: settings of suspicion, None for nobody to be suspected.
    """
    return {
        "decoder": asdict(DecoderSettings()),
        "score_floor": asdict(SCORE_FLOOR),
        "decode_floor": asdict(DECODE_FLOOR),
        "min_views": MIN_VIEWS,
        QUARANTINE: quarantine_json(quarantine),
    }


def scoring_digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of scoring settings: what the spec holds."""
    return digest_json(dict(settings)).hex()


def valued_key(release: Release) -> CohortKey | None:
    """Under what validators value a release: a whole hospital is its cohort 0, the sum of all is not valued."""
    return None if release.hospital == JOINT_HOSPITAL else CohortKey(release.hospital, release.cohort or 0)


def valued_means(
    plan: RoundPlan, releases: Sequence[Release], beacon: bytes
) -> dict[CohortKey, NDArray[np.float64]]:
    """Mean update of every release that validators value, float64 (d,) each."""
    keyed = ((valued_key(release), release) for release in releases)
    return {key: mean_update(plan, release, beacon) for key, release in keyed if key is not None}


def scores_of(
    utilities: Mapping[CohortKey, int], validator: int, scoring: Mapping[str, Any]
) -> dict[int, int]:
    """Scores (0..10,000) that a validator's utilities give the other hospitals."""
    return hospital_scores(utilities, validator=validator, floor=SpreadFloor(**scoring["score_floor"]))


def evidence_of(record: RoundRecord) -> dict[int, RoundEvidence]:
    """What the round says of each hospital's devices; nothing where its profile scores none."""
    if not record.device_quality_scored:
        return {}
    agreed = agree(
        {validator: said.path_gains for validator, said in record.validators.items()},
        floor=SpreadFloor(**record.scoring["decode_floor"]),
        min_views=record.scoring["min_views"],
    )
    evidence = {}
    for hospital, part in record.hospitals.items():
        survivors = {CohortKey(hospital, c.cohort): c.survivors for c in part.cohorts if c.summed}
        rows = {d.address: record.spec.credited_rows(d.rows, d.device_class) for d in part.ready}
        evidence[hospital] = round_evidence(
            record.number, hospital, survivors, agreed.utilities, rows, agreed.scale
        )
    return evidence


@lru_cache(maxsize=64)
def decoded(history: tuple[RoundEvidence, ...], settings: DecoderSettings) -> Mapping[bytes, DeviceEffect]:
    """What a hospital's evidence says of its devices, once: qualities and forecasts of suspicion take it alike.

    Raises:
        IncentivesError: the rounds are not in order.
    """
    return MappingProxyType(effects(history, settings))


def forget_decoded() -> None:
    """Drop what was decoded before: whoever is to recompute it by itself would only look it up."""
    decoded.cache_clear()
    forget_effects()


def qualities(record: RoundRecord, hospital: int, history: History) -> dict[bytes, int]:
    """Decoded quality (0..10,000) of a hospital's enrolled devices after `history`, the round's evidence included."""
    settings = DecoderSettings(**record.scoring["decoder"])
    found = decoded(tuple(history.get(hospital, ())), settings)
    return quality_scores(found, devices=record.hospitals[hospital].slots, settings=settings)


def contributions_of(
    record: RoundRecord,
    part: HospitalRecord,
    quality: Mapping[bytes, int],
    unpaid: Collection[bytes] = (),
) -> tuple[Contribution, ...]:
    """What each device whose update is in a released sum did in this round: volume, quality, compute; in slot order.

    Args:
        record: the round.
        part: the hospital's part of it.
        quality: decoded quality of its devices.
        unpaid: devices on probation, whose leaves are all zeros whatever the rule's gate.
    """
    spec, rule = record.spec, record.rule
    ready = {line.address: line for line in part.ready}
    contributions = []
    for address in (a for cohort in record.counted(part) for a in cohort.survivors):
        line, paid = ready[address], address not in unpaid
        rows = spec.credited_rows(line.rows, line.device_class)
        work = training_flops(spec.model, rows, spec.training)
        scored = quality[address] if record.device_quality_scored else FULL_SCORE
        contributions.append(
            Contribution(
                device=address,
                slot=part.slots[address],
                device_class=line.device_class,
                payee=address if line.own_payee else None,
                volume=volume_points(rows, rule.volume_cap[line.device_class]) if paid else 0,
                quality=scored if paid else 0,
                compute=compute_points(work, rule.compute_cap[line.device_class]) if paid else 0,
            )
        )
    return tuple(sorted(contributions, key=lambda item: item.slot))


def entry_of(record: RoundRecord, part: HospitalRecord) -> HospitalEntry:
    """A hospital's entry: the Merkle-sum tree over its contributions.

    Raises:
        IncentivesError: contributions and salts do not make a tree.
    """
    return build_entry(
        record.entry_domain(part.hospital),
        record.rule,
        part.contributions,
        part.salts,
        quality_scored=record.device_quality_scored,
    )
