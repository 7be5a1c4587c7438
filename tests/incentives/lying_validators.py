"""A hospital of honest devices whose validators differ much, and one of them lies with knowledge of the draw."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from suspected_worlds import CONSORTIUM, HOME, drawn, judged, utilities_of

from incentives.suspicion import SuspicionSettings, log_e_values
from incentives.suspicion_standing import Standing
from incentives.suspicion_watch import HospitalEvidence, Watch
from incentives.suspicion_wealth import Accounts, log_limit

DEVICES, COHORTS, LIAR = 48, 4, 2
LIMIT = 4_000_000
LIES = ("within the honest range", "extremes")


def play_lies(
    seed: int,
    *,
    rounds: int,
    lie: str,
    settings: SuspicionSettings,
    standings: Mapping[bytes, Standing] = MappingProxyType({}),
) -> tuple[set[bytes], Watch]:
    """An epoch in which validator 2 wants device 0 out.

    Args:
        lie: one of `LIES`, or "truth".
        standings: where devices stand at first.

    Returns:
        Whom one account on the lower median over validators suspects, and the watch at the end.
    """
    rng = np.random.default_rng((seed, 5))
    watch, accounts, former = Watch(settings, DEVICES, CONSORTIUM, standings), {}, set()
    limit = log_limit(settings.alpha, DEVICES)
    for number in range(1, rounds + 1):
        groups = drawn(rng, list(range(DEVICES)), COHORTS)
        shared = rng.normal(0, 0.3, COHORTS)
        said = {
            validator: utilities_of(groups, np.zeros(DEVICES), shared + rng.normal(0, 0.95, COHORTS))
            for validator in sorted(watch.validators(HOME))
        }
        said[LIAR] = _told(lie, said, [0 in group for group in groups])
        views = {validator: judged(groups, view) for validator, view in said.items()}
        watch, _ = watch.after(number, [HospitalEvidence(HOME, views, {})])
        medians = [sorted(column)[(len(column) - 1) // 2] for column in zip(*said.values(), strict=True)]
        for who, pay in log_e_values(judged(groups, medians), {}, settings).items():
            accounts[who] = accounts.get(who, Accounts(1)).after({0: pay}, settings)
            if accounts[who].evidence(settings) >= limit:
                former.add(who)
    return former, watch


def _told(lie: str, said: Mapping[int, list[int]], with_victim: list[bool]) -> list[int]:
    """What the liar says: the worst for device 0 among what it can say."""
    if lie == "truth":
        return said[LIAR]
    if lie == "extremes":
        return [-LIMIT if its else LIMIT for its in with_victim]
    honest = zip(*(view for validator, view in said.items() if validator != LIAR), strict=True)
    return [min(views) if its else max(views) for views, its in zip(honest, with_victim, strict=True)]
