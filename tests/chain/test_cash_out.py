"""Tokens sold to the desk's reserve through the typed client, on a real node."""

from __future__ import annotations

import pytest
from chain_world import ETHER

from chain.contract_errors import ContractError
from chain.errors import RecordError
from chain.phases import CashOutStatus

pytestmark = pytest.mark.node


@pytest.fixture
def market(closed):
    """The consortium after a round; hospitals 1 and 2 hold their treasury's tokens and let the desk have them."""
    world, _ = closed
    for number in (1, 2):
        sender = world.hospitals[number]
        world.contracts.distributor.claim_treasury(sender, number, [1])
        world.contracts.token.approve(sender, world.contracts.desk.address, 100 * ETHER)
    world.contracts.settlement.approve(world.governance, world.contracts.desk.address, 1_000 * ETHER)
    return world


def end_epoch(world) -> int:
    desk = world.contracts.desk
    epoch = desk.current_cash_out_epoch()
    world.clock.wait_until(desk.cash_out_epoch(epoch).ends_at)
    return epoch


def test_sellers_of_an_epoch_share_a_short_reserve_and_their_tokens_are_burnt(market):
    desk, token, settlement = market.contracts.desk, market.contracts.token, market.contracts.settlement
    desk.fund_reserve(market.governance, 10 * ETHER)
    requests = [
        desk.request_cash_out(market.hospitals[1], 10 * ETHER, ETHER),
        desk.request_cash_out(market.hospitals[2], 30 * ETHER, 3 * ETHER),
    ]
    assert [r.status for r in desk.cash_out_requests()] == [CashOutStatus.QUEUED] * 2
    assert desk.cash_out_escrow() == 40 * ETHER
    epoch = end_epoch(market)
    desk.settle_cash_out_epoch(market.governance, epoch)
    settled = desk.cash_out_epoch(epoch)
    assert [settled.pays(r) for r in desk.cash_out_requests()] == [25 * ETHER // 10, 75 * ETHER // 10]
    before = settlement.balance_of(market.hospitals[1].address)
    assert desk.collect_cash_out(market.governance, requests[0]) == 25 * ETHER // 10
    assert settlement.balance_of(market.hospitals[1].address) == before + 25 * ETHER // 10
    assert desk.cash_out_owed() == 75 * ETHER // 10
    assert desk.collect_cash_out(market.governance, requests[1]) == 75 * ETHER // 10
    assert (desk.cash_out_reserve(), desk.cash_out_owed(), desk.cash_out_escrow()) == (0, 0, 0)
    assert token.total_burned() == 40 * ETHER
    assert token.total_supply() == token.total_minted() - 40 * ETHER


def test_nobody_is_paid_more_than_the_cap(market):
    desk = market.contracts.desk
    desk.fund_reserve(market.governance, 500 * ETHER)
    request = desk.request_cash_out(market.hospitals[1], 10 * ETHER, 1)
    end_epoch(market)
    assert desk.collect_cash_out(market.governance, request) == 10 * desk.cash_out_price_cap()


def test_tokens_come_back_where_the_price_asked_for_is_not_reached(market):
    desk, token = market.contracts.desk, market.contracts.token
    seller = market.hospitals[1]
    held = token.balance_of(seller.address)
    desk.fund_reserve(market.governance, ETHER)
    request = desk.request_cash_out(seller, 10 * ETHER, 9 * ETHER)
    epoch = end_epoch(market)
    assert desk.collect_cash_out(seller, request) == 0
    assert desk.cash_out_epoch(epoch).pays(desk.cash_out_request(request)) == 0
    assert desk.cash_out_request(request).status is CashOutStatus.RETURNED
    assert token.balance_of(seller.address) == held


def test_a_request_is_taken_back(market):
    desk, seller = market.contracts.desk, market.hospitals[1]
    request = desk.request_cash_out(seller, ETHER, 1)
    desk.cancel_cash_out(seller, request)
    assert desk.cash_out_request(request).status is CashOutStatus.CANCELLED


def test_slashed_bonds_that_arrive_as_transfers_are_counted_by_anyone(market):
    desk = market.contracts.desk
    market.contracts.settlement.transfer(market.governance, desk.address, 7)
    assert desk.cash_out_reserve() == 0
    assert desk.count_surplus(market.hospitals[3]) == 7
    assert desk.cash_out_reserve() == 7


def test_refusals_say_what_to_do(market):
    desk, seller = market.contracts.desk, market.hospitals[1]
    with pytest.raises(ContractError, match="price cap pays"):
        desk.request_cash_out(seller, ETHER, 2 * ETHER)
    with pytest.raises(ContractError, match="least to be paid is zero"):
        desk.request_cash_out(seller, ETHER, 0)
    request = desk.request_cash_out(seller, ETHER, 1)
    with pytest.raises(ContractError, match=r"epoch \d+ runs until"):
        desk.collect_cash_out(seller, request)
    with pytest.raises(ContractError, match="send with that key"):
        desk.cancel_cash_out(market.hospitals[2], request)
    with pytest.raises(ContractError, match="no cash-out request 9"):
        desk.collect_cash_out(seller, 9)
    with pytest.raises(RecordError, match="no cash-out request 9"):
        desk.cash_out_request(9)
    with pytest.raises(ContractError, match="beyond its books"):
        desk.count_surplus(seller)
