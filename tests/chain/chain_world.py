"""A small consortium on a real node, and a round played through the typed clients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from eth_utils.crypto import keccak
from web3 import Web3

from chain.clock import LocalClock
from chain.contracts import Contracts, open_contracts
from chain.deploy import DeployConfig, admit_hospital, deploy, fund_hospital, post_bond
from chain.gas import GasLedger
from chain.keys import Key, development_keys, fund
from chain.ledger import epoch_of
from chain.packing import pack_scores
from chain.records import Claim
from chain.sender import Sender
from incentives.default_rule import DEFAULT_RULE
from incentives.leaf import TREASURY, EntryDomain, Leaf
from incentives.sum_tree import SumTree, build_tree, tree_width

ETHER = 10**18
HOSPITALS = 4
DEVICES = 5
CAPACITY_BPS = 4_000


def digest(text: str) -> bytes:
    """32 bytes that stand for some document."""
    return keccak(text=text)


@dataclass
class World:
    """What a deployed consortium has: clients, and a sender for everybody."""

    w3: Web3
    contracts: Contracts
    governance: Sender
    hospitals: dict[int, Sender]
    clock: LocalClock
    gas: GasLedger
    devices: dict[int, list[Key]] = field(default_factory=dict)

    @property
    def ledger(self):
        return self.contracts.ledger

    def sender(self, key: Key) -> Sender:
        return Sender(self.w3, key, self.gas)

    def trees(self, number: int) -> dict[int, SumTree]:
        """A tree a hospital: even devices have a payee of their own, odd ones leave it to the treasury."""
        trees = {}
        for hospital, keys in self.devices.items():
            salts = [digest(f"salt {number} {hospital} {k}") for k in range(tree_width(len(keys)))]
            leaves = [
                Leaf(
                    slot=2 * k,
                    device_class=k % 4,
                    payee=key.address_bytes if k % 2 == 0 else TREASURY,
                    volume=3_000 + 10 * k,
                    quality=9_000,
                    compute=2_000 + hospital,
                    salt=salts[2 * k],
                )
                for k, key in enumerate(keys)
            ]
            domain = EntryDomain(
                chain_id=self.ledger.chain_id,
                ledger=bytes.fromhex(self.ledger.address[2:]),
                round=number,
                hospital=hospital,
            )
            trees[hospital] = build_tree(domain, DEFAULT_RULE, leaves, salts, quality_scored=True)
        return trees

    def claim(self, tree: SumTree, slot: int) -> Claim:
        return Claim(tree.domain.round, tree.domain.hospital, tree.leaves[slot], tree.proof(slot))


@dataclass
class Scores:
    """What a hospital commits to and reveals in a round."""

    packed: list[int]
    model_score: int
    utilities: bytes
    salt: bytes


def raise_world(w3: Web3, *, instant: bool = False, disclosed: bool = False) -> World:
    """A consortium whose devices have the chain's currency."""
    world = found_world(w3, instant=instant, disclosed=disclosed)
    fund(w3, [key.address for keys in world.devices.values() for key in keys], ETHER)
    return world


def found_world(w3: Web3, *, instant: bool = False, disclosed: bool = False) -> World:
    """Deploy, admit four hospitals, post their bonds: the same addresses and keys on every fresh chain."""
    gas = GasLedger()
    keys = development_keys(1 + HOSPITALS)
    governance = Sender(w3, keys[0], gas)
    config = replace(DeployConfig.local(DEFAULT_RULE, k_min=DEVICES), disclosed=disclosed)
    deployment = deploy(governance, config.instant() if instant else config)
    contracts = open_contracts(w3, deployment)
    hospitals = {}
    for key in keys[1:]:
        number = admit_hospital(contracts, governance, key.address, CAPACITY_BPS)
        hospitals[number] = Sender(w3, key, gas)
        fund_hospital(contracts, governance, key.address, contracts.consortium.bond_amount())
        post_bond(contracts, hospitals[number])
    devices = {number: [Key(digest(f"device {number} {k}")) for k in range(DEVICES)] for number in hospitals}
    return World(w3, contracts, governance, hospitals, LocalClock(w3), gas, devices)


def register(world: World, epoch: int = 0) -> None:
    for number, sender in world.hospitals.items():
        world.ledger.register_epoch(
            sender, epoch, digest(f"roster {number}"), DEVICES, digest(f"noise {number}")
        )


def open_round(world: World, number: int = 1, profile: int = 0) -> None:
    """Up to the ready phase."""
    if epoch_of(number) not in {epoch_of(n) for n in range(1, number)}:
        register(world, epoch_of(number))
    world.ledger.open_round(
        world.governance,
        number,
        profile=profile,
        spec_hash=digest("spec"),
        model_hash=digest(f"model {number - 1}"),
        rho_micro=0,
    )


def reach_training(world: World, number: int = 1) -> bytes:
    """Ready lists are in and the beacon is fixed."""
    for hospital, sender in world.hospitals.items():
        world.ledger.submit_ready(sender, number, digest(f"ready {number} {hospital}"))
    return world.ledger.await_beacon(world.governance, number, world.clock)


def scores_of(world: World, hospital: int) -> Scores:
    others = {other: 9_000 + 100 * other for other in world.hospitals if other != hospital}
    packed = pack_scores(others, len(world.hospitals))
    return Scores(packed, 8_000 + hospital, digest(f"utilities {hospital}"), digest(f"salt {hospital}"))


def commit(world: World, number: int, hospital: int, scores: Scores) -> None:
    commitment = world.ledger.commitment(
        number,
        hospital,
        scores.packed,
        model_score=scores.model_score,
        utilities_digest=scores.utilities,
        salt=scores.salt,
    )
    world.ledger.commit_quality(world.hospitals[hospital], number, commitment)


def reveal(world: World, number: int, hospital: int, scores: Scores) -> None:
    world.ledger.reveal_quality(
        world.hospitals[hospital],
        number,
        scores.packed,
        model_score=scores.model_score,
        utilities_digest=scores.utilities,
        salt=scores.salt,
    )


def reach_entry(world: World, number: int = 1) -> None:
    """Model published, scores committed and revealed."""
    world.ledger.publish_model(world.governance, number, digest(f"model {number}"))
    scores = {hospital: scores_of(world, hospital) for hospital in world.hospitals}
    for hospital in world.hospitals:
        commit(world, number, hospital, scores[hospital])
    for hospital in world.hospitals:
        reveal(world, number, hospital, scores[hospital])


def submit_entries(world: World, number: int = 1) -> dict[int, SumTree]:
    trees = world.trees(number)
    for hospital, tree in trees.items():
        world.ledger.submit_entry(
            world.hospitals[hospital], number, *tree.children, digest(f"bundle {hospital}")
        )
    return trees


def attest_and_close(world: World, number: int = 1) -> None:
    for sender in world.hospitals.values():
        world.ledger.attest(sender, number, digest(f"round {number}"))
    world.ledger.close_round(world.governance, number)


def play_round(world: World, number: int = 1) -> dict[int, SumTree]:
    """A whole round, up to the end of its challenge window."""
    open_round(world, number)
    reach_training(world, number)
    reach_entry(world, number)
    trees = submit_entries(world, number)
    attest_and_close(world, number)
    world.clock.wait_until(world.ledger.round(number).claimable_at)
    return trees
