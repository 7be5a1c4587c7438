// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IParticipationToken} from "../interfaces/IParticipationToken.sol";
import {IRedemptionDesk} from "../interfaces/IRedemptionDesk.sol";
import {Deployed} from "./support/Deployed.sol";

/// @title DeskTest
/// @notice Services, orders, and who has the escrow in the end.
contract DeskTest is Deployed {
    uint256 private constant KEY = 4242;
    uint256 private constant PRICE = 30;
    bytes32 private constant HASH = keccak256("content");
    address private buyer;
    uint32 private offer;

    function setUp() public {
        deployAll(2);
        buyer = vm.addr(KEY);
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(address(this), uint256(1000)))
        );
        desk = deployDesk(token, consortium);
        token.mint(buyer, 100);
        vm.prank(account(1));
        offer = desk.listService(HASH, "ipfs://service", PRICE, 2 * HOUR, 3 * HOUR);
    }

    function redeem() private returns (uint256 id) {
        vm.startPrank(buyer);
        token.approve(address(desk), PRICE);
        id = desk.redeem(offer, HASH);
        vm.stopPrank();
    }

    function fulfil(uint256 id) private {
        vm.prank(account(1));
        desk.fulfil(id, HASH);
    }

    function statusOf(uint256 id) private view returns (IRedemptionDesk.OrderStatus) {
        return desk.order(id).status;
    }

    function balances(uint256 buyers, uint256 desks, uint256 providers) private view {
        eq(token.balanceOf(buyer), buyers, "buyer");
        eq(token.balanceOf(address(desk)), desks, "desk");
        eq(token.balanceOf(account(1)), providers, "provider");
    }

    function test_redeem_fulfil_accept() public {
        uint256 id = redeem();
        balances(70, 30, 0);
        fulfil(id);
        vm.prank(buyer);
        desk.accept(id);
        balances(70, 0, 30);
        isTrue(statusOf(id) == IRedemptionDesk.OrderStatus.Paid, "paid");
        eq(desk.orderCount(), 1, "orders");
    }

    function test_a_silent_buyer_pays_after_its_window() public {
        uint256 id = redeem();
        fulfil(id);
        uint64 end = desk.order(id).deadline;
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DeadlineNotReached.selector, id, end));
        desk.settle(id);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DeadlinePassed.selector, id, end));
        vm.prank(buyer);
        desk.object(id, HASH);
        vm.prank(STRANGER);
        desk.settle(id);
        balances(70, 0, 30);
    }

    function test_an_order_not_fulfilled_in_time_comes_back() public {
        uint256 id = redeem();
        uint64 end = desk.order(id).deadline;
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DeadlineNotReached.selector, id, end));
        desk.refund(id);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DeadlinePassed.selector, id, end));
        fulfil(id);
        vm.prank(STRANGER);
        desk.refund(id);
        balances(100, 0, 0);
        isTrue(statusOf(id) == IRedemptionDesk.OrderStatus.Refunded, "refunded");
    }

    function test_an_objection_is_governance_s_to_decide() public {
        uint256 id = objected();
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, STRANGER));
        vm.prank(STRANGER);
        desk.resolve(id, true);
        desk.resolve(id, true);
        balances(100, 0, 0);
        id = objected();
        desk.resolve(id, false);
        balances(70, 0, 30);
    }

    function test_governance_s_silence_pays_the_provider() public {
        uint256 id = objected();
        uint64 end = desk.order(id).deadline;
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DeadlineNotReached.selector, id, end));
        desk.settle(id);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DeadlinePassed.selector, id, end));
        desk.resolve(id, true);
        desk.settle(id);
        balances(70, 0, 30);
    }

    function test_a_buyer_takes_an_objection_back() public {
        uint256 id = objected();
        vm.prank(buyer);
        desk.accept(id);
        balances(70, 0, 30);
    }

    function objected() private returns (uint256 id) {
        id = redeem();
        fulfil(id);
        vm.prank(buyer);
        desk.object(id, HASH);
    }

    function test_every_call_needs_its_status() public {
        uint256 id = redeem();
        bytes memory open =
            abi.encodeWithSelector(IRedemptionDesk.WrongStatus.selector, id, IRedemptionDesk.OrderStatus.Open);
        vm.expectRevert(open);
        desk.settle(id);
        vm.expectRevert(open);
        desk.accept(id);
        vm.expectRevert(open);
        desk.object(id, HASH);
        vm.expectRevert(open);
        desk.resolve(id, true);
        fulfil(id);
        bytes memory fulfilled =
            abi.encodeWithSelector(IRedemptionDesk.WrongStatus.selector, id, IRedemptionDesk.OrderStatus.Fulfilled);
        vm.expectRevert(fulfilled);
        desk.refund(id);
        vm.expectRevert(fulfilled);
        fulfil(id);
        vm.prank(buyer);
        desk.accept(id);
        bytes memory paid =
            abi.encodeWithSelector(IRedemptionDesk.WrongStatus.selector, id, IRedemptionDesk.OrderStatus.Paid);
        vm.expectRevert(paid);
        desk.accept(id);
        vm.expectRevert(paid);
        desk.settle(id);
        vm.expectRevert(paid);
        desk.refund(id);
        vm.expectRevert(
            abi.encodeWithSelector(IRedemptionDesk.WrongStatus.selector, 99, IRedemptionDesk.OrderStatus.None)
        );
        desk.refund(99);
    }

    function test_parties_do_their_own_part() public {
        uint256 id = redeem();
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.NotProvider.selector, 1, account(2)));
        vm.prank(account(2));
        desk.fulfil(id, HASH);
        vm.expectRevert(IRedemptionDesk.ZeroHash.selector);
        vm.prank(account(1));
        desk.fulfil(id, 0);
        fulfil(id);
        bytes memory why = abi.encodeWithSelector(IRedemptionDesk.NotBuyer.selector, buyer, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(why);
        desk.accept(id);
        vm.expectRevert(why);
        desk.object(id, HASH);
        vm.stopPrank();
        vm.expectRevert(IRedemptionDesk.ZeroHash.selector);
        vm.prank(buyer);
        desk.object(id, 0);
    }

    function test_the_provider_is_paid_at_its_present_account() public {
        uint256 id = redeem();
        move(1, account(1), STRANGER);
        vm.prank(STRANGER);
        desk.fulfil(id, HASH);
        consortium.suspend(1); // orders in flight go on
        vm.prank(buyer);
        desk.accept(id);
        eq(token.balanceOf(STRANGER), PRICE, "paid");
    }

    function test_services_are_listed_by_active_hospitals_within_bounds() public {
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.NotActiveHospital.selector, STRANGER));
        vm.prank(STRANGER);
        desk.listService(HASH, "", 1, HOUR, HOUR);
        vm.startPrank(account(2));
        vm.expectRevert(IRedemptionDesk.ZeroHash.selector);
        desk.listService(0, "", 1, HOUR, HOUR);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.InvalidPrice.selector, 0));
        desk.listService(HASH, "", 0, HOUR, HOUR);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.InvalidPrice.selector, 1 << 112));
        desk.listService(HASH, "", 1 << 112, HOUR, HOUR);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.DurationOutOfBounds.selector, HOUR - 1, HOUR, 365 * DAY));
        desk.listService(HASH, "", 1, HOUR - 1, HOUR);
        vm.expectRevert(
            abi.encodeWithSelector(IRedemptionDesk.DurationOutOfBounds.selector, 365 * DAY + 1, HOUR, 365 * DAY)
        );
        desk.listService(HASH, "", 1, HOUR, 365 * DAY + 1);
        eq(desk.listService(HASH, "", 1, HOUR, HOUR), 2, "id");
        eq(desk.service(2).provider, 2, "provider");
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.UnknownService.selector, 3));
        desk.service(3);
    }

    function test_retired_services_and_suspended_providers_take_no_orders() public {
        vm.prank(buyer);
        token.approve(address(desk), 100);
        consortium.suspend(1);
        bytes memory why = abi.encodeWithSelector(IRedemptionDesk.ServiceNotOffered.selector, offer);
        vm.expectRevert(why);
        vm.prank(buyer);
        desk.redeem(offer, HASH);
        consortium.reinstate(1);
        uint256 id = redeem();
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.NotProvider.selector, 1, STRANGER));
        vm.prank(STRANGER);
        desk.retireService(offer);
        vm.startPrank(account(1));
        desk.retireService(offer);
        vm.expectRevert(why);
        desk.retireService(offer);
        desk.fulfil(id, HASH); // orders in flight go on
        vm.stopPrank();
        vm.expectRevert(why);
        vm.prank(buyer);
        desk.redeem(offer, HASH);
    }

    function test_ordering_needs_the_price() public {
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(desk), 0, PRICE)
        );
        vm.prank(buyer);
        desk.redeem(offer, HASH);
        vm.expectRevert(IRedemptionDesk.ZeroHash.selector);
        vm.prank(buyer);
        desk.redeem(offer, 0);
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.UnknownService.selector, 9));
        desk.redeem(9, HASH);
    }

    function test_a_permit_pays_even_if_somebody_used_it_first() public {
        IRedemptionDesk.Permit memory permit = permitFor(0);
        vm.prank(buyer);
        desk.redeemWithPermit(offer, HASH, permit);
        balances(70, 30, 0);
        permit = permitFor(1);
        vm.prank(STRANGER);
        IERC20Permit(address(token)).permit(buyer, address(desk), PRICE, permit.deadline, permit.v, permit.r, permit.s);
        vm.prank(buyer);
        desk.redeemWithPermit(offer, HASH, permit);
        balances(40, 60, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(desk), 0, PRICE)
        );
        vm.prank(buyer);
        desk.redeemWithPermit(offer, HASH, permit);
    }

    function permitFor(uint256 nonce) private view returns (IRedemptionDesk.Permit memory permit) {
        bytes32 body = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                buyer,
                address(desk),
                PRICE,
                nonce,
                block.timestamp
            )
        );
        bytes32 domain = IERC20Permit(address(token)).DOMAIN_SEPARATOR();
        permit.deadline = block.timestamp;
        (permit.v, permit.r, permit.s) = vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", domain, body)));
    }

    /// @dev Whatever happens to orders, the desk holds the price of each that is not over.
    function testFuzz_the_desk_holds_what_is_in_escrow(uint8[12] memory moves) public {
        token.mint(buyer, 300);
        uint256[] memory ids = new uint256[](12);
        uint256 n = 0;
        for (uint256 i = 0; i < 12; ++i) {
            if (n == 0 || moves[i] % 5 == 0) ids[n++] = redeem();
            else move(ids[moves[i] % n], moves[i] / 16);
            uint256 escrow = 0;
            for (uint256 k = 0; k < n; ++k) {
                IRedemptionDesk.OrderStatus s = statusOf(ids[k]);
                if (s != IRedemptionDesk.OrderStatus.Paid && s != IRedemptionDesk.OrderStatus.Refunded) {
                    escrow += PRICE;
                }
            }
            eq(token.balanceOf(address(desk)), escrow, "escrow");
        }
    }

    function move(uint256 id, uint256 choice) private {
        IRedemptionDesk.Order memory o = desk.order(id);
        if (choice % 2 == 0 && o.deadline > vm.getBlockTimestamp()) vm.warp(o.deadline);
        bool over = vm.getBlockTimestamp() >= o.deadline;
        if (o.status == IRedemptionDesk.OrderStatus.Open) {
            if (over) desk.refund(id);
            else fulfil(id);
        } else if (o.status == IRedemptionDesk.OrderStatus.Fulfilled) {
            vm.prank(buyer);
            if (over) desk.settle(id);
            else if (choice % 3 == 0) desk.accept(id);
            else desk.object(id, HASH);
        } else if (o.status == IRedemptionDesk.OrderStatus.Objected) {
            if (over) desk.settle(id);
            else desk.resolve(id, choice % 3 == 0);
        }
    }
}
