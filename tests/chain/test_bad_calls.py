"""Everything that can be refused in a round is refused with one readable line that names what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_world import (
    ETHER,
    World,
    commit,
    digest,
    open_round,
    reach_entry,
    reach_training,
    reveal,
    scores_of,
    submit_entries,
)

from chain.contract_errors import (
    AccessManagedUnauthorized,
    AlreadyActed,
    AlreadyClaimed,
    BadConsent,
    BeaconNotReady,
    CommitmentMismatch,
    ConsentExpired,
    ContractError,
    DeadlineNotReached,
    EpochNotRegistered,
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    HospitalNotActive,
    InvalidProof,
    LeafAboveCap,
    NotClosed,
    NotCoordinator,
    NotHospital,
    NotHospitalAccount,
    NotPayee,
    NotRelayer,
    OddSlot,
    RoundNotConsented,
    RuleFieldTooLarge,
    SelfScored,
    TooFewDevices,
    TreasuryAlreadyClaimed,
    UnexpectedRound,
    UnknownHospital,
    UnknownService,
    WindowOpen,
    WrongPhase,
    WrongStatus,
)
from chain.errors import InsufficientFunds, OutOfGas, RecordError
from chain.keys import Key, fund
from chain.phases import Phase
from chain.records import Consent

pytestmark = pytest.mark.node


def one_line(error: BaseException) -> str:
    text = str(error)
    assert text
    assert "\n" not in text
    assert "Traceback" not in text
    assert "0x08c379a0" not in text
    return text


def test_claim_twice(closed):
    world, trees = closed
    distributor = world.contracts.distributor
    device = world.sender(world.devices[1][0])
    distributor.claim(device, [world.claim(trees[1], 0)])
    with pytest.raises(AlreadyClaimed) as refused:
        distributor.claim(device, [world.claim(trees[1], 0)])
    assert one_line(refused.value) == (
        "slot 0 of hospital 1 was paid for round 1 already: leave that round out (AlreadyClaimed)"
    )
    assert refused.value.values == {"round": 1, "hospital": 1, "slot": 0}
    assert refused.value.label == "RewardDistributor.claim"
    distributor.claim_treasury(world.hospitals[1], 1, [1])
    with pytest.raises(TreasuryAlreadyClaimed, match="leave that round out"):
        distributor.claim_treasury(world.hospitals[1], 1, [1])


def test_forged_proofs(closed):
    world, trees = closed
    distributor = world.contracts.distributor
    device = world.sender(world.devices[1][0])
    honest = world.claim(trees[1], 0)
    richer = replace(honest, leaf=replace(honest.leaf, volume=4_000))
    for forged in (
        richer,
        replace(honest, siblings=honest.siblings[::-1]),
        replace(honest, siblings=[*honest.siblings[:-1], trees[2].children[1]]),
        replace(honest, hospital=2),
        replace(honest, leaf=replace(honest.leaf, slot=2)),
    ):
        with pytest.raises(InvalidProof, match="does not prove against the entry") as refused:
            distributor.claim(device, [forged])
        one_line(refused.value)
    with pytest.raises(NotClosed, match="round 2 is not closed"):
        distributor.claim(device, [replace(honest, round=2)])
    with pytest.raises(OddSlot, match="claim a real leaf"):
        distributor.claim(device, [replace(honest, leaf=replace(honest.leaf, slot=1))])
    with pytest.raises(LeafAboveCap, match="report it"):
        distributor.claim(device, [replace(honest, leaf=replace(honest.leaf, volume=10_000))])
    with pytest.raises(ContractError, match="use the whole path"):
        distributor.claim(device, [replace(honest, siblings=[])])


def test_claims_of_others(closed):
    world, trees = closed
    distributor = world.contracts.distributor
    thief = world.sender(world.devices[1][2])
    with pytest.raises(NotPayee, match="with its consent"):
        distributor.claim(thief, [world.claim(trees[1], 0)])
    with pytest.raises(NotHospitalAccount, match="claim with the hospital's key"):
        distributor.claim_treasury(thief, 1, [1])


def test_consents_that_do_not_hold(closed):
    world, trees = closed
    distributor = world.contracts.distributor
    payee, relayer = world.devices[1][0], world.hospitals[2]
    claims = [world.claim(trees[1], 0)]
    now = world.clock.now()
    good = Consent(payee.address, relayer.address, 1, 1, now + 600)

    def refuse(consent: Consent, kind: type[ContractError], signer: Key = payee, sender=relayer) -> None:
        signature = distributor.sign_consent(signer, consent)
        with pytest.raises(kind) as refused:
            distributor.claim_for(sender, claims, consent, signature)
        one_line(refused.value)

    refuse(replace(good, deadline=now - 1), ConsentExpired)
    refuse(good, BadConsent, signer=Key.random())
    refuse(good, NotRelayer, sender=world.hospitals[3])
    refuse(replace(good, from_round=2, to_round=9), RoundNotConsented)


def test_claim_before_the_window_and_before_the_close(world: World):
    open_round(world)
    reach_training(world)
    reach_entry(world)
    trees = submit_entries(world)
    device = world.sender(world.devices[1][0])
    with pytest.raises(NotClosed):
        world.contracts.distributor.claim(device, [world.claim(trees[1], 0)])
    for sender in world.hospitals.values():
        world.ledger.attest(sender, 1, digest("round 1"))
    world.ledger.close_round(world.governance, 1)
    with pytest.raises(WindowOpen, match=r"can be claimed from \d{4}-\d\d-\d\d .* UTC"):
        world.contracts.distributor.claim(device, [world.claim(trees[1], 0)])


def test_strangers(world: World):
    open_round(world)
    stranger = world.sender(Key.random())
    fund(world.w3, [stranger.address], ETHER)
    with pytest.raises(NotHospital, match="admitted hospital's key"):
        world.ledger.submit_ready(stranger, 1, digest("ready"))
    reach_training(world)
    reach_entry(world)
    tree = world.trees(1)[1]
    with pytest.raises(NotHospital):
        world.ledger.submit_entry(stranger, 1, *tree.children, digest("bundle"))
    with pytest.raises(AccessManagedUnauthorized, match="governance has not given it the role"):
        world.contracts.consortium.admit(stranger, stranger.address, 100)
    with pytest.raises(ContractError, match="only the court"):
        world.ledger.freeze_entry(stranger, 1, 1)
    crooked = replace(world.ledger.rule(1), operator_bps=2_001)
    with pytest.raises(RuleFieldTooLarge, match="operator_bps is 2001: give at most 2000"):
        world.ledger.set_rule(world.governance, crooked)
    with pytest.raises(UnknownHospital):
        world.contracts.consortium.suspend(world.governance, 9)
    with pytest.raises(RecordError, match=r"there is no hospital 9: ids are 1 to 4"):
        world.contracts.consortium.hospital(9)


def test_reveal_that_does_not_match(world: World):
    open_round(world)
    reach_training(world)
    world.ledger.publish_model(world.governance, 1, digest("model 1"))
    scores = {hospital: scores_of(world, hospital) for hospital in world.hospitals}
    scores[3].packed = scores[1].packed  # that would score itself
    for hospital in world.hospitals:
        commit(world, 1, hospital, scores[hospital])
    with pytest.raises(CommitmentMismatch, match="reveal the same scores") as refused:
        reveal(world, 1, 1, replace(scores[1], model_score=9_999))
    assert one_line(refused.value).endswith("(CommitmentMismatch)")
    with pytest.raises(CommitmentMismatch):  # a copied commitment binds the copier
        reveal(world, 1, 2, scores[1])
    with pytest.raises(SelfScored, match="leave its own score out"):
        reveal(world, 1, 3, scores[3])


def test_phases_out_of_order(world: World):
    ledger = world.ledger
    with pytest.raises(UnexpectedRound, match="the next one is 1"):
        ledger.open_round(world.governance, 2, profile=0, spec_hash=digest("s"), model_hash=digest("m"))
    with pytest.raises(NotCoordinator):
        ledger.open_round(
            world.sender(world.devices[1][0]), 1, profile=0, spec_hash=digest("s"), model_hash=digest("m")
        )
    open_round(world)
    with pytest.raises(
        WrongPhase, match="is in its ready phase, this belongs to the commit phase"
    ) as refused:
        ledger.commit_quality(world.hospitals[1], 1, digest("early"))
    assert refused.value.values["actual"] == Phase.READY
    with pytest.raises(DeadlineNotReached, match="wait until then"):
        ledger.advance(world.governance, 1)
    ledger.submit_ready(world.hospitals[1], 1, digest("ready"))
    with pytest.raises(AlreadyActed, match="already acted in the ready phase"):
        ledger.submit_ready(world.hospitals[1], 1, digest("ready"))
    for hospital in (2, 3, 4):
        ledger.submit_ready(world.hospitals[hospital], 1, digest("ready"))
    with pytest.raises(BeaconNotReady, match="wait for that block"):
        ledger.fix_beacon(world.governance, 1)


def test_hospitals_that_may_not_act(world: World):
    ledger, consortium = world.ledger, world.contracts.consortium
    ledger.open_round(world.governance, 1, profile=0, spec_hash=digest("s"), model_hash=digest("m"))
    with pytest.raises(EpochNotRegistered, match="call registerEpoch first"):
        ledger.submit_ready(world.hospitals[1], 1, digest("ready"))
    consortium.suspend(world.governance, 1)
    with pytest.raises(HospitalNotActive):
        ledger.submit_ready(world.hospitals[1], 1, digest("ready"))
    with pytest.raises(WrongStatus, match="hospital 1 is suspended"):
        consortium.post_bond(world.hospitals[1])


def test_entry_of_too_few_devices(world: World):
    open_round(world)
    reach_training(world)
    reach_entry(world)
    few = replace(world, devices={1: world.devices[1][:2]})
    tree = few.trees(1)[1]
    with pytest.raises(TooFewDevices, match="more devices must take part"):
        world.ledger.submit_entry(world.hospitals[1], 1, *tree.children, digest("bundle"))


def test_money_that_is_not_there(closed):
    world, trees = closed
    token, desk = world.contracts.token, world.contracts.desk
    pauper = world.sender(world.devices[3][0])
    with pytest.raises(ERC20InsufficientBalance, match="holds 0, 1 are needed"):
        token.transfer(pauper, world.governance.address, ETHER)
    service = desk.list_service(
        world.hospitals[2],
        metadata_hash=digest("d"),
        uri="x:",
        price=ETHER,
        fulfil_seconds=3_600,
        buyer_seconds=600,
    )
    world.contracts.distributor.claim(pauper, [world.claim(trees[3], 0)])
    with pytest.raises(ERC20InsufficientAllowance, match="approve that amount first"):
        desk.redeem(pauper, service, digest("request"))
    with pytest.raises(WrongStatus, match="order 7 is none"):
        desk.settle(world.hospitals[2], 7)
    with pytest.raises(RecordError, match="there is no order 7"):
        desk.order(7)
    with pytest.raises(UnknownService, match="there is no service 7"):
        desk.service(7)


def test_out_of_gas(world: World):
    open_round(world)
    call = world.ledger.prepare("submitReady", 1, digest("ready"), gas=30_000)
    with pytest.raises(
        OutOfGas, match=r"ContributionLedger.submitReady ran out of gas at its limit of 30,000"
    ) as refused:
        world.hospitals[1].send(call)
    assert refused.value.transaction is not None
    one_line(refused.value)
    with pytest.raises(OutOfGas, match="intrinsic gas too low"):
        world.hospitals[1].send(replace(call, gas=20_000))
    with pytest.raises(OutOfGas, match="block's limit"):
        world.hospitals[1].send(replace(call, gas=10**9))
    world.hospitals[1].send(replace(call, gas=None))  # and the nonce is where it should be


def test_account_without_currency(world: World):
    poor = world.sender(Key.random())
    with pytest.raises(InsufficientFunds, match="fund it") as refused:
        poor.transfer(world.governance.address, 1)
    assert poor.address in one_line(refused.value)


def test_values_that_do_not_fit_are_named_before_anything_is_sent(world: World):
    ledger = world.ledger
    with pytest.raises(RecordError, match=r"rho_micro = -1 does not fit uint64"):
        ledger.open_round(
            world.governance, 1, profile=0, spec_hash=digest("s"), model_hash=digest("m"), rho_micro=-1
        )
    with pytest.raises(RecordError, match=r"digest = .* does not fit bytes32"):
        ledger.submit_ready(world.hospitals[1], 1, b"\1" * 33)
    with pytest.raises(RecordError, match=r"is not an address|does not fit address"):
        world.contracts.consortium.admit(world.governance, "0x12", 1)
