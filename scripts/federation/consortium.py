"""A consortium on a chain: contracts deployed, hospitals admitted with a capacity, bonds posted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from web3 import Web3

from chain.begun import begin, end, terms_digest
from chain.connect import is_local
from chain.contracts import Contracts, open_contracts
from chain.deploy import DeployConfig, admit_hospital, deploy, fund_hospital, post_bond
from chain.deployments import Deployment, load_deployment
from chain.errors import Miswired, NotDeployed
from chain.gas import GasLedger
from chain.governance import hand_over
from chain.keys import Key, fund
from chain.outbox import Outbox
from chain.phases import HospitalStatus
from chain.sender import Sender
from chain.unsettled import finish
from scripts.federation.chain_book import Signatories
from scripts.federation.keyring import Keyring
from scripts.federation.signing_journal import SIGNED_FOLDER


@dataclass(frozen=True)
class Consortium:
    """A deployment with the keys of a simulated consortium.

    Attributes:
        contracts: the deployment.
        keyring: who signs with which key.
        gas: gas used by everything that these keys send.
        outbox: where transactions are kept until they are settled, or None.
        signed: folder where hospitals note in which rounds they have signed, or None for one beside each run.
    """

    contracts: Contracts
    keyring: Keyring
    gas: GasLedger
    outbox: Outbox | None = None
    signed: Path | None = None

    def sender(self, key: Key) -> Sender:
        """A sender for one of the keys."""
        return Sender(self.contracts.w3, key, gas=self.gas, outbox=self.outbox)

    def signed_beside(self, run: Path) -> Path:
        """Where the hospitals of a run, of which this is the folder, note what they have signed."""
        return run.parent / SIGNED_FOLDER if self.signed is None else self.signed

    def signatories(self, hospitals: int) -> Signatories:
        """The coordinator's and the hospitals' senders."""
        return Signatories(
            coordinator=self.sender(self.keyring.coordinator()),
            hospitals={h: self.sender(self.keyring.hospital(h)) for h in range(1, hospitals + 1)},
        )


def found_consortium(
    w3: Web3,
    keyring: Keyring,
    config: DeployConfig,
    *,
    capacities_bps: list[int],
    outbox: Outbox | None = None,
    records: Path | None = None,
    signed: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Consortium:
    """Deploy the contracts, name the coordinator, admit hospitals, post their bonds, and hand over to their council.

    Every step asks first whether it is done: with an outbox and a folder, a call that was killed is gone on with by an
    equal one.

    Args:
        w3: the node.
        keyring: the keys; on a local chain they are funded, elsewhere they need funds.
        config: terms of the deployment.
        capacities_bps: each hospital's capacity, in basis points of a round's budget.
        outbox: where transactions are kept until they are settled.
        records: where the deployment is recorded, once it is whole.
        signed: folder where hospitals note in which rounds they have signed.
        progress: told what is being done.
    """
    operator, coordinator = keyring.operator(), keyring.coordinator()
    hospitals = [keyring.hospital(h) for h in range(1, len(capacities_bps) + 1)]
    if is_local(w3):
        fund(w3, [key.address for key in (operator, coordinator, *hospitals)])
    progress("deploying the contracts")
    if outbox is not None:
        finish(w3, outbox)
    gas = GasLedger()
    sender = Sender(w3, operator, gas=gas, outbox=outbox)
    terms = terms_digest(
        config.as_json(), coordinator.address, [key.address for key in hospitals], capacities_bps
    )
    begun = None if records is None else begin(records, sender, terms, recorded=_recorded(records, w3))
    try:
        deployment = deploy(sender, config, coordinator=coordinator.address, begun=begun)
        consortium = Consortium(open_contracts(w3, deployment), keyring, gas, outbox, signed)
        _check_admitted(consortium.contracts, [key.address for key in hospitals], capacities_bps)
    except Miswired:
        if begun is not None and records is not None:
            end(records, begun)  # nothing can come of it
        raise
    for number, (key, capacity) in enumerate(zip(hospitals, capacities_bps, strict=True), start=1):
        progress(f"admitting hospital {number} with a capacity of {capacity / 100:g}%")
        _bring_in(consortium, sender, key, number, capacity)
    progress("handing over to the council of the hospitals")
    hand_over(consortium.contracts, sender)
    if begun is not None and records is not None:
        deployment.save(records)
        end(records, begun)
    return consortium


def _check_admitted(contracts: Contracts, accounts: list[str], capacities_bps: list[int]) -> None:
    """Make sure that who is admitted so far is who the terms say, and that the others still can be.

    Raises:
        Miswired: another program, with other hospitals in mind, goes on with the same contracts or has.
    """
    found = [(hospital.account, hospital.capacity_bps) for hospital in contracts.consortium.hospitals()]
    wanted = list(zip(accounts, capacities_bps, strict=True))
    governed = contracts.council.execution_delay() is not None
    if found != (wanted if governed else wanted[: len(found)]):
        raise Miswired(
            f"the consortium at {contracts.consortium.address} has other hospitals than these terms: another program "
            "sent with the deployer's key meanwhile, deploy again"
        )


def _bring_in(consortium: Consortium, governance: Sender, key: Key, number: int, capacity_bps: int) -> None:
    """Admit a hospital and have it post its bond, as far as that is not done; it can pay for a challenge then."""
    contracts = consortium.contracts
    found = contracts.consortium.hospital_id_of(key.address)
    if not found:
        admit_hospital(contracts, governance, key.address, capacity_bps)
    active = contracts.consortium.hospital(number).status is HospitalStatus.ACTIVE
    bond = 0 if active else contracts.consortium.bond_amount()
    fund_hospital(contracts, governance, key.address, bond + contracts.court.challenge_bond())
    if not active:
        post_bond(contracts, consortium.sender(key))


def _recorded(records: Path, w3: Web3) -> Deployment | None:
    try:
        return load_deployment(records, w3)
    except NotDeployed:
        return None
