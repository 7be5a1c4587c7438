"""Pure checks of what was recorded against what it should be; each lists all differences, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incentives.errors import IncentivesError
from incentives.hospital_entry import Contribution, Receipt
from incentives.leaf import TREASURY, Leaf, leaf_weight
from incentives.node import Lanes, Node, node_hash
from incentives.reward_rule import RewardRule, device_payout, treasury_payout
from incentives.round_records import RoundOutcome
from incentives.sum_tree import SumTree

_LEAF_FIELDS = ("device_class", "payee", "volume", "quality", "compute")
_LANE_FIELDS = ("n", "volume", "compute", "weight_treasury", "weight_device")


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what was recorded and what it should be.

    Attributes:
        check: the check that found it.
        subject: what differs, down to the field.
        expected: what it should be.
        found: what was recorded.
        hospital: the hospital whose own record differs, or None where it is nobody's alone.
    """

    check: str
    subject: str
    expected: str
    found: str
    hospital: int | None = None

    def __str__(self) -> str:
        return printable(f"{self.check}: {self.subject} should be {self.expected}, but is {self.found}")


def printable(text: str) -> str:
    r"""Text of others as a terminal may be given it: what would act there instead of show is escaped, as `\x1b` is."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEntry:
    """A hospital's entry as the chain has it: the submitted children, and the root and totals from them."""

    left: Node
    right: Node
    root: bytes
    lanes: Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAllocation:
    """What the chain says it allocated to a hospital."""

    quality: int
    share_e18: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedClose:
    """What the chain says of a round's closing; allocations by hospital, those of nothing may be left out."""

    paid: bool
    accepted_digest: bytes | None
    budget: int
    bonus: int
    total_volume: int
    total_compute: int
    allocations: Mapping[int, RecordedAllocation]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidClaim:
    """A leaf's claim as the chain paid it."""

    slot: int
    payee: bytes
    amount: int


def check_leaves(
    subject: str, contributions: Sequence[Contribution], leaves: Sequence[Leaf]
) -> list[Finding]:
    """Compare a hospital's recorded leaves, without dummies, with the recomputed contributions."""
    expected = {item.slot: item.leaf(bytes(32)) for item in contributions}
    findings = _Findings("leaves")
    recorded: dict[int, Leaf] = {}
    for leaf in leaves:
        if leaf.slot in recorded:
            findings.differ(f"{subject}, slot {leaf.slot}", "one leaf", "two")
        recorded[leaf.slot] = leaf
    for slot in sorted(expected.keys() | recorded.keys()):
        where = f"{subject}, slot {slot}"
        if slot not in recorded:
            findings.differ(where, "a leaf", "none")
        elif slot not in expected:
            findings.differ(where, "no leaf", "one")
        else:
            for name in _LEAF_FIELDS:
                findings.equal(
                    f"{where}, {name}", getattr(expected[slot], name), getattr(recorded[slot], name)
                )
    return findings.found


def check_class_caps(subject: str, rule: RewardRule, leaves: Sequence[Leaf]) -> list[Finding]:
    """Hold leaves against the caps of their class; the contract does so only for leaves that name a payee."""
    findings = _Findings("class caps")
    for leaf in leaves:
        for name, value, caps in (
            ("volume", leaf.volume, rule.volume_cap),
            ("compute", leaf.compute, rule.compute_cap),
        ):
            cap = caps[leaf.device_class]
            if value > cap:
                findings.differ(f"{subject}, slot {leaf.slot}, {name}", f"at most {cap}", str(value))
    return findings.found


def check_entry(subject: str, tree: SumTree, recorded: RecordedEntry) -> list[Finding]:
    """Compare a recorded entry with itself (root from children) and with the tree over its leaves."""
    findings = _Findings("entry")
    findings.equal(
        f"{subject}, root of the children", node_hash(recorded.left, recorded.right), recorded.root
    )
    try:
        totals = recorded.left.lanes + recorded.right.lanes
        _lanes(findings, f"{subject}, totals of the children", totals, recorded.lanes)
    except IncentivesError as problem:
        findings.differ(f"{subject}, totals of the children", "sums that fit", str(problem))
    left, right = tree.children
    for side, expected, found in (("left", left, recorded.left), ("right", right, recorded.right)):
        _lanes(findings, f"{subject}, {side} child", expected.lanes, found.lanes)
        findings.equal(f"{subject}, {side} child, hash", expected.hash, found.hash)
    return findings.found


def check_receipt(receipt: Receipt, rule: RewardRule, root: bytes, *, quality_scored: bool) -> list[Finding]:
    """Check a device's receipt against the root on chain."""
    findings = _Findings("receipt")
    where = f"receipt of 0x{receipt.device.hex()} for round {receipt.domain.round}"
    findings.equal(f"{where}, root", root, receipt.root.hash)
    if not receipt.holds(rule, quality_scored=quality_scored):
        findings.differ(f"{where}, proof", "a path to the root", "another one")
    return findings.found + check_class_caps(where, rule, [receipt.leaf])


def check_close(subject: str, outcome: RoundOutcome, recorded: RecordedClose) -> list[Finding]:
    """Compare a recorded closing with the one recomputed by :func:`incentives.round_close.close_round`."""
    findings = _Findings("close")
    for name in ("paid", "accepted_digest", "bonus", "budget", "total_volume", "total_compute"):
        findings.equal(f"{subject}, {name}", getattr(outcome, name), getattr(recorded, name))
    expected = {item.hospital: item for item in outcome.hospitals}
    for hospital in sorted(expected.keys() | recorded.allocations.keys()):
        where = f"{subject}, hospital {hospital}"
        mine, theirs = expected.get(hospital), recorded.allocations.get(hospital)
        if mine is None or theirs is None:
            mine_amount = mine.amount if mine else 0
            theirs_amount = theirs.amount if theirs else 0
            findings.equal(f"{where}, amount", mine_amount, theirs_amount)
            continue
        for name in ("quality", "share_e18", "amount"):
            findings.equal(f"{where}, {name}", getattr(mine, name), getattr(theirs, name))
    return findings.found


def check_payouts(
    subject: str,
    rule: RewardRule,
    tree: SumTree,
    allocation: int,
    *,
    quality_scored: bool,
    claims: Sequence[PaidClaim],
    treasury_claims: Sequence[int] = (),
) -> list[Finding]:
    """Compare what was paid out of a hospital's entry with what its leaves are due.

    Args:
        subject: how findings call the entry.
        rule: the round's frozen rule.
        tree: the tree of the entry.
        allocation: what the round allocated to it (18 decimals).
        quality_scored: whether the round's profile scores device quality.
        claims: paid leaves.
        treasury_claims: amounts paid to the treasury; one at most.
    """
    findings = _Findings("payouts")
    lanes = tree.root.lanes
    seen: set[int] = set()
    for claim in claims:
        where = f"{subject}, slot {claim.slot}"
        if claim.slot in seen:
            findings.differ(where, "one claim", "another one")
        seen.add(claim.slot)
        if claim.slot not in tree.real_slots:
            findings.differ(where, "no claim", f"{claim.amount} paid")
            continue
        leaf = tree.leaves[claim.slot]
        if leaf.payee == TREASURY:
            findings.differ(f"{where}, payee", "the treasury", f"0x{claim.payee.hex()}")
            continue
        findings.equal(f"{where}, payee", leaf.payee, claim.payee)
        due = device_payout(
            allocation,
            operator_bps=rule.operator_bps,
            device_weight=leaf_weight(rule, leaf, quality_scored=quality_scored),
            weight_treasury=lanes.weight_treasury,
            weight_device=lanes.weight_device,
        )
        findings.equal(f"{where}, amount", due, claim.amount)
    due = treasury_payout(
        allocation,
        operator_bps=rule.operator_bps,
        weight_treasury=lanes.weight_treasury,
        weight_device=lanes.weight_device,
    )
    for count, amount in enumerate(treasury_claims):
        if count:
            findings.differ(f"{subject}, treasury", "one claim", "another one")
        findings.equal(f"{subject}, treasury, amount", due, amount)
    paid = sum(claim.amount for claim in claims) + sum(treasury_claims)
    if paid > allocation:
        findings.differ(f"{subject}, sum of claims", f"at most {allocation}", str(paid))
    return findings.found


class _Findings:
    """Collects the differences that one check finds."""

    def __init__(self, check: str) -> None:
        self.check = check
        self.found: list[Finding] = []

    def differ(self, subject: str, expected: str, found: str) -> None:
        self.found.append(Finding(self.check, subject, expected, found))

    def equal(self, subject: str, expected: object, found: object) -> None:
        if expected != found:
            self.differ(subject, _shown(expected), _shown(found))


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _lanes(findings: _Findings, subject: str, expected: Lanes, found: Lanes) -> None:
    for name in _LANE_FIELDS:
        findings.equal(f"{subject}, {name}", getattr(expected, name), getattr(found, name))
