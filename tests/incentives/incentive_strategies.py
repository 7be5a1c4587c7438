"""Hypothesis strategies and small builders for the tests of the incentives."""

import hashlib

import numpy as np
from hypothesis import strategies as st

from incentives import (
    Contribution,
    EntryDomain,
    HospitalEntry,
    Lanes,
    Leaf,
    Node,
    RewardRule,
    build_entry,
    leaf_hash,
    leaf_lanes,
    parent,
    tree_width,
)

RULE = RewardRule(
    w_volume=3_000,
    w_quality=5_000,
    w_compute=2_000,
    device_gate=2_500,
    hospital_gate=2_000,
    share_volume=7_000,
    share_compute=3_000,
    operator_bps=1_000,
    volume_cap=(5_000, 6_500, 7_500, 10_000),
    compute_cap=(5_000, 6_500, 8_500, 10_000),
)
DOMAIN = EntryDomain(chain_id=31_337, ledger=bytes(range(20)), round=7, hospital=3)

score = st.integers(0, 10_000)


@st.composite
def rules(draw):
    """Any valid rule, extremes included."""
    first = draw(st.integers(0, 10_000))
    second = draw(st.integers(0, 10_000 - first))
    share = draw(score)
    caps = st.tuples(score, score, score, score)
    return RewardRule(
        w_volume=first,
        w_quality=second,
        w_compute=10_000 - first - second,
        device_gate=draw(score),
        hospital_gate=draw(score),
        share_volume=share,
        share_compute=10_000 - share,
        operator_bps=draw(st.integers(0, 2_000)),
        volume_cap=draw(caps),
        compute_cap=draw(caps),
    )


def make_salts(width: int, tag: str = "") -> list[bytes]:
    """Distinct salts that look random and are not."""
    return [hashlib.sha256(f"{tag}{k}".encode()).digest() for k in range(width)]


def address(number: int) -> bytes:
    return number.to_bytes(20, "big")


def random_contributions(devices: int, seed: int) -> list[Contribution]:
    """Contributions of any scores within the caps of RULE, half of them with a payee of their own."""
    rng = np.random.default_rng(seed)
    made = []
    for k, place in enumerate(rng.permutation(devices)):
        device_class = int(rng.integers(4))
        made.append(
            Contribution(
                device=address(k + 1),
                slot=2 * int(place),
                device_class=device_class,
                payee=address(10_000 + k) if rng.random() < 0.5 else None,
                volume=int(rng.integers(RULE.volume_cap[device_class] + 1)),
                quality=int(rng.integers(10_001)),
                compute=int(rng.integers(RULE.compute_cap[device_class] + 1)),
            )
        )
    return made


def random_entry(
    devices: int, seed: int, *, domain: EntryDomain = DOMAIN, quality_scored: bool = True
) -> HospitalEntry:
    return build_entry(
        domain,
        RULE,
        random_contributions(devices, seed),
        make_salts(tree_width(devices), str(seed)),
        quality_scored=quality_scored,
    )


def dishonest_tree(slot: int, depth: int) -> tuple[Leaf, tuple[Node, ...], Node]:
    """A leaf that says ``slot``, a path of ``depth`` steps, and a root that a hospital could submit."""
    leaf = Leaf(
        slot=slot,
        device_class=3,
        payee=address(9),
        volume=9_000,
        quality=9_000,
        compute=9_000,
        salt=make_salts(1)[0],
    )
    node = Node(leaf_hash(DOMAIN, leaf), leaf_lanes(RULE, leaf, quality_scored=True))
    siblings = tuple(Node(salt, Lanes(1, 2, 3, 4, 5)) for salt in make_salts(depth, "sibling"))
    for height, sibling in enumerate(siblings):
        node = parent(sibling, node) if slot >> height & 1 else parent(node, sibling)
    return leaf, siblings, node


def real_leaves(entry: HospitalEntry) -> list[Leaf]:
    return [entry.tree.leaves[slot] for slot in sorted(entry.tree.real_slots)]
