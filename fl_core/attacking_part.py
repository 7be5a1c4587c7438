"""The attackers of a hospital in a simulated round: trained, agreed on an aim, and each with its part of it.

Attackers of different hospitals do not know of each other here, since hospitals may be played in different processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fl_core.round_plan import RoundPlan
from fl_core.simulation.aims import Knowledge, aimed_mean
from fl_core.simulation.behaviours import Behaviour
from fl_core.simulation.steering import Colluder, clipped_update, forged_steps, wanted_part
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers import Called, Device, Task
from fl_core.tiers.forging_device import ForgingDevice

Deltas = Iterator[tuple[Device, NDArray[np.float32]]]


def is_steered(device: Device) -> bool:
    """Whether the device sends something else than what it trained."""
    return device.behaviour.steers or (isinstance(device, ForgingDevice) and device.behaviour.attacks)


def steered_updates(
    tasks: Mapping[Device, Task],
    called: Sequence[Called],
    *,
    hospitals: int,
    train: Callable[[Mapping[Device, Task]], Deltas],
) -> Deltas:
    """What a hospital's steered devices send; forging ones are told their integers besides.

    Args:
        tasks: of the steered devices.
        called: the hospital's cohorts of the round.
        hospitals: how many take part in the round.
        train: trains tasks, one after the other.

    Yields:
        Each device and the update that it hands to its encoding, float32 (d,).
    """
    by_behaviour: dict[Behaviour, dict[Device, Task]] = {}
    for device, task in tasks.items():
        by_behaviour.setdefault(device.behaviour, {})[device] = task
    for behaviour, own in by_behaviour.items():
        yield from _steered(behaviour, own, called, hospitals, train)


def _steered(
    behaviour: Behaviour,
    tasks: Mapping[Device, Task],
    called: Sequence[Called],
    hospitals: int,
    train: Callable[[Mapping[Device, Task]], Deltas],
) -> Deltas:
    some = next(iter(tasks.values()))
    plan, spec = some.plan, some.plan.spec
    trained = {device: delta.astype(np.float64) for device, delta in train(tasks)}
    sums = [[cohort] for cohort in called] if spec.profile is Profile.ACCOUNTABLE else [list(called)]
    reached = [part for part in sums if any(device.address in c.members for c in part for device in tasks)]
    known = Knowledge(
        rule=spec.rule,
        own=np.array(list(trained.values())),
        rows=np.array([_rows(spec, device) for device in trained]),
        means=len(sums) * hospitals,
        corrupted=len(reached),
        members=max(1, sum(len(cohort.members) for cohort in called) // len(sums)),
        harmful=_harmful(behaviour, plan, tasks, train),
    )
    beacon = called[0].call.beacon
    rng = np.random.default_rng([*beacon, called[0].call.hospital])
    aim = aimed_mean(behaviour, known, rng)
    for part in reached:
        yield from _parts(part, tasks, spec, aim, known.typical)


def _parts(
    part: Sequence[Called],
    tasks: Mapping[Device, Task],
    spec: RoundSpec,
    aim: NDArray[np.float64],
    typical: NDArray[np.float64],
) -> Deltas:
    """The part of each attacker in a sum that will be released."""
    colluders: dict[Device, Colluder] = {}
    for cohort in part:
        members = set(cohort.members)
        inside = [device for device in tasks if device.address in members]
        for device in inside:
            colluders[device] = Colluder(_rows(spec, device), len(members), len(inside))
    members = {address for cohort in part for address in cohort.members}
    rows = sum(
        spec.credited_rows(line.rows, line.device_class)
        for line in part[0].call.ready
        if line.address in members
    )
    wanted = wanted_part(spec, aim, typical, list(colluders.values()), rows)
    for device, colluder in colluders.items():
        if isinstance(device, ForgingDevice):
            device.forge(forged_steps(spec, wanted, colluder))
        yield device, clipped_update(spec, wanted, colluder)


def _harmful(
    behaviour: Behaviour,
    plan: RoundPlan,
    tasks: Mapping[Device, Task],
    train: Callable[[Mapping[Device, Task]], Deltas],
) -> NDArray[np.float64] | None:
    """Where flipped labels pull, for the attack that needs to know."""
    if behaviour is not Behaviour.ADAPTIVE or not plan.spec.rule.takes_root:
        return None
    classes = plan.spec.model.classes
    flipped = {device: replace(task, labels=(task.labels + 1) % classes) for device, task in tasks.items()}
    pulls: NDArray[np.float64] = np.array([delta.astype(np.float64) for _, delta in train(flipped)])
    mean: NDArray[np.float64] = pulls.mean(axis=0)
    return mean


def _rows(spec: RoundSpec, device: Device) -> int:
    return spec.credited_rows(device.declared_rows, device.device_class)
