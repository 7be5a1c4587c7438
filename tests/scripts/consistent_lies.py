"""Lies of a hospital that makes everything anew which is its own to make; each with the finding that must name it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from lying_world import LyingWorld, Told
from telling_forms import (
    a_wider_tree,
    advertisements_in_another_order,
    kept_of,
    leaves_in_another_order,
    members_in_another_order,
    survivors_in_another_order,
)
from telling_lies import (
    a_step_more,
    as_it_was,
    cohort_weight,
    device_enrolled_later,
    device_not_called,
    device_of_another_hospital,
    entry_of_another_part,
    failed_without_reason,
    leaf,
    leaf_left_out,
    leaf_of_an_absent_device,
    made_up_mask,
    mask_not_opened,
    members_swapped,
    more_volume_on_the_ledger,
    no_entry,
    no_noise,
    other_beacon,
    other_input,
    other_keys,
    other_noise,
    other_noise_seed,
    other_nonce,
    other_payee,
    other_sum,
    ready_line,
    ready_list_changed_afterwards,
    receipts_withheld,
    release_weight,
    salt_changed_afterwards,
    slots_swapped,
    sum_withheld,
    survivor_added,
    survivor_left_out,
    survivor_left_out_of_the_transcript_too,
    the_other_cohorts,
    transcript,
    transcript_withheld,
    unbounded_sum,
)
from telling_values import (
    model_score_afterwards,
    own_path_gain,
    own_utility,
    path_gain_left_out,
    path_gain_of_its_own_sum,
    scores_of_its_own,
    values_itself,
    values_some_only,
)


@dataclass(frozen=True)
class Lie:
    """A lie, and what its first finding must say.

    Attributes:
        tell: makes it.
        check: of the first finding.
        subject: a part of the first finding's subject.
        transcript: whether only the transcript shows it.
    """

    tell: Callable[[LyingWorld], Told]
    check: str
    subject: str
    transcript: bool = False


LIES: dict[str, Lie] = {
    "one quality": Lie(
        leaf("quality", lambda q: q - 100 if q else 100), "leaves", "hospital 1, slot 0, quality"
    ),
    "one volume": Lie(leaf("volume", lambda v: v + 1), "leaves", "hospital 1, slot 0, volume"),
    "one compute": Lie(leaf("compute", lambda c: c - 1), "leaves", "hospital 1, slot 0, compute"),
    "one class": Lie(leaf("device_class", lambda c: c + 1), "leaves", "hospital 1, slot 0, device_class"),
    "all pay to the treasury": Lie(other_payee, "leaves", "payee"),
    "a leaf left out": Lie(leaf_left_out, "leaves", "hospital 1, slot 0"),
    "a leaf of an absent device": Lie(leaf_of_an_absent_device, "leaves", "hospital 1, slot"),
    "two slots swapped": Lie(slots_swapped, "leaves", "hospital 1, slot of the epoch, device"),
    "a device's rows, declared so": Lie(
        ready_line(rows=lambda rows: 2 * rows), "participation", "hospital 1, cohort"
    ),
    "a device's payee, declared so": Lie(
        ready_line(own_payee=lambda own: not own), "participation", "hospital 1, cohort"
    ),
    "a device's class, declared so": Lie(
        ready_line(device_class=lambda kind: kind + 1), "participation", "hospital 1, cohort"
    ),
    "a device's rows, afterwards": Lie(ready_list_changed_afterwards, "draw", "hospital 1, ready list"),
    "a device not called": Lie(device_not_called, "draw", "hospital 1, number of cohorts"),
    "a device of another hospital": Lie(device_of_another_hospital, "draw", "hospital 1, cohort"),
    "members swapped": Lie(members_swapped, "draw", "hospital 1, cohort 0, members"),
    "another beacon": Lie(other_beacon, "draw", "beacon"),
    "a survivor added": Lie(survivor_added, "participation", "hospital 1, cohort"),
    "a survivor left out": Lie(survivor_left_out, "transcript", "hospital 1, cohort", transcript=True),
    "a survivor left out of the transcript too": Lie(
        survivor_left_out_of_the_transcript_too, "transcript", "hospital 1, cohort", transcript=True
    ),
    "an own utility, afterwards": Lie(own_utility(), "utilities", "validator 1, digest"),
    "a utility finer than agreed": Lie(
        own_utility("reveals", step=1), "utilities", "validator 1, multiples of the agreed step"
    ),
    "a utility of its own sum": Lie(values_itself, "utilities", "validator 1, sums valued"),
    "a sum not valued": Lie(values_some_only, "utilities", "validator 1, sums valued"),
    "an own path gain, afterwards": Lie(own_path_gain(), "utilities", "validator 1, digest"),
    "a path gain finer than agreed": Lie(
        own_path_gain("reveals", step=1), "utilities", "validator 1, multiples of the agreed step"
    ),
    "a path gain of its own sum": Lie(
        path_gain_of_its_own_sum, "utilities", "validator 1, sums with a path gain"
    ),
    "a path gain left out": Lie(path_gain_left_out, "utilities", "validator 1, sums with a path gain"),
    "scores without utilities": Lie(scores_of_its_own, "scores", "validator 1, scores from its utilities"),
    "a score of the model, afterwards": Lie(
        model_score_afterwards, "scores", "validator 1, score of the model"
    ),
    "another noise seed": Lie(
        other_noise_seed, "participation", "hospital 1, commitment to its keys and noise seed"
    ),
    "other keys": Lie(other_keys, "participation", "hospital 1, commitment to its keys and noise seed"),
    "a device enrolled later": Lie(device_enrolled_later, "participation", "hospital 1, roster root"),
    "a cohort's sum": Lie(
        other_sum(a_step_more), "transcript", "hospital 1, cohort 0, released sum, entry 3", transcript=True
    ),
    "a cohort's sum with chosen noise": Lie(
        other_sum(other_noise), "transcript", "hospital 1, cohort 0, released sum", transcript=True
    ),
    "a cohort's sum without noise": Lie(
        other_sum(no_noise), "transcript", "hospital 1, cohort 0, released sum", transcript=True
    ),
    "another cohort's sum": Lie(
        other_sum(the_other_cohorts), "transcript", "hospital 1, cohort 0, released sum", transcript=True
    ),
    "a mask made up": Lie(
        transcript(made_up_mask), "transcript", "hospital 1, cohort 0, secure sum", transcript=True
    ),
    "a mask not opened": Lie(
        transcript(mask_not_opened), "transcript", "hospital 1, cohort 0, secure sum", transcript=True
    ),
    "another masked input": Lie(
        transcript(other_input), "transcript", "hospital 1, cohort 0, secure sum", transcript=True
    ),
    "another attempt's nonce": Lie(
        transcript(other_nonce), "transcript", "hospital 1, cohort 0, secure sum", transcript=True
    ),
    "a transcript withheld": Lie(
        transcript_withheld, "transcript", "hospital 1, cohort 0, secure sum", transcript=True
    ),
    "a transcript sealed to somebody else": Lie(
        transcript(as_it_was, key=X25519PrivateKey.generate().public_key().public_bytes_raw()),
        "transcript",
        "hospital 1, cohort 0, secure sum",
        transcript=True,
    ),
    "another noise seed shown to the auditor": Lie(
        transcript(as_it_was, seed=bytes(32)),
        "noise",
        "hospital 1, cohort 0, digest of the noise seed",
        transcript=True,
    ),
    "a cohort failed without a reason": Lie(
        failed_without_reason, "cohort", "hospital 1, cohort 0, a reason for failing"
    ),
    "a cohort's weight": Lie(cohort_weight, "cohort", "hospital 1, cohort 0, weight"),
    "a sum's weight": Lie(release_weight, "release", "hospital 1, cohort 0, rows by link class"),
    "a sum beyond all clips": Lie(
        unbounded_sum, "release", "hospital 1, cohort 0, sum within what clipped updates can give"
    ),
    "a sum withheld": Lie(sum_withheld, "release", "hospital 1, sums released"),
    "more volume on the ledger": Lie(more_volume_on_the_ledger, "entry", "hospital 1, root of the children"),
    "an entry of another part": Lie(entry_of_another_part, "entry", "hospital 1, digest of its part"),
    "a salt, afterwards": Lie(salt_changed_afterwards, "entry", "hospital 1"),
    "a receipt withheld": Lie(receipts_withheld, "receipts", "hospital 1, devices without a receipt"),
    "no entry": Lie(no_entry, "entry", "hospital 1, entry on the ledger"),
    "survivors in another order": Lie(
        survivors_in_another_order, "form", "hospital 1, cohort 0, survivors, in ascending order"
    ),
    "members in another order": Lie(members_in_another_order, "draw", "hospital 1, cohort 0, members"),
    "a masked hash besides": Lie(kept_of("masked_hashes"), "form", "masked hashes, of others"),
    "a signature besides": Lie(kept_of("signatures"), "form", "signatures, of others"),
    "advertisements in another order": Lie(
        advertisements_in_another_order, "form", "hospital 1, advertisements, in ascending order"
    ),
    "leaves in another order": Lie(leaves_in_another_order, "form", "hospital 1, contributions by slot"),
    "a wider tree": Lie(a_wider_tree, "form", "hospital 1, salts, one a slot"),
}
