// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ICashOut} from "../../interfaces/ICashOut.sol";
import {IParticipationToken} from "../../interfaces/IParticipationToken.sol";
import {IRedemptionDesk} from "../../interfaces/IRedemptionDesk.sol";
import {Deployed} from "./Deployed.sol";

/// @title CashOutStory
/// @notice What the fuzzer may do at a desk: funding, gifts, requests, cancellations, settlements, collections, and orders of
/// services in between; with books kept of what ought to have happened.
contract CashOutStory is Deployed {
    uint256 private constant PRICE = 3 ether;

    /// @notice How often the desk did what it must not.
    uint256 public wrongs;
    /// @notice Settlement tokens that were given, and paid.
    uint256 public given;
    uint256 public paid;
    /// @notice How much of everything there was.
    uint256 public sales;
    uint256 public returns_;
    uint256 public served;

    uint256 private openOrders;
    uint256[] private orders;
    mapping(uint256 request => uint256) private leastOf;
    uint32 private offer;

    constructor() {
        deployAll(1);
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(address(this), MAX_SUPPLY))
        );
        desk = deployDesk(token, consortium);
        settlement.approve(address(desk), type(uint256).max);
        for (uint256 i = 0; i < 4; ++i) {
            token.mint(seller(i), 1000 ether);
            vm.prank(seller(i));
            token.approve(address(desk), type(uint256).max);
        }
        vm.prank(account(1));
        offer = desk.listService(keccak256("service"), "", PRICE, HOUR, HOUR);
    }

    function seller(uint256 i) private pure returns (address) {
        return address(uint160(0x5E11E5 + (i % 4)));
    }

    // What may happen

    function fund(uint256 amount) external {
        uint256 some = within(amount, 1, 50 ether);
        desk.fundReserve(some);
        given += some;
    }

    function give(uint256 amount, bool count) external {
        uint256 some = within(amount, 1, 5 ether);
        settlement.transfer(address(desk), some);
        given += some;
        if (count) desk.countSurplus();
    }

    function sell(uint256 who, uint256 amount, uint256 least) external {
        address by = seller(who);
        uint256 holds = token.balanceOf(by);
        if (holds == 0) return;
        uint256 some = within(amount, 1, holds);
        uint256 most = (some * PRICE_CAP) / 1 ether;
        if (most == 0) return;
        uint256 minOut = within(least, 1, least % 3 == 0 ? most : 1 + most / 1000);
        vm.prank(by);
        leastOf[desk.requestCashOut(some, minOut)] = minOut;
    }

    function cancel(uint256 which) external {
        (uint256 id, ICashOut.CashOutRequest memory r) = pick(which);
        if (r.status != ICashOut.CashOutStatus.Queued) return;
        bool over = vm.getBlockTimestamp() >= desk.cashOutEpochEnd(r.epoch);
        vm.prank(r.requester);
        try desk.cancelCashOut(id) {
            if (over) ++wrongs;
        } catch {
            if (!over) ++wrongs;
        }
    }

    function settle(uint64 back) external {
        uint64 current = desk.currentCashOutEpoch();
        uint64 epoch = current > back % 4 ? current - back % 4 : current;
        bool before = desk.cashOutEpoch(epoch).settled;
        try desk.settleCashOutEpoch(epoch) {
            if (before || epoch == current) ++wrongs;
        } catch {}
    }

    function collect(uint256 which) external {
        (uint256 id, ICashOut.CashOutRequest memory r) = pick(which);
        if (id == 0) return;
        uint256 held = settlement.balanceOf(r.requester);
        bool due = r.status == ICashOut.CashOutStatus.Queued && vm.getBlockTimestamp() >= desk.cashOutEpochEnd(r.epoch);
        try desk.collectCashOut(id) returns (uint256 out) {
            if (!due) ++wrongs;
            if (out == 0) ++returns_;
            else ++sales;
            if (out != 0 && out < leastOf[id]) ++wrongs;
            if (out > (r.amount * PRICE_CAP) / 1 ether) ++wrongs;
            if (settlement.balanceOf(r.requester) != held + out) ++wrongs;
            paid += out;
        } catch {
            if (due) ++wrongs;
        }
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + (time % CASH_OUT_SECONDS));
    }

    function order(uint256 who) external {
        address by = seller(who);
        if (token.balanceOf(by) < PRICE) return;
        vm.prank(by);
        orders.push(desk.redeem(offer, keccak256("request")));
        ++openOrders;
    }

    /// @notice An order goes one step further: delivered, accepted, objected to, decided on, settled or refunded.
    function handle(uint256 which, uint256 what) external {
        if (orders.length == 0) return;
        uint256 id = orders[which % orders.length];
        IRedemptionDesk.Order memory o = desk.order(id);
        bool over = vm.getBlockTimestamp() >= o.deadline;
        if (o.status == IRedemptionDesk.OrderStatus.Open) {
            if (over) return end(id, desk.refund);
            vm.prank(account(1));
            desk.fulfil(id, keccak256("delivered"));
        } else if (o.status == IRedemptionDesk.OrderStatus.Fulfilled) {
            if (over) return end(id, desk.settle);
            vm.prank(o.buyer);
            if (what % 2 == 0) return end(id, desk.accept);
            desk.object(id, keccak256("reason"));
        } else if (o.status == IRedemptionDesk.OrderStatus.Objected) {
            if (over) return end(id, desk.settle);
            desk.resolve(id, what % 2 == 0);
            --openOrders;
            ++served;
        }
    }

    function end(uint256 id, function(uint256) external how) private {
        how(id);
        --openOrders;
        ++served;
    }

    // What the invariants read

    function books() external view returns (uint256 balance, uint256 reserve, uint256 owed) {
        return (settlement.balanceOf(address(desk)), desk.cashOutReserve(), desk.cashOutOwed());
    }

    function escrow() external view returns (uint256 balance, uint256 requests, uint256 services) {
        return (token.balanceOf(address(desk)), desk.cashOutEscrow(), openOrders * PRICE);
    }

    /// @notice Sums over all epochs and requests.
    function sums() external view returns (uint256 unpaid, uint256 queued, uint256 dueAtMost) {
        for (uint64 epoch = 1; epoch <= desk.currentCashOutEpoch(); ++epoch) {
            unpaid += desk.cashOutEpoch(epoch).unpaid;
        }
        for (uint256 id = 1; id <= desk.cashOutCount(); ++id) {
            ICashOut.CashOutRequest memory r = desk.cashOutRequest(id);
            if (r.status != ICashOut.CashOutStatus.Queued) continue;
            queued += r.amount;
            ICashOut.CashOutEpoch memory e = desk.cashOutEpoch(r.epoch);
            if (e.settled && r.level < e.reach) dueAtMost += (uint256(r.amount) * e.payNumerator) / e.payDenominator;
        }
    }

    function pick(uint256 which) private view returns (uint256 id, ICashOut.CashOutRequest memory r) {
        uint256 count = desk.cashOutCount();
        if (count == 0) return (0, r);
        id = 1 + (which % count);
        r = desk.cashOutRequest(id);
    }
}
