"""Hashes that name what has been agreed so far, each covering the one before, and what a device signs.

    plan -> attempt (roster, who advertised, every nonce) -> deposited (U2) -> survivors (U3)

Every key, ciphertext and MAC of an attempt is bound to one of them, so nothing fits into another attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fl_core.secagg.codec import write_subset
from fl_core.secagg.kdf import digest
from fl_core.secagg.merkle import leaf_hash
from fl_core.secagg.plan import CohortPlan
from fl_core.signing import Domain, TypedMessage


def attempt_hash(plan: CohortPlan, roster_root: bytes, nonces: Mapping[int, bytes]) -> bytes:
    """Names an attempt by its plan, the roster and the fresh nonces of those who advertised (U1), 32 bytes."""
    advertised = sorted(nonces)
    listed = write_subset(advertised, range(plan.size))
    return digest(
        b"attempt", plan.context_hash, roster_root, listed, *(nonces[index] for index in advertised)
    )


def nonce_leaf(index: int, nonce: bytes) -> bytes:
    """A member's leaf in the tree of nonces, 32 bytes."""
    return leaf_hash(index.to_bytes(2, "big") + nonce)


def graph_attempt_hash(
    plan: CohortPlan, roster_root: bytes, advertised: Sequence[int], nonce_root: bytes
) -> bytes:
    """`attempt_hash` of a plan with a neighbour graph: the root of the tree of nonces stands for the nonces."""
    listed = write_subset(advertised, range(plan.size))
    return digest(b"attempt of a graph", plan.context_hash, roster_root, listed, nonce_root)


def deposited_hash(plan: CohortPlan, attempt: bytes, deposited: Sequence[int]) -> bytes:
    """Names the members whose shares were handed out (U2), 32 bytes."""
    return digest(b"deposited", attempt, write_subset(deposited, range(plan.size)))


def survivors_hash(plan: CohortPlan, deposited: bytes, survivors: Sequence[int]) -> bytes:
    """Names the members whose masked inputs are summed (U3), 32 bytes: what devices agree on before unmasking."""
    return digest(b"survivors", deposited, write_subset(survivors, range(plan.size)))


def input_hash(masked: bytes, self_check: bytes, checks: Sequence[bytes]) -> bytes:
    """Names a device's masked input and the masks on it, 32 bytes.

    The check values are part of it, so that an edge that shows an auditor its sum has to take off these very masks, and
    none that it made up afterwards.

    Args:
        masked: SHA-256 of the packed masked input, 32 bytes.
        self_check: check value of its own mask's seed.
        checks: check value of the seed with each neighbour that advertised, in the order of their indices.
    """
    return digest(b"masked input", masked, self_check, *checks)


def masked_input_message(domain: Domain, plan: CohortPlan, deposited: bytes, masked: bytes) -> TypedMessage:
    """The EIP-712 message that a device signs once a round, for the audit.

    Args:
        domain: EIP-712 domain of the run.
        plan: the attempt's plan.
        deposited: `deposited_hash` of the attempt.
        masked: `input_hash` of the masked input, 32 bytes.
    """
    return TypedMessage(
        domain,
        "MaskedInput",
        (
            ("plan", "bytes32", plan.context_hash),
            ("attempt", "uint32", plan.attempt),
            ("deposited", "bytes32", deposited),
            ("masked", "bytes32", masked),
        ),
    )
