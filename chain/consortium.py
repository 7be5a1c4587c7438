"""Client of `Consortium`: who takes part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chain.contract import Contract
from chain.errors import RecordError
from chain.packing import ids_of
from chain.phases import HospitalStatus
from chain.receipts import Receipt
from chain.records import AccountTenure, HospitalRecord
from chain.sender import Sender

Address = str | bytes

IDS = range(1, 1 << 16)
"""What can be a hospital's id."""


class ConsortiumClient(Contract):
    """Hospitals, their bonds, and the named roles. Writes raise as `Sender.send` does."""

    contract = "Consortium"

    def admit(self, sender: Sender, account: Address, capacity_bps: int) -> int:
        """Governance admits a hospital; returns its id."""
        receipt = self.transact(sender, "admit", account, capacity_bps)
        return int(self.event_in(receipt, "HospitalAdmitted").values["hospital"])

    def post_bond(self, sender: Sender) -> Receipt:
        """The admitted hospital posts its bond (approved beforehand) and becomes active."""
        return self.transact(sender, "postBond")

    def suspend(self, sender: Sender, hospital: int) -> Receipt:
        """Governance suspends a hospital."""
        return self.transact(sender, "suspend", hospital)

    def reinstate(self, sender: Sender, hospital: int) -> Receipt:
        """Governance lifts a suspension."""
        return self.transact(sender, "reinstate", hospital)

    def resign(self, sender: Sender) -> Receipt:
        """The hospital leaves for good; its bond is released later."""
        return self.transact(sender, "resign")

    def withdraw_bond(self, sender: Sender, hospital: int) -> Receipt:
        """Anyone sends a departed hospital its bond once it is released."""
        return self.transact(sender, "withdrawBond", hospital)

    def top_up_bond(self, sender: Sender) -> Receipt:
        """The hospital brings its slashed bond (what is missing approved beforehand) back to `bond_amount`."""
        return self.transact(sender, "topUpBond")

    def slash(self, sender: Sender, hospital: int, amount: int) -> int:
        """The dispute court takes from a hospital's bond; returns what was taken."""
        receipt = self.transact(sender, "slash", hospital, amount)
        return sum(int(event.values["amount"]) for event in self.events_in(receipt, "BondSlashed"))

    def propose_account(self, sender: Sender, account: Address | None) -> Receipt:
        """The hospital names its next account, which has to accept (None takes that back)."""
        return self.transact(sender, "proposeAccount", account)

    def accept_account(self, sender: Sender, hospital: int) -> Receipt:
        """The proposed account becomes the hospital's."""
        return self.transact(sender, "acceptAccount", hospital)

    def set_coordinator(self, sender: Sender, account: Address | None) -> Receipt:
        """Governance names the coordinator (None for none)."""
        return self.transact(sender, "setCoordinator", account)

    def set_guardian(self, sender: Sender, account: Address | None) -> Receipt:
        """Governance names the guardian (None for none)."""
        return self.transact(sender, "setGuardian", account)

    def set_dispute_court(self, sender: Sender, account: Address | None) -> Receipt:
        """Governance names the dispute court (None for none)."""
        return self.transact(sender, "setDisputeCourt", account)

    def set_slash_recipient(self, sender: Sender, account: Address) -> Receipt:
        """Governance fixes, once, where slashed bonds go."""
        return self.transact(sender, "setSlashRecipient", account)

    def coordinator(self) -> str:
        """Who opens rounds and publishes models."""
        return str(self.call("coordinator"))

    def guardian(self) -> str:
        """Who may pause claims."""
        return str(self.call("guardian"))

    def dispute_court(self) -> str:
        """Who may freeze, release and void entries, and slash bonds."""
        return str(self.call("disputeCourt"))

    def slash_recipient(self) -> str:
        """Where slashed bonds go; the zero address until it is fixed."""
        return str(self.call("slashRecipient"))

    def settlement(self) -> str:
        """The token in which bonds are posted."""
        return str(self.call("settlement"))

    def bond_amount(self) -> int:
        """The bond a hospital posts, in the settlement token's smallest unit."""
        return int(self.call("bondAmount"))

    def active_set(self) -> frozenset[int]:
        """Ids of the active hospitals."""
        return ids_of(int(self.call("activeSet")))

    def hospital_count(self) -> int:
        """Hospitals ever admitted; ids are 1..count."""
        return int(self.call("hospitalCount"))

    def hospital_id_of(self, account: Address) -> int:
        """The hospital that an account acts for; 0 for none."""
        return int(self.call("hospitalIdOf", account))

    def was_account_of(self, account: Address, timestamp: int) -> int:
        """The hospital that an account acted for at a time (unix seconds); 0 for none."""
        return int(self.call("wasAccountOf", account, timestamp))

    def tenure_of(self, account: Address) -> tuple[int, int, int]:
        """For which hospital an account acts or acted, from when, and until when (0 while it does)."""
        hospital, start, end = self.call("tenureOf", account)
        return int(hospital), int(start), int(end)

    def accounts_of(self, hospitals: Sequence[int]) -> dict[int, tuple[AccountTenure, ...]]:
        """Every account that acts or acted for each of these hospitals, in order, and when."""
        found = self.call_many([("accountsOf", [number]) for number in hospitals])
        accounts = dict(zip(hospitals, found, strict=True))
        every = [account for held in accounts.values() for account in held]
        tenures = dict(zip(every, self.call_many([("tenureOf", [a]) for a in every]), strict=True))
        return {
            hospital: tuple(
                AccountTenure(bytes.fromhex(a[2:]), int(tenures[a][1]), int(tenures[a][2]) or None)
                for a in held
            )
            for hospital, held in accounts.items()
        }

    def court_over(self, hospital: int) -> str:
        """Who may slash a hospital's bond: the court in office, or of one that left the court of that time."""
        return str(self.call("courtOver", hospital))

    def pending_account(self, hospital: int) -> str:
        """The account that a hospital proposed and that has not accepted; the zero address for none."""
        return str(self.call("pendingAccount", hospital))

    def hospital(self, hospital: int) -> HospitalRecord:
        """A hospital.

        Raises:
            RecordError: nobody was admitted under that id.
        """
        record = self._records([hospital])[0] if hospital in IDS else None
        if record is None or record.status is HospitalStatus.NONE:
            raise RecordError(f"there is no hospital {hospital}: ids are 1 to {self.hospital_count()}")
        return record

    def hospitals(self) -> tuple[HospitalRecord, ...]:
        """All hospitals, by id."""
        return self._records(range(1, self.hospital_count() + 1))

    def _records(self, ids: range | list[int]) -> tuple[HospitalRecord, ...]:
        views = self.call_many([("hospital", [number]) for number in ids])
        return tuple(hospital_record(number, view) for number, view in zip(ids, views, strict=True))


def hospital_record(number: int, view: dict[str, Any]) -> HospitalRecord:
    """A hospital from its view."""
    return HospitalRecord(
        id=number,
        account=view["account"],
        capacity_bps=view["capacity_bps"],
        status=HospitalStatus(view["status"]),
        bond=view["bond"],
        bond_release_at=view["bond_release_at"],
    )
