// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {Governed} from "./support/Governed.sol";
import {CallingToken, FeeToken} from "./support/HostileTokens.sol";

/// @title BondsTest
/// @notice What a hospital has at stake: posted whole, slashed by the court alone, topped up, released on leaving.
contract BondsTest is Governed {
    address private constant RESERVE = address(0x2E5E);

    function setUp() public {
        found();
        joinAll(1, 3);
        consortium.setDisputeCourt(COURT);
    }

    function slash(uint16 id, uint256 amount) private returns (uint256) {
        vm.prank(COURT);
        return consortium.slash(id, amount);
    }

    function test_a_slashed_hospital_is_out_until_it_tops_up() public {
        consortium.setSlashRecipient(RESERVE);
        eq(slash(2, 2 ether), 2 ether, "slashed");
        eq(settlement.balanceOf(RESERVE), 2 ether, "to the reserve");
        eq(settlement.balanceOf(address(consortium)), 3 * BOND - 2 ether, "the rest stays");
        eq(consortium.hospital(2).bond, 3 ether, "bond");
        eq(consortium.activeHospitalOf(account(2)), 0, "out");
        eq(consortium.activeSet(), 2 + 8, "set");
        isTrue(consortium.hospital(2).status == IConsortium.Status.BondDue, "bond due");

        settlement.transfer(account(2), 2 ether);
        vm.startPrank(account(2));
        settlement.approve(address(consortium), 2 ether);
        consortium.topUpBond();
        eq(consortium.hospital(2).bond, BOND, "whole");
        eq(consortium.activeHospitalOf(account(2)), 2, "back");
        eq(consortium.activeSet(), 2 + 4 + 8, "set");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.BondComplete.selector, 2));
        consortium.topUpBond();
    }

    function test_the_court_alone_slashes_and_not_before_the_recipient_is_fixed() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotDisputeCourt.selector, address(this)));
        consortium.slash(1, 1);
        vm.prank(COURT);
        vm.expectRevert(IConsortium.NoSlashRecipient.selector);
        consortium.slash(1, 1);
        consortium.setSlashRecipient(RESERVE);
        vm.prank(COURT);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.UnknownHospital.selector, 9));
        consortium.slash(9, 1);
    }

    function test_no_more_is_slashed_than_there_is() public {
        consortium.setSlashRecipient(RESERVE);
        eq(slash(1, 0), 0, "nothing");
        eq(consortium.activeHospitalOf(account(1)), 1, "nothing taken, nothing due");
        eq(slash(1, 4 ether), 4 ether, "most of it");
        eq(slash(1, 4 ether), 1 ether, "the rest");
        eq(slash(1, 4 ether), 0, "nothing is left");
        consortium.admit(STRANGER, 1);
        eq(slash(4, 1), 0, "no bond, nothing to slash");
        isTrue(consortium.hospital(4).status == IConsortium.Status.Admitted, "still admitted");
        eq(settlement.balanceOf(RESERVE), BOND, "one bond");
        eq(settlement.balanceOf(address(consortium)), 2 * BOND, "the others' are whole");
    }

    function test_topping_up_does_not_end_a_suspension_by_vote() public {
        consortium.setSlashRecipient(RESERVE);
        slash(2, 1 ether);
        consortium.suspend(2); // a hospital whose bond is due can be suspended too
        vm.expectRevert(abi.encodeWithSelector(IConsortium.BondShort.selector, 2, 1 ether));
        consortium.reinstate(2);
        fundBond(account(2));
        vm.prank(account(2));
        consortium.topUpBond();
        eq(consortium.activeHospitalOf(account(2)), 0, "still suspended");
        eq(settlement.balanceOf(account(2)), BOND - 1 ether, "only what was missing was taken");
        consortium.reinstate(2);
        eq(consortium.activeHospitalOf(account(2)), 2, "back");
    }

    function test_only_hospitals_with_a_bond_top_up() public {
        consortium.admit(STRANGER, 1);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 4, IConsortium.Status.Admitted));
        vm.prank(STRANGER);
        consortium.topUpBond();
        vm.startPrank(account(1));
        consortium.resign();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 1, IConsortium.Status.Left));
        consortium.topUpBond();
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotHospital.selector, GUARDIAN));
        vm.prank(GUARDIAN);
        consortium.topUpBond();
    }

    function test_a_departed_hospital_is_slashed_until_it_has_taken_its_bond() public {
        consortium.setSlashRecipient(RESERVE);
        vm.prank(account(3));
        consortium.resign();
        eq(slash(3, 1 ether), 1 ether, "slashed");
        isTrue(consortium.hospital(3).status == IConsortium.Status.Left, "leaving is final");
        vm.warp(vm.getBlockTimestamp() + 30 * DAY);
        consortium.withdrawBond(3);
        eq(settlement.balanceOf(account(3)), 4 ether, "the rest is returned");
        eq(slash(3, 1 ether), 0, "nothing is left");
    }

    function test_a_bond_is_released_some_time_after_resigning() public {
        vm.prank(account(3));
        consortium.resign();
        eq(consortium.activeSet(), 2 + 4, "set");
        uint64 releaseAt = uint64(block.timestamp) + 30 * DAY;
        vm.expectRevert(abi.encodeWithSelector(IConsortium.BondLocked.selector, 3, releaseAt));
        consortium.withdrawBond(3);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 3, IConsortium.Status.Left));
        consortium.reinstate(3);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 3, IConsortium.Status.Left));
        consortium.suspend(3);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 3, IConsortium.Status.Left));
        vm.prank(account(3));
        consortium.resign();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 1, IConsortium.Status.Active));
        consortium.withdrawBond(1);
        vm.warp(releaseAt);
        consortium.withdrawBond(3);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoBond.selector, 3));
        consortium.withdrawBond(3);
        eq(settlement.balanceOf(account(3)), BOND, "paid once");
        eq(settlement.balanceOf(address(consortium)), 2 * BOND, "the others' stay");
    }

    function test_a_token_that_charges_on_transfer_is_refused() public {
        FeeToken fee = new FeeToken();
        IConsortium other = deployConsortium(fee);
        address hospital = account(1);
        other.admit(hospital, 1);
        fee.transfer(hospital, 2 * BOND);
        fee.charge();
        vm.startPrank(hospital);
        fee.approve(address(other), 2 * BOND);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.TransferNotExact.selector, BOND, (BOND * 99) / 100));
        other.postBond();
    }

    function test_two_hospitals_cannot_post_in_one_another() public {
        CallingToken calling = new CallingToken();
        IConsortium other = deployConsortium(calling);
        address[2] memory both = [account(1), address(calling)];
        for (uint256 i = 0; i < 2; ++i) {
            other.admit(both[i], 1);
            calling.transfer(both[i], BOND);
            vm.prank(both[i]);
            calling.approve(address(other), BOND);
        }
        calling.callBack(address(other), abi.encodeCall(IConsortium.postBond, ()));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.TransferNotExact.selector, BOND, 2 * BOND));
        vm.prank(both[0]);
        other.postBond();
        calling.callBack(address(0), "");
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(both[i]);
            other.postBond();
        }
        eq(other.activeSet(), 2 + 4, "one after the other they can");
    }

    /// @dev Whatever is slashed and topped up, the contract holds the bonds on its books, and the reserve the rest.
    function testFuzz_bonds_on_the_books_are_there(uint256 seed) public {
        consortium.setSlashRecipient(RESERVE);
        uint256 slashed = 0;
        for (uint256 i = 0; i < 16; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            uint16 id = uint16(1 + random % 3);
            if (random & (1 << 100) == 0) {
                slashed += slash(id, (random >> 128) % (2 * BOND));
            } else if (consortium.hospital(id).status == IConsortium.Status.BondDue) {
                fundBond(account(id));
                vm.prank(account(id));
                consortium.topUpBond();
            }
        }
        uint256 booked = 0;
        for (uint16 id = 1; id <= 3; ++id) {
            IConsortium.HospitalView memory h = consortium.hospital(id);
            booked += h.bond;
            eq(consortium.activeHospitalOf(account(id)), h.bond == BOND ? id : 0, "active with a whole bond only");
        }
        eq(settlement.balanceOf(address(consortium)), booked, "bonds");
        eq(settlement.balanceOf(RESERVE), slashed, "reserve");
    }
}
