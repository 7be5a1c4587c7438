"""How a hospital tells its lies: what it changes, and all of its own that it makes anew to fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from lying_world import LIAR, LyingWorld, Told
from told_records import with_cohort, with_part, with_release

from fl_core.secagg import EpochIdentity, masked_input_message
from fl_core.signing import LocalSigner
from fl_core.spec import epoch_of
from fl_core.tiers import seed_digest, with_global_noise
from incentives import Lanes
from scripts.federation.participation import cohort_plan
from scripts.federation.signing import domain_of


def leaf(field: str, change: Callable[[int], object]) -> Callable[[LyingWorld], Told]:
    """One field of the first leaf, and everything that hangs on it."""

    def tell(world: LyingWorld) -> Told:
        first, *others = world.honest.hospitals[LIAR].contributions
        told = replace(first, **{field: change(getattr(first, field))})
        return world.recorded(world.made_anew(world.honest, [told, *others]))

    return tell


def other_payee(world: LyingWorld) -> Told:
    items = world.honest.hospitals[LIAR].contributions
    told = [replace(item, payee=None) for item in items]
    return world.recorded(world.made_anew(world.honest, told))


def leaf_left_out(world: LyingWorld) -> Told:
    return world.recorded(world.made_anew(world.honest, world.honest.hospitals[LIAR].contributions[1:]))


def absent(world: LyingWorld) -> bytes:
    """A device that was called and fell silent."""
    part = world.honest.hospitals[LIAR]
    return next(a for c in part.cohorts if c.summed for a in c.members if a not in c.survivors)


def leaf_of_an_absent_device(world: LyingWorld) -> Told:
    part, who = world.honest.hospitals[LIAR], absent(world)
    more = replace(part.contributions[0], device=who, slot=part.slots[who])
    return world.recorded(world.made_anew(world.honest, [*part.contributions, more]))


def slots_swapped(world: LyingWorld) -> Told:
    part = world.honest.hospitals[LIAR]
    one, two = part.contributions[0].device, part.contributions[1].device
    slots = {**part.slots, one: part.slots[two], two: part.slots[one]}
    return world.recorded(world.made_anew(with_part(world.honest, LIAR, slots=slots)))


def ready_line(**changes: object) -> Callable[[LyingWorld], Told]:
    """A device's line of the ready list, submitted so before the beacon, with all that follows from it."""

    def tell(world: LyingWorld) -> Told:
        part = world.honest.hospitals[LIAR]
        line = part.ready[0]
        told = replace(line, **{name: change(getattr(line, name)) for name, change in changes.items()})
        record = with_part(world.honest, LIAR, ready=(told, *part.ready[1:]))
        return world.recorded(world.made_anew(world.recounted(record)), "ready")

    return tell


def ready_list_changed_afterwards(world: LyingWorld) -> Told:
    part = world.honest.hospitals[LIAR]
    told = replace(part.ready[0], rows=2 * part.ready[0].rows)
    record = with_part(world.honest, LIAR, ready=(told, *part.ready[1:]))
    return world.recorded(world.made_anew(world.recounted(record)))


def device_not_called(world: LyingWorld) -> Told:
    part = world.honest.hospitals[LIAR]
    gone = part.ready[0].address
    cohorts = tuple(
        replace(
            c,
            members=tuple(a for a in c.members if a != gone),
            survivors=tuple(a for a in c.survivors if a != gone),
        )
        for c in part.cohorts
    )
    record = with_part(world.honest, LIAR, ready=part.ready[1:], cohorts=cohorts)
    return world.recorded(world.made_anew(world.recounted(record)), "ready")


def device_of_another_hospital(world: LyingWorld) -> Told:
    part, theirs = world.honest.hospitals[LIAR], world.honest.hospitals[2].ready[0]
    record = with_part(world.honest, LIAR, ready=(*part.ready, theirs))
    return world.recorded(world.made_anew(record), "ready")


def members_swapped(world: LyingWorld) -> Told:
    one, two = world.honest.hospitals[LIAR].cohorts[:2]
    a, b = one.members[0], two.members[0]
    record = with_cohort(world.honest, LIAR, 0, members=tuple(sorted({*one.members, b} - {a})))
    record = with_cohort(record, LIAR, 1, members=tuple(sorted({*two.members, a} - {b})))
    return world.recorded(world.made_anew(record))


def other_beacon(world: LyingWorld) -> Told:
    return world.recorded(world.made_anew(replace(world.honest, beacon=bytes(32))))


def survivor_added(world: LyingWorld) -> Told:
    """A device that fell silent is said to have masked; its signature is the hospital's own."""
    part, who = world.honest.hospitals[LIAR], absent(world)
    index = next(i for i, c in enumerate(part.cohorts) if who in c.members)
    cohort, signer = part.cohorts[index], world.accounts.hospital(LIAR)
    domain = domain_of(world.honest.run, 0, bytes(20))
    plan = cohort_plan(world.honest, part, cohort)
    signature = signer.sign(masked_input_message(domain, plan, cohort.deposited_hash, bytes(32)))
    record = with_cohort(
        world.honest,
        LIAR,
        index,
        survivors=tuple(sorted((*cohort.survivors, who))),
        masked_hashes={**cohort.masked_hashes, who: bytes(32)},
        signatures={**cohort.signatures, who: signature},
    )
    return world.recorded(world.made_anew(world.recounted(record)))


def larger(world: LyingWorld) -> int:
    """A cohort of the liar's that could lose a survivor."""
    part, spec = world.honest.hospitals[LIAR], world.honest.spec
    return next(i for i, c in enumerate(part.cohorts) if len(c.survivors) > spec.threshold(len(c.members)))


def survivor_left_out(world: LyingWorld) -> Told:
    """A device whose update is in the sum is said to have fallen silent, from the report to the cloud on."""
    index = larger(world)
    cohort = world.honest.hospitals[LIAR].cohorts[index]
    gone, *left = cohort.survivors
    record = with_cohort(
        world.honest,
        LIAR,
        index,
        survivors=tuple(left),
        masked_hashes={a: h for a, h in cohort.masked_hashes.items() if a != gone},
        signatures={a: s for a, s in cohort.signatures.items() if a != gone},
    )
    return world.recorded(world.made_anew(world.recounted(record)))


def survivor_left_out_of_the_transcript_too(world: LyingWorld) -> Told:
    index = larger(world)
    gone = 0

    def without(transcript):
        nonlocal gone
        gone = min(transcript.inputs)
        return replace(transcript, inputs={i: e for i, e in transcript.inputs.items() if i != gone})

    told = survivor_left_out(world).record
    record, sealed = world.transcript_told(told, index, without)
    return world.recorded(world.made_anew(record), sealed=sealed)


def other_noise_seed(world: LyingWorld) -> Told:
    record = with_part(world.honest, LIAR, seed_digest=seed_digest(bytes(32)))
    return world.recorded(world.made_anew(record))


def other_keys(world: LyingWorld) -> Told:
    domain = domain_of(world.honest.run, 0, bytes(20))
    epoch = epoch_of(world.honest.number)
    fresh = EpochIdentity.generate(world.accounts.hospital(LIAR), domain, epoch)
    record = with_part(world.honest, LIAR, keys=fresh.advertisement.encode())
    return world.recorded(world.made_anew(record))


def device_enrolled_later(world: LyingWorld) -> Told:
    domain, part = domain_of(world.honest.run, 0, bytes(20)), world.honest.hospitals[LIAR]
    invented = EpochIdentity.generate(LocalSigner(), domain, epoch_of(world.honest.number)).advertisement
    slots = {**part.slots, invented.address: 2 * len(part.slots)}
    record = with_part(
        world.honest, LIAR, advertisements=(*part.advertisements, invented.encode()), slots=slots
    )
    return world.recorded(world.made_anew(record))


def other_sum(change) -> Callable[[LyingWorld], Told]:
    """The released sum of the liar's first cohort, and the model that the coordinator made of it."""

    def tell(world: LyingWorld) -> Told:
        total = change(world, world.honest.hospitals[LIAR].releases)
        record = world.combined(with_release(world.honest, LIAR, 0, total=total))
        return world.recorded(world.made_anew(record))

    return tell


def a_step_more(_world: LyingWorld, releases) -> np.ndarray:
    total = releases[0].total.copy()
    total[3] += 1
    return total


def other_noise(world: LyingWorld, releases) -> np.ndarray:
    """The true sum, under noise of a seed that was not committed to."""
    record = world.honest
    where = {"beacon": record.beacon, "round_number": record.number}
    empty = replace(releases[0], total=np.zeros_like(releases[0].total))
    committed = with_global_noise(empty, record.spec, seed=world.noise_seeds[LIAR], **where).total
    chosen = with_global_noise(empty, record.spec, seed=bytes(32), **where).total
    return releases[0].total - committed + chosen


def no_noise(world: LyingWorld, releases) -> np.ndarray:
    record = world.honest
    empty = replace(releases[0], total=np.zeros_like(releases[0].total))
    committed = with_global_noise(
        empty,
        record.spec,
        seed=world.noise_seeds[LIAR],
        beacon=record.beacon,
        round_number=record.number,
    ).total
    return releases[0].total - committed


def the_other_cohorts(_world: LyingWorld, releases) -> np.ndarray:
    return releases[1].total.copy()


def transcript(change, **sealing: bytes) -> Callable[[LyingWorld], Told]:
    def tell(world: LyingWorld) -> Told:
        record, sealed = world.transcript_told(world.honest, 0, change, **sealing)
        return world.recorded(world.made_anew(record), sealed=sealed)

    return tell


def as_it_was(evidence):
    return evidence


def made_up_mask(evidence):
    """A seed and its check value that would take off another mask."""
    index = min(evidence.inputs)
    item = evidence.inputs[index]
    return replace(evidence, inputs={**evidence.inputs, index: replace(item, self_check=bytes(16))})


def mask_not_opened(evidence):
    return replace(evidence, seeds=evidence.seeds[1:])


def other_input(evidence):
    index = min(evidence.inputs)
    item = evidence.inputs[index]
    packed = bytes([item.packed[0] ^ 1]) + item.packed[1:]
    return replace(evidence, inputs={**evidence.inputs, index: replace(item, packed=packed)})


def other_nonce(evidence):
    index = min(evidence.nonces)
    return replace(evidence, nonces={**evidence.nonces, index: bytes(16)})


def transcript_withheld(world: LyingWorld) -> Told:
    record = with_cohort(world.honest, LIAR, 0, transcript_hash=b"")
    return world.recorded(world.made_anew(record))


def failed_without_reason(world: LyingWorld) -> Told:
    index = 0
    cohort = world.honest.hospitals[LIAR].cohorts[index]
    record = with_cohort(world.honest, LIAR, index, survivors=(), rows=0, failure="")
    kept = tuple(r for r in world.honest.hospitals[LIAR].releases if r.cohort != cohort.cohort)
    return world.recorded(world.made_anew(world.combined(with_part(record, LIAR, releases=kept))))


def cohort_weight(world: LyingWorld) -> Told:
    rows = 2 * world.honest.hospitals[LIAR].cohorts[0].rows
    return world.recorded(world.made_anew(with_cohort(world.honest, LIAR, 0, rows=rows)))


def release_weight(world: LyingWorld) -> Told:
    rows = tuple(2 * count for count in world.honest.hospitals[LIAR].releases[0].rows)
    record = world.combined(with_release(world.honest, LIAR, 0, rows=rows))
    return world.recorded(world.made_anew(record))


def unbounded_sum(world: LyingWorld) -> Told:
    total = np.full(world.honest.spec.dim, 1 << 50)
    record = world.combined(with_release(world.honest, LIAR, 0, total=total))
    return world.recorded(world.made_anew(record))


def sum_withheld(world: LyingWorld) -> Told:
    record = with_part(world.honest, LIAR, releases=world.honest.hospitals[LIAR].releases[1:])
    return world.recorded(world.made_anew(world.combined(record)))


def more_volume_on_the_ledger(world: LyingWorld) -> Told:
    told = world.recorded(world.made_anew(world.honest))
    mine = told.facts.entries[LIAR]
    lanes = replace(mine.entry.left.lanes, volume=mine.entry.left.lanes.volume + 1)
    left = replace(mine.entry.left, lanes=lanes)
    entry = replace(mine.entry, left=left, lanes=_added(left.lanes, mine.entry.right.lanes))
    entries = {**told.facts.entries, LIAR: replace(mine, entry=entry)}
    return replace(told, facts=replace(told.facts, entries=entries))


def _added(left: Lanes, right: Lanes) -> Lanes:
    return left + right


def entry_of_another_part(world: LyingWorld) -> Told:
    told = world.recorded(world.made_anew(world.honest))
    entries = {**told.facts.entries, LIAR: replace(told.facts.entries[LIAR], bundle_digest=bytes(32))}
    return replace(told, facts=replace(told.facts, entries=entries))


def salt_changed_afterwards(world: LyingWorld) -> Told:
    told = world.recorded(world.made_anew(world.honest))
    salts = (bytes(32), *told.record.hospitals[LIAR].salts[1:])
    return replace(told, record=with_part(told.record, LIAR, salts=salts))


def receipts_withheld(world: LyingWorld) -> Told:
    record = world.made_anew(world.honest)
    first, *_ = record.hospitals[LIAR].receipts
    kept = {a: box for a, box in record.hospitals[LIAR].receipts.items() if a != first}
    return world.recorded(with_part(record, LIAR, receipts=kept))


def no_entry(world: LyingWorld) -> Told:
    told = world.recorded(world.made_anew(world.honest))
    entries = {h: entry for h, entry in told.facts.entries.items() if h != LIAR}
    return replace(told, facts=replace(told.facts, entries=entries))
