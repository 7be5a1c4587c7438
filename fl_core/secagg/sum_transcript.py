"""What lets an auditor do an edge's sum again: signed masked inputs, and the seeds of the masks that it took off.

Of each secret that was opened it holds what the edge needed of it: of a survivor the seed of its own mask, of a member
that dropped out the seeds that it shares with survivors. Shares are left out: a seed proves itself by its check value,
which is signed. What sits between two survivors is never opened, so that no input can be told from the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from fl_core.secagg.codec import Reader, write_subset
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.masking import CHECK_BYTES, MaskKey, apply_masks, ring_mask, word_dtype
from fl_core.secagg.merkle import Tree
from fl_core.secagg.messages import NONCE_BYTES
from fl_core.secagg.packing import unpack
from fl_core.secagg.pairwise import SEED_BYTES
from fl_core.secagg.plan import CohortPlan
from fl_core.secagg.transcript import (
    attempt_hash,
    deposited_hash,
    graph_attempt_hash,
    input_hash,
    nonce_leaf,
)

VERSION = 1


@dataclass(frozen=True, repr=False)
class MaskedEvidence:
    """A survivor's masked input as the edge took it.

    Attributes:
        packed: the masked vector, in exactly b bits a value.
        self_check: check value of the seed of its own mask.
        checks: of the seeds that it shares with each neighbour that advertised, in the order of their indices.
    """

    packed: bytes
    self_check: bytes
    checks: tuple[bytes, ...]

    @property
    def hash(self) -> bytes:
        """What the survivor's signature covers, 32 bytes."""
        return input_hash(sha256(self.packed).digest(), self.self_check, self.checks)


@dataclass(frozen=True, repr=False)
class SumTranscript:
    """One finished attempt, as its server saw it.

    Attributes:
        nonces: by index, of all that advertised (U1).
        deposited: indices whose shares were handed out (U2).
        inputs: by index, of those whose masked inputs are in the sum (U3).
        seeds: of every mask that the server took off, 32 bytes each.
    """

    nonces: Mapping[int, bytes]
    deposited: tuple[int, ...]
    inputs: Mapping[int, MaskedEvidence]
    seeds: tuple[bytes, ...]

    def encode(self, plan: CohortPlan) -> bytes:
        """The transcript under its plan, which says how long each field is."""
        advertised = tuple(sorted(self.nonces))
        fields = [
            VERSION.to_bytes(1, "big"),
            plan.context_hash,
            write_subset(advertised, range(plan.size)),
            write_subset(self.deposited, advertised),
            write_subset(tuple(self.inputs), self.deposited),
            *(self.nonces[index] for index in advertised),
        ]
        for index in sorted(self.inputs):
            item = self.inputs[index]
            fields += [item.self_check, *item.checks, item.packed]
        return b"".join((*fields, len(self.seeds).to_bytes(4, "big"), *self.seeds))

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan) -> SumTranscript:
        """Read what `encode` wrote.

        Raises:
            SecAggError: it is malformed, of another version, or of another plan.
        """
        reader = Reader(data)
        version = reader.unsigned(1)
        if version != VERSION:
            raise SecAggError(f"transcript of version {version}: this code reads version {VERSION}")
        if reader.take(len(plan.context_hash)) != plan.context_hash:
            raise SecAggError("transcript is of another plan: other members, spec, model or ready list")
        advertised = reader.subset(range(plan.size))
        deposited = reader.subset(advertised)
        survivors = reader.subset(deposited)
        nonces = dict(zip(advertised, reader.chunks(len(advertised), NONCE_BYTES), strict=True))
        inputs = {}
        for index in survivors:
            self_check = reader.take(CHECK_BYTES)
            checks = reader.chunks(len(plan.neighbours_among(index, advertised)), CHECK_BYTES)
            inputs[index] = MaskedEvidence(reader.take(plan.packed_bytes), self_check, checks)
        seeds = reader.chunks(reader.unsigned(4), SEED_BYTES)
        reader.finish()
        return cls(nonces, deposited, inputs, seeds)


def sum_again(
    transcript: SumTranscript,
    plan: CohortPlan,
    *,
    roster_root: bytes,
    deposited: bytes,
    masked_hashes: Mapping[bytes, bytes],
) -> NDArray[np.uint64]:
    """Do the edge's sum again, from nothing but what survivors signed and seeds that fit it.

    Args:
        transcript: of the attempt.
        plan: of the attempt, as an auditor derives it.
        roster_root: of the epoch's roster.
        deposited: the `deposited_hash` that survivors signed.
        masked_hashes: by address, the `input_hash` that each survivor signed.

    Returns:
        uint64 (dim,), the sum modulo 2^bits.

    Raises:
        SecAggError: something does not fit what was signed, or a mask was not opened; the message names the member.
    """
    _check_signed(transcript, plan, roster_root, deposited, masked_hashes)
    masks = _masks_on(transcript, plan)
    total = np.zeros(plan.dim, dtype=word_dtype(plan.bits))
    for item in transcript.inputs.values():
        total += unpack(item.packed, plan.dim, plan.bits)
    apply_masks(total, masks)
    total &= ring_mask(plan.bits)
    return total.astype(np.uint64)


def _check_signed(
    transcript: SumTranscript,
    plan: CohortPlan,
    roster_root: bytes,
    deposited: bytes,
    masked_hashes: Mapping[bytes, bytes],
) -> None:
    nonces = transcript.nonces
    if plan.graph is None:
        attempt = attempt_hash(plan, roster_root, nonces)
    else:
        tree = Tree([nonce_leaf(index, nonces[index]) for index in sorted(nonces)])
        attempt = graph_attempt_hash(plan, roster_root, sorted(nonces), tree.root)
    if deposited_hash(plan, attempt, transcript.deposited) != deposited:
        raise SecAggError("who advertised and deposited is not what the survivors signed")
    found = {plan.members[index]: item for index, item in transcript.inputs.items()}
    for address in sorted(found.keys() | masked_hashes.keys()):
        if address not in found:
            raise SecAggError(f"the masked input of {address.hex()} is missing")
        if address not in masked_hashes:
            raise SecAggError(f"a masked input of {address.hex()}, which is not reported as a survivor")
        if found[address].hash != masked_hashes[address]:
            raise SecAggError(f"the masked input of {address.hex()} is not the one that it signed")


def _masks_on(transcript: SumTranscript, plan: CohortPlan) -> list[tuple[MaskKey, int]]:
    """The masks left on the sum of the inputs, found by their signed check values, with the sign to take each off."""
    opened = {key.check: key for key in map(MaskKey.from_seed, transcript.seeds)}
    advertised, inputs = tuple(sorted(transcript.nonces)), transcript.inputs
    checks = {
        index: dict(zip(plan.neighbours_among(index, advertised), item.checks, strict=True))
        for index, item in inputs.items()
    }
    masks = []
    for index, item in inputs.items():
        name = plan.members[index].hex()
        own = opened.get(item.self_check)
        if own is None:
            raise SecAggError(f"the own mask of {name} was not opened")
        masks.append((own, -1))
        for peer in plan.neighbours_among(index, transcript.deposited):
            check = checks[index][peer]
            if peer in inputs:
                if checks[peer][index] != check:
                    raise SecAggError(f"{name} and {plan.members[peer].hex()} signed different masks")
                continue
            pair = opened.get(check)
            if pair is None:
                raise SecAggError(f"the mask of {name} with {plan.members[peer].hex()} was not opened")
            masks.append((pair, -1 if index < peer else 1))
    return masks
