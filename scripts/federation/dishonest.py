"""Where a simulation's dishonest devices are."""

from __future__ import annotations

import numpy as np

from fl_core.data import Federation
from fl_core.errors import SpecError
from fl_core.simulation import ATTACKS, Behaviour
from scripts.federation.rule_settings import attacker_count
from scripts.federation.settings import RunSettings


def place_dishonest(
    settings: RunSettings, federation: Federation, rng: np.random.Generator
) -> dict[tuple[int, int], Behaviour]:
    """Spread the dishonest over the hospitals, one after the other, the devices with most rows first.

    Half of a hospital's devices, those with more rows, come before the others: a poisoner with one or two rows does no
    harm that anyone could notice. Attackers of a malicious hospital are all there.

    Returns:
        The behaviour of each device by (hospital, index).

    Raises:
        SpecError: there are not devices enough.
    """
    behaviours = {
        (h, i): Behaviour.HONEST for h in range(1, settings.hospitals + 1) for i in range(settings.devices)
    }
    wanted = [Behaviour.LABEL_FLIP] * settings.flippers + [Behaviour.FREE_RIDER] * settings.free_riders
    attackers = [] if settings.attack is None else [ATTACKS[settings.attack]] * attacker_count(settings)
    if settings.malicious_hospital:
        for behaviour in attackers:
            _place(settings.malicious_hospital, behaviour, behaviours, federation, rng)
    else:
        wanted += attackers
    for place, behaviour in enumerate(wanted):
        _place(place % settings.hospitals + 1, behaviour, behaviours, federation, rng)
    return behaviours


def _place(
    hospital: int,
    behaviour: Behaviour,
    behaviours: dict[tuple[int, int], Behaviour],
    federation: Federation,
    rng: np.random.Generator,
) -> None:
    """Make one of a hospital's honest devices a dishonest one."""
    sizes = [len(rows) for rows in federation.devices[hospital - 1]]
    shuffled = rng.permutation(len(sizes))
    larger = sorted(shuffled, key=lambda i: sizes[i] < sorted(sizes)[len(sizes) // 2])
    free = [int(i) for i in larger if behaviours[hospital, int(i)] is Behaviour.HONEST]
    if not free:
        raise SpecError(
            f"hospital {hospital} has {len(sizes)} devices, fewer than are to be dishonest there: take fewer of them"
        )
    behaviours[hospital, free[0]] = behaviour
