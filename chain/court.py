"""Client of `DisputeCourt`: challenges, votes, proofs of faults, and random leaves that have to be opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.contract import Contract
from chain.errors import RecordError
from chain.packing import ids_of, pack_node
from chain.phases import CaseOutcome, EntryLane, Fault
from chain.receipts import Receipt
from chain.sender import Sender
from chain.shapes import LeafLike, NodeLike


@dataclass(frozen=True)
class CaseRecord:
    """A dispute about an entry; times in unix seconds."""

    id: int
    round: int
    hospital: int
    outcome: CaseOutcome
    deadline: int
    electors: frozenset[int]
    votes: frozenset[int]


@dataclass(frozen=True)
class ChallengeRecord:
    """A challenge, and whether its bond was paid out."""

    id: int
    case_id: int
    challenger: str
    settled: bool


@dataclass(frozen=True)
class DemandRecord:
    """A challenge that demands leaves; `beacon` is 32 zero bytes before the draw, `answered` the opened ones."""

    challenge_id: int
    case_id: int
    anchor_block: int
    beacon: bytes
    answered: frozenset[int]

    @property
    def drawn(self) -> bool:
        """Whether the leaves are drawn."""
        return any(self.beacon)


@dataclass(frozen=True)
class DrawnPoint:
    """A point that the draw picked: `place` is below the entry's total in the lane."""

    lane: EntryLane
    place: int


@dataclass(frozen=True)
class LeafProof:
    """A leaf of an entry as its hospital hashed it, where it lies, and the way to the root.

    Attributes:
        words: slot, class, payee, volume, quality, compute, salt, as numbers.
        slot: where it lies.
        lanes: its lanes in the tree.
        siblings: lowest first.
    """

    words: tuple[int, ...]
    slot: int
    lanes: int
    siblings: tuple[NodeLike, ...]


@dataclass(frozen=True)
class LeafOpening:
    """What shows that a leaf stands for a device that took part; fields as `IDisputeCourt.Opening` has them."""

    leaf: LeafLike
    siblings: Sequence[NodeLike]
    opener: bytes
    account: bytes
    mask_key: bytes
    channel_key: bytes
    position: int
    roster_path: Sequence[bytes]
    plan: bytes
    attempt: int
    deposited: bytes
    masked: bytes
    signature: bytes


class CourtClient(Contract):
    """Disputes about single entries. Writes raise as `Sender.send` does; hashes have 32 bytes."""

    contract = "DisputeCourt"

    def challenge(self, sender: Sender, round_number: int, hospital: int, evidence: bytes) -> ChallengeRecord:
        """Challenge an entry; the bond is taken out of the sender's allowance."""
        return self._challenged(self.transact(sender, "challenge", round_number, hospital, evidence))

    def demand(self, sender: Sender, round_number: int, hospital: int) -> ChallengeRecord:
        """Challenge an entry and demand that random leaves of it be opened; `draw` them next."""
        return self._challenged(self.transact(sender, "demand", round_number, hospital))

    def draw(self, sender: Sender, challenge_id: int) -> Receipt:
        """Anyone draws the leaves that a challenge demands, two blocks after it."""
        return self.transact(sender, "draw", challenge_id)

    def answer(self, sender: Sender, challenge_id: int, index: int, opening: LeafOpening) -> Receipt:
        """Anyone opens a drawn leaf."""
        plain = {
            **{name: getattr(opening, name) for name in LeafOpening.__dataclass_fields__},
            "siblings": [pack_node(node) for node in opening.siblings],
            "roster_path": list(opening.roster_path),
        }
        return self.transact(sender, "answer", challenge_id, index, plain)

    def vote(self, sender: Sender, case_id: int) -> Receipt:
        """An elector votes to void."""
        return self.transact(sender, "vote", case_id)

    def conclude(self, sender: Sender, case_id: int) -> CaseOutcome:
        """Anyone ends a case after its deadline."""
        receipt = self.transact(sender, "conclude", case_id)
        return CaseOutcome(self.event_in(receipt, "CaseEnded").values["outcome"])

    def settle(self, sender: Sender, challenge_id: int) -> Receipt:
        """Anyone has the bond of an ended challenge paid out."""
        return self.transact(sender, "settle", challenge_id)

    def prove_leaf(self, sender: Sender, round_number: int, hospital: int, proof: LeafProof) -> Fault:
        """Anyone proves a fault of a leaf; its hospital is slashed, and its entry void if claims are not open."""
        receipt = self.transact(sender, "proveLeaf", round_number, hospital, *_plain(proof))
        return Fault(self.event_in(receipt, "Convicted").values["fault"])

    def check_leaf(self, round_number: int, hospital: int, proof: LeafProof) -> Fault:
        """What `prove_leaf` would find, without sending anything.

        Raises:
            ContractError: NoFault, NotInTree and so on.
        """
        return Fault(self.call("proveLeaf", round_number, hospital, *_plain(proof)))

    def prove_receipt(
        self, sender: Sender, round_number: int, hospital: int, *, root: bytes, signature: bytes
    ) -> Receipt:
        """Anyone proves that a hospital signed receipts for another root than it submitted."""
        return self.transact(sender, "proveReceipt", round_number, hospital, root, signature)

    def prove_count(self, sender: Sender, round_number: int, hospital: int) -> Receipt:
        """Anyone proves that an entry has more devices than its hospital enrolled for the epoch."""
        return self.transact(sender, "proveCount", round_number, hospital)

    def case(self, case_id: int) -> CaseRecord:
        """A case.

        Raises:
            RecordError: there is no case of that id.
        """
        record = self._cases([case_id])[0]
        if record.outcome is CaseOutcome.NONE:
            raise RecordError(f"there is no case {case_id}: list them with `fediomt dispute list`")
        return record

    def cases(self) -> tuple[CaseRecord, ...]:
        """All cases, by id."""
        return self._cases(range(1, int(self.call("caseCount")) + 1))

    def challenges(self) -> tuple[ChallengeRecord, ...]:
        """All challenges, by id."""
        ids = range(1, int(self.call("challengeCount")) + 1)
        found = self.call_many([("challengeOf", [number]) for number in ids])
        return tuple(
            ChallengeRecord(number, int(case_id), challenger, settled)
            for number, (case_id, challenger, settled) in zip(ids, found, strict=True)
        )

    def open_case_of(self, round_number: int, hospital: int) -> int:
        """The open case about an entry; 0 without one."""
        return int(self.call("openCaseOf", round_number, hospital))

    def demands_in(self, case_id: int) -> tuple[DemandRecord, ...]:
        """The demands among a case's challenges, in order."""
        ids = [item.id for item in self.challenges() if item.case_id == case_id]
        views = self.call_many([("demandOf", [number]) for number in ids])
        return tuple(
            demand_record(number, view) for number, view in zip(ids, views, strict=True) if view["case_id"]
        )

    def evidence_of(self, challenge_id: int, *, from_block: int = 0) -> bytes:
        """What a challenge names its evidence by, 32 bytes; zeros where it names none.

        Raises:
            RecordError: there is no such challenge since that block.
        """
        for event in self.read_events("Challenged", from_block=from_block, indexed=[challenge_id]):
            return bytes(event.values["evidence_hash"])
        raise RecordError(f"there is no challenge {challenge_id} since block {from_block}")

    def point_of(self, challenge_id: int, index: int) -> DrawnPoint:
        """The point that a drawn leaf covers, and over what it was drawn."""
        lane, place = self.call("pointOf", challenge_id, index)
        return DrawnPoint(EntryLane(lane), int(place))

    def is_convicted(self, round_number: int, hospital: int) -> bool:
        """Whether a hospital was slashed over an entry."""
        return bool(self.call("isConvicted", round_number, hospital))

    def receipt_digest(self, round_number: int, hospital: int, root: bytes) -> bytes:
        """What a hospital signs for its receipts, 32 bytes."""
        return bytes(self.call("receiptDigest", round_number, hospital, root))

    def challenge_bond(self) -> int:
        """The bond of a challenge, in the settlement token's smallest unit."""
        return int(self.call("challengeBond"))

    def slash_amount(self) -> int:
        """What a proved fault takes from a hospital's bond."""
        return int(self.call("slashAmount"))

    def openings(self) -> int:
        """How many leaves a demand draws."""
        return int(self.call("openings"))

    def _challenged(self, receipt: Receipt) -> ChallengeRecord:
        values = self.event_in(receipt, "Challenged").values
        return ChallengeRecord(values["challenge_id"], values["case_id"], values["challenger"], False)

    def _cases(self, ids: range | list[int]) -> tuple[CaseRecord, ...]:
        views = self.call_many([("caseOf", [number]) for number in ids])
        return tuple(case_record(number, view) for number, view in zip(ids, views, strict=True))


def case_record(number: int, view: dict[str, Any]) -> CaseRecord:
    """A case from its view."""
    return CaseRecord(
        id=number,
        round=view["round"],
        hospital=view["hospital"],
        outcome=CaseOutcome(view["outcome"]),
        deadline=view["deadline"],
        electors=ids_of(view["electors"]),
        votes=ids_of(view["votes"]),
    )


def demand_record(challenge_id: int, view: dict[str, Any]) -> DemandRecord:
    """A demand from its view."""
    answered = frozenset(i for i in range(64) if view["answered"] >> i & 1)
    return DemandRecord(challenge_id, view["case_id"], view["anchor_block"], view["beacon"], answered)


def _plain(proof: LeafProof) -> tuple[object, ...]:
    return list(proof.words), proof.slot, proof.lanes, [pack_node(node) for node in proof.siblings]
