// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {ICashOut} from "../interfaces/ICashOut.sol";
import {IParticipationToken} from "../interfaces/IParticipationToken.sol";
import {IRedemptionDesk} from "../interfaces/IRedemptionDesk.sol";
import {PriceLevels} from "../libraries/PriceLevels.sol";
import {Deployed} from "./support/Deployed.sol";
import {CallingToken, FeeToken} from "./support/HostileTokens.sol";

/// @title CashOutTest
/// @notice Who is paid what out of the reserve, and what comes back.
contract CashOutTest is Deployed {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);

    function setUp() public {
        deployAll(1);
        open(consortium, settlement);
    }

    /// @dev A desk of this consortium, with sellers who hold tokens.
    function open(IConsortium consortium_, IERC20 settlement_) private {
        settlement = settlement_;
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(address(this), MAX_SUPPLY))
        );
        desk = deployDesk(token, consortium_);
        token.mint(ALICE, 1000 ether);
        token.mint(BOB, 1000 ether);
        settlement.approve(address(desk), type(uint256).max);
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(i == 0 ? ALICE : BOB);
            token.approve(address(desk), type(uint256).max);
        }
    }

    function openWith(IERC20 settlement_) private {
        IConsortium other = IConsortium(
            vm.deployCode(
                "Consortium.sol:Consortium", abi.encode(manager, settlement_, BOND, 30 * DAY, COORDINATOR, GUARDIAN)
            )
        );
        open(other, settlement_);
    }

    function sell(address who, uint256 amount, uint256 minOut) private returns (uint256) {
        vm.prank(who);
        return desk.requestCashOut(amount, minOut);
    }

    function endEpoch() private returns (uint64 epoch) {
        epoch = desk.currentCashOutEpoch();
        vm.warp(desk.cashOutEpochEnd(epoch));
    }

    function statusOf(uint256 id) private view returns (ICashOut.CashOutStatus) {
        return desk.cashOutRequest(id).status;
    }

    function test_a_full_reserve_pays_the_cap_and_burns() public {
        desk.fundReserve(100 ether);
        uint256 id = sell(ALICE, 10 ether, 20 ether);
        desk.settleCashOutEpoch(endEpoch());
        vm.prank(STRANGER);
        eq(desk.collectCashOut(id), 20 ether, "paid");
        eq(settlement.balanceOf(ALICE), 20 ether, "seller");
        eq(token.totalBurned(), 10 ether, "burned");
        eq(token.balanceOf(address(desk)), 0, "escrow");
        eq(desk.cashOutEscrow(), 0, "escrow on the books");
        eq(desk.cashOutReserve(), 80 ether, "reserve");
        eq(desk.cashOutOwed(), 0, "owed");
        isTrue(statusOf(id) == ICashOut.CashOutStatus.Paid, "status");
    }

    function test_a_short_reserve_is_shared_by_tokens_sold() public {
        desk.fundReserve(100);
        uint256 a = sell(ALICE, 100, 1);
        uint256 b = sell(BOB, 200, 1);
        endEpoch();
        eq(desk.collectCashOut(a), 33, "first");
        eq(desk.cashOutOwed(), 67, "the rest is owed");
        eq(desk.collectCashOut(b), 66, "second");
        eq(desk.cashOutReserve(), 1, "rounding stays");
        eq(desk.cashOutOwed(), 0, "nothing is owed");
    }

    function test_a_price_that_cannot_be_had_returns_the_tokens_and_costs_the_others_nothing() public {
        desk.fundReserve(100 ether);
        uint256 a = sell(ALICE, 100 ether, 50 ether);
        uint256 b = sell(BOB, 1000 ether, 2000 ether);
        endEpoch();
        eq(desk.collectCashOut(a), 100 ether, "as if alone");
        eq(desk.collectCashOut(b), 0, "unpaid");
        eq(token.balanceOf(BOB), 1000 ether, "returned");
        isTrue(statusOf(b) == ICashOut.CashOutStatus.Returned, "status");
        eq(token.totalBurned(), 100 ether, "burned");
    }

    function test_an_empty_reserve_returns_everything() public {
        uint256 id = sell(ALICE, 5 ether, 1);
        desk.settleCashOutEpoch(endEpoch());
        eq(desk.collectCashOut(id), 0, "paid");
        eq(token.balanceOf(ALICE), 1000 ether, "returned");
    }

    function test_a_request_is_taken_back_before_its_epoch_ends_by_the_requester_alone() public {
        uint256 id = sell(ALICE, 5 ether, 1);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.NotRequester.selector, ALICE, BOB));
        vm.prank(BOB);
        desk.cancelCashOut(id);
        vm.prank(ALICE);
        desk.cancelCashOut(id);
        eq(token.balanceOf(ALICE), 1000 ether, "returned");
        eq(desk.cashOutEscrow(), 0, "escrow");
        vm.expectRevert(abi.encodeWithSelector(ICashOut.RequestOver.selector, id));
        vm.prank(ALICE);
        desk.cancelCashOut(id);
        uint256 late = sell(ALICE, 5 ether, 1);
        uint64 epoch = endEpoch();
        vm.expectRevert(abi.encodeWithSelector(ICashOut.CashOutEpochOver.selector, epoch, vm.getBlockTimestamp()));
        vm.prank(ALICE);
        desk.cancelCashOut(late);
    }

    function test_funding_after_the_end_is_for_the_next_epoch() public {
        desk.fundReserve(10 ether);
        uint256 a = sell(ALICE, 100 ether, 1 ether);
        endEpoch();
        desk.fundReserve(90 ether);
        uint256 b = sell(BOB, 100 ether, 1 ether);
        endEpoch();
        eq(desk.collectCashOut(b), 90 ether, "second epoch");
        eq(desk.collectCashOut(a), 10 ether, "first epoch");
    }

    function test_epochs_are_settled_once_and_after_their_end() public {
        sell(ALICE, 1 ether, 1);
        uint64 epoch = desk.currentCashOutEpoch();
        uint64 end = desk.cashOutEpochEnd(epoch);
        bytes memory running = abi.encodeWithSelector(ICashOut.CashOutEpochRunning.selector, epoch, end);
        vm.expectRevert(running);
        desk.settleCashOutEpoch(epoch);
        vm.expectRevert(running);
        desk.collectCashOut(1);
        vm.warp(end + CASH_OUT_SECONDS);
        desk.settleCashOutEpoch(epoch);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.NothingToSettle.selector, epoch));
        desk.settleCashOutEpoch(epoch);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.NothingToSettle.selector, epoch + 1));
        desk.settleCashOutEpoch(epoch + 1);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.NothingToSettle.selector, 0));
        desk.settleCashOutEpoch(0);
    }

    function test_a_request_is_collected_once() public {
        uint256 id = sell(ALICE, 1 ether, 1);
        endEpoch();
        desk.collectCashOut(id);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.RequestOver.selector, id));
        desk.collectCashOut(id);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.UnknownRequest.selector, 9));
        desk.collectCashOut(9);
    }

    function test_amounts_are_checked() public {
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.InvalidCashOut.selector, 0));
        desk.requestCashOut(0, 1);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.InvalidCashOut.selector, 1 << 128));
        desk.requestCashOut(1 << 128, 1);
        vm.expectRevert(ICashOut.ZeroMinOut.selector);
        desk.requestCashOut(1 ether, 0);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.MinOutAboveCap.selector, 2 ether + 1, 2 ether));
        desk.requestCashOut(1 ether, 2 ether + 1);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(ICashOut.InvalidFunding.selector, 0));
        desk.fundReserve(0);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.InvalidFunding.selector, 1 << 128));
        desk.fundReserve(1 << 128);
    }

    function test_a_gift_counts_once_somebody_counts_it() public {
        vm.expectRevert(ICashOut.NoSurplus.selector);
        desk.countSurplus();
        settlement.transfer(address(desk), 7);
        eq(desk.cashOutReserve(), 0, "not yet");
        eq(desk.countSurplus(), 7, "counted");
        eq(desk.cashOutReserve(), 7, "reserve");
    }

    function test_a_desk_needs_a_cap_and_an_epoch_and_two_tokens() public {
        bytes memory why = abi.encodeWithSelector(ICashOut.InvalidPriceCap.selector, 0);
        vm.expectRevert(why);
        this.deploy(consortium, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(ICashOut.InvalidPriceCap.selector, 1 << 128));
        this.deploy(consortium, 1, 1 << 128);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DurationOutOfBounds.selector, 0, 1, 365 * DAY));
        this.deploy(consortium, 0, 1);
        IERC20 same = IERC20(address(token));
        IConsortium other = IConsortium(
            vm.deployCode("Consortium.sol:Consortium", abi.encode(manager, same, BOND, 30 * DAY, COORDINATOR, GUARDIAN))
        );
        vm.expectRevert(ICashOut.SettlementIsToken.selector);
        this.deploy(other, 1, 1);
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(address(this), uint256(1) << 128))
        );
        vm.expectRevert(abi.encodeWithSelector(ICashOut.SupplyTooLarge.selector, 1 << 128));
        this.deploy(consortium, 1, 1);
    }

    function deploy(IConsortium consortium_, uint64 epochSeconds, uint256 cap) external {
        vm.deployCode(
            "RedemptionDesk.sol:RedemptionDesk", abi.encode(token, consortium_, HOUR, HOUR, DAY, epochSeconds, cap)
        );
    }

    function test_a_settlement_token_that_charges_is_refused() public {
        FeeToken fee = new FeeToken();
        openWith(fee);
        fee.charge();
        vm.expectRevert(abi.encodeWithSelector(ICashOut.FundingNotExact.selector, 100, 99));
        desk.fundReserve(100);
    }

    function test_a_settlement_token_that_calls_back_gets_nowhere() public {
        CallingToken calling = new CallingToken();
        openWith(calling);
        desk.fundReserve(10 ether);
        uint256 a = sell(ALICE, 10 ether, 1 ether);
        uint256 b = sell(ALICE, 10 ether, 1 ether);
        endEpoch();
        calling.callBack(address(desk), abi.encodeCall(desk.collectCashOut, (b)));
        eq(desk.collectCashOut(a), 5 ether, "paid once");
        isTrue(!calling.reached() && calling.answer().length == 4, "refused");
        eq(settlement.balanceOf(ALICE), 5 ether, "seller");
        calling.callBack(address(desk), abi.encodeCall(desk.countSurplus, ()));
        desk.fundReserve(1 ether);
        isTrue(!calling.reached(), "refused");
        eq(desk.cashOutReserve(), 1 ether, "counted once");
    }

    function test_an_account_that_the_issuer_bars_waits_without_holding_up_others() public {
        CallingToken calling = new CallingToken();
        openWith(calling);
        desk.fundReserve(10 ether);
        uint256 a = sell(ALICE, 10 ether, 1 ether);
        uint256 b = sell(BOB, 10 ether, 1 ether);
        endEpoch();
        calling.blockAccount(ALICE, true);
        vm.expectRevert(abi.encodeWithSelector(CallingToken.Blocked.selector, ALICE));
        desk.collectCashOut(a);
        eq(desk.collectCashOut(b), 5 ether, "the other");
        calling.blockAccount(ALICE, false);
        eq(desk.collectCashOut(a), 5 ether, "later");
    }

    // Fuzz

    /// @dev The price is the one at which most is sold with nobody below its level, found here from the top down.
    function testFuzz_an_epoch_clears_at_the_lowest_price_that_all_sellers_accept(
        uint64[12] memory amounts,
        uint8[12] memory wishes,
        uint96 funded
    ) public {
        uint256 pool = within(funded, 1, 400 ether);
        desk.fundReserve(pool);
        uint256[64] memory asked;
        uint256 n = 0;
        for (uint256 i = 0; i < 12; ++i) {
            uint256 amount = within(amounts[i], 1, 20 ether);
            uint256 minOut = (PriceLevels.price(PRICE_CAP, wishes[i] % 64) * amount) / 1 ether;
            if (minOut == 0) continue;
            uint256 id = sell(i % 2 == 0 ? ALICE : BOB, amount, minOut);
            asked[desk.cashOutRequest(id).level] += amount;
            ++n;
        }
        uint64 epoch = endEpoch();
        if (n != 0) desk.settleCashOutEpoch(epoch);
        uint256 reach = 64;
        uint256 sold = 0;
        for (; reach > 0; --reach) {
            sold = 0;
            for (uint256 k = 0; k < reach; ++k) {
                sold += asked[k];
            }
            if (pool * 1 ether >= PriceLevels.price(PRICE_CAP, reach - 1) * sold) break;
        }
        if (reach == 0) sold = 0;
        uint256 paid = 0;
        uint256 burned = 0;
        for (uint256 id = 1; id <= n; ++id) {
            ICashOut.CashOutRequest memory r = desk.cashOutRequest(id);
            uint256 got = desk.collectCashOut(id);
            uint256 rated = PRICE_CAP * sold <= pool * 1 ether ? (PRICE_CAP * r.amount) / 1 ether : 0;
            if (rated == 0 && sold != 0) rated = (uint256(r.amount) * pool) / sold;
            eq(got, r.level < reach ? rated : 0, "pay");
            if (r.level < reach) burned += r.amount;
            paid += got;
        }
        atMost(paid, pool, "pay <= pool");
        eq(desk.cashOutReserve(), pool - paid, "rounding stays");
        eq(burned, sold, "what is paid is burned");
        eq(token.totalBurned(), burned, "burned");
        eq(token.balanceOf(address(desk)), 0, "the rest came back");
    }

    function test_a_request_at_the_marginal_level_pushes_out_who_asks_as_much_and_pays_the_cheaper_ones_more() public {
        desk.fundReserve(72 ether);
        uint256 a = sell(ALICE, 30 ether, 3 ether);
        uint256 b = sell(ALICE, 50 ether, 40 ether);
        uint256 snapshot = vm.snapshotState();
        endEpoch();
        eq(desk.collectCashOut(a), 27 ether, "72 for 80");
        eq(desk.collectCashOut(b), 45 ether, "both are paid");
        vm.revertToState(snapshot);
        uint256 g = sell(BOB, 3 ether, 2.5 ether); // 83 at 7/8 is more than 72
        endEpoch();
        eq(desk.collectCashOut(g), 0, "the blocker is not paid");
        eq(desk.collectCashOut(b), 0, "nor is who asks as much");
        eq(desk.collectCashOut(a), 60 ether, "the cheaper one is paid more");
    }

    /// forge-config: default.fuzz.runs = 1024
    function testFuzz_a_request_that_is_not_paid_harms_only_who_asks_as_much(uint96 funded, uint128 size, uint8 wish)
        public
    {
        desk.fundReserve(within(funded, 1, 100 ether));
        uint256 a = sell(ALICE, 30 ether, 3 ether);
        uint256 b = sell(ALICE, 50 ether, 40 ether);
        uint256 snapshot = vm.snapshotState();
        endEpoch();
        uint256[2] memory alone = [desk.collectCashOut(a), desk.collectCashOut(b)];
        vm.revertToState(snapshot);
        uint256 g = block_(within(size, 1 ether, 1000 ether), within(wish, 30, 63));
        uint256 reserve = desk.cashOutReserve();
        endEpoch();
        if (desk.collectCashOut(g) != 0) return;
        unharmed(a, g, alone[0], reserve);
        unharmed(b, g, alone[1], reserve);
    }

    function block_(uint256 amount, uint256 level) private returns (uint256) {
        return sell(BOB, amount, (PriceLevels.price(PRICE_CAP, level) * amount) / 1 ether);
    }

    /// @dev A request below an unpaid one's level is paid no less than without it; one at or above it is pushed out at most,
    /// which takes more tokens there than the reserve could pay that level's price.
    function unharmed(uint256 id, uint256 blocker, uint256 alone, uint256 reserve) private {
        uint256 paid = desk.collectCashOut(id);
        ICashOut.CashOutRequest memory g = desk.cashOutRequest(blocker);
        if (desk.cashOutRequest(id).level < g.level) {
            isTrue(paid >= alone, "below");
        } else if (paid != alone) {
            eq(paid, 0, "pushed out");
            isTrue(PriceLevels.price(PRICE_CAP, g.level) * (80 ether + g.amount) > reserve * 1 ether, "the bound");
        }
    }

    function testFuzz_a_level_is_the_lowest_that_earns_enough(uint96 cap, uint64 amount, uint256 minOut) public pure {
        uint256 price = within(cap, 1, type(uint96).max);
        uint256 tokens = within(amount, 1, type(uint64).max);
        uint256 most = (price * tokens) / 1 ether;
        if (most == 0) return;
        uint256 least = within(minOut, 1, most);
        uint256 level = PriceLevels.levelFor(price, tokens, least);
        atMost(level, 63, "there is one");
        isTrue(PriceLevels.price(price, level) * tokens >= least * 1 ether, "earns enough");
        isTrue(level == 0 || PriceLevels.price(price, level - 1) * tokens < least * 1 ether, "lowest");
    }
}
