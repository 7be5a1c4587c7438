"""A consortium on a chain: contracts deployed, hospitals admitted with a capacity, bonds posted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from web3 import Web3

from chain.connect import is_local
from chain.contracts import Contracts, open_contracts
from chain.deploy import DeployConfig, admit_hospital, deploy, fund_bond, post_bond
from chain.gas import GasLedger
from chain.governance import hand_over
from chain.keys import Key, fund
from chain.outbox import Outbox
from chain.sender import Sender
from scripts.console.errors import CommandError
from scripts.federation.chain_book import Signatories
from scripts.federation.keyring import Keyring


@dataclass(frozen=True)
class Consortium:
    """A deployment with the keys of a simulated consortium.

    Attributes:
        contracts: the deployment.
        keyring: who signs with which key.
        gas: gas used by everything that these keys send.
        outbox: where transactions are kept until they are settled, or None.
    """

    contracts: Contracts
    keyring: Keyring
    gas: GasLedger
    outbox: Outbox | None = None

    def sender(self, key: Key) -> Sender:
        """A sender for one of the keys."""
        return Sender(self.contracts.w3, key, gas=self.gas, outbox=self.outbox)

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
    progress: Callable[[str], None] = lambda _: None,
) -> Consortium:
    """Deploy the contracts, name the coordinator, admit hospitals, post their bonds, and hand over to their council.

    Args:
        w3: the node.
        keyring: the keys; on a local chain they are funded, elsewhere they need funds.
        config: terms of the deployment.
        capacities_bps: each hospital's capacity, in basis points of a round's budget.
        progress: told what is being done.
    """
    gas = GasLedger()
    operator = keyring.operator()
    hospitals = [keyring.hospital(h) for h in range(1, len(capacities_bps) + 1)]
    accounts = [operator.address, keyring.coordinator().address, *(key.address for key in hospitals)]
    if is_local(w3):
        fund(w3, accounts)
    progress("deploying the contracts")
    sender = Sender(w3, operator, gas=gas)
    contracts = open_contracts(w3, deploy(sender, config, coordinator=keyring.coordinator().address))
    for number, (key, capacity) in enumerate(zip(hospitals, capacities_bps, strict=True), start=1):
        progress(f"admitting hospital {number} with a capacity of {capacity / 100:g}%")
        found = admit_hospital(contracts, sender, key.address, capacity)
        if found != number:
            raise CommandError(
                f"hospital {number} got id {found}: deploy afresh with `fediomt deploy --fresh`"
            )
        fund_bond(contracts, sender, key.address)
        contracts.settlement.transfer(sender, key.address, contracts.court.challenge_bond())
        post_bond(contracts, Sender(w3, key, gas=gas))
    progress("handing over to the council of the hospitals")
    hand_over(contracts, sender)
    return Consortium(contracts=contracts, keyring=keyring, gas=gas)
