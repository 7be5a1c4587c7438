// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {Deployed} from "./support/Deployed.sol";

/// @title ConsortiumTest
/// @notice Hospitals, bonds, roles and the guardian's pause.
contract ConsortiumTest is Deployed {
    function setUp() public {
        deployAll(3);
    }

    function test_a_hospital_is_active_once_it_has_posted_its_bond() public {
        uint16 id = consortium.admit(STRANGER, 2500);
        eq(id, 4, "id");
        eq(consortium.activeHospitalOf(STRANGER), 0, "not active yet");
        eq(consortium.hospitalIdOf(STRANGER), 4, "known");
        settlement.transfer(STRANGER, BOND);
        vm.startPrank(STRANGER);
        settlement.approve(address(consortium), BOND);
        consortium.postBond();
        eq(consortium.activeHospitalOf(STRANGER), 4, "active");
        eq(consortium.activeSet(), 2 + 4 + 8 + 16, "set");
        eq(settlement.balanceOf(address(consortium)), 4 * BOND, "bonds");
        IConsortium.HospitalView memory h = consortium.hospital(4);
        eq(h.capacityBps, 2500, "capacity");
        eq(h.bond, BOND, "bond");
        eq((consortium.capacityWords()[0] >> 48) & 0xFFFF, 2500, "packed capacity");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 4, IConsortium.Status.Active));
        consortium.postBond();
    }

    function test_governance_alone_admits_and_suspends() public {
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        consortium.admit(STRANGER, 1);
        vm.expectRevert(refusal);
        consortium.suspend(1);
        vm.expectRevert(refusal);
        consortium.reinstate(1);
        vm.expectRevert(refusal);
        consortium.setCoordinator(STRANGER);
        vm.expectRevert(refusal);
        consortium.setGuardian(STRANGER);
        vm.expectRevert(refusal);
        consortium.setDisputeCourt(STRANGER);
    }

    function test_admission_is_checked() public {
        vm.expectRevert(IConsortium.ZeroAddress.selector);
        consortium.admit(address(0), 1);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.InvalidCapacity.selector, 0));
        consortium.admit(STRANGER, 0);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.InvalidCapacity.selector, 10_001));
        consortium.admit(STRANGER, 10_001);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.AccountInUse.selector, account(2), 2));
        consortium.admit(account(2), 1);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotHospital.selector, STRANGER));
        vm.prank(STRANGER);
        consortium.postBond();
    }

    function test_sixty_four_hospitals_at_most() public {
        for (uint16 id = 4; id <= 64; ++id) {
            eq(consortium.admit(account(id), id), id, "id");
        }
        vm.expectRevert(abi.encodeWithSelector(IConsortium.TooManyHospitals.selector, 64));
        consortium.admit(account(65), 1);
        uint256[4] memory words = consortium.capacityWords();
        for (uint256 id = 4; id <= 64; ++id) {
            eq((words[(id - 1) / 16] >> (16 * ((id - 1) % 16))) & 0xFFFF, id, "capacity");
        }
    }

    function test_suspension_and_reinstatement() public {
        consortium.suspend(2);
        eq(consortium.activeSet(), 2 + 8, "set");
        eq(consortium.activeHospitalOf(account(2)), 0, "not active");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 2, IConsortium.Status.Suspended));
        consortium.suspend(2);
        consortium.reinstate(2);
        eq(consortium.activeHospitalOf(account(2)), 2, "active");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 2, IConsortium.Status.Active));
        consortium.reinstate(2);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.UnknownHospital.selector, 9));
        consortium.suspend(9);
    }

    function test_a_suspended_hospital_stays_suspended_under_a_new_account() public {
        consortium.suspend(2);
        vm.prank(account(2));
        consortium.rotateAccount(STRANGER);
        eq(consortium.activeHospitalOf(STRANGER), 0, "not active");
        consortium.reinstate(2);
        eq(consortium.activeHospitalOf(STRANGER), 2, "active");
        eq(consortium.hospitalIdOf(account(2)), 0, "the old account is free");
    }

    function test_rotation_moves_the_hospital() public {
        vm.startPrank(account(1));
        vm.expectRevert(IConsortium.ZeroAddress.selector);
        consortium.rotateAccount(address(0));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.AccountInUse.selector, account(2), 2));
        consortium.rotateAccount(account(2));
        consortium.rotateAccount(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotHospital.selector, account(1)));
        consortium.rotateAccount(GUARDIAN);
        vm.stopPrank();
        eq(consortium.hospital(1).account, STRANGER, "account");
        eq(consortium.activeHospitalOf(STRANGER), 1, "active");
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
        vm.prank(account(3));
        consortium.resign();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 1, IConsortium.Status.Active));
        consortium.withdrawBond(1);
        vm.warp(releaseAt);
        consortium.withdrawBond(3);
        consortium.withdrawBond(3);
        eq(settlement.balanceOf(account(3)), BOND, "paid once");
        eq(settlement.balanceOf(address(consortium)), 2 * BOND, "the others' stay");
    }

    function test_the_guardian_pauses_for_seven_days_and_then_not_for_seven() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotGuardian.selector, STRANGER));
        vm.prank(STRANGER);
        consortium.pauseClaims();
        vm.startPrank(GUARDIAN);
        vm.expectRevert(IConsortium.NotPaused.selector);
        consortium.unpauseClaims();
        consortium.pauseClaims();
        isTrue(consortium.claimsPaused(), "paused");
        uint256 start = vm.getBlockTimestamp();
        uint64 again = uint64(start) + 14 * DAY;
        vm.warp(start + 7 * DAY - 1);
        isTrue(consortium.claimsPaused(), "still");
        vm.warp(start + 7 * DAY);
        isTrue(!consortium.claimsPaused(), "over");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.PauseCoolingDown.selector, again));
        consortium.pauseClaims();
        vm.warp(again);
        consortium.pauseClaims();
        vm.warp(again + DAY);
        consortium.unpauseClaims();
        isTrue(!consortium.claimsPaused(), "lifted");
        (, uint64 next) = consortium.pauseState();
        eq(next, again + 8 * DAY, "cool-down from the lifting on");
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotGuardian.selector, STRANGER));
        vm.prank(STRANGER);
        consortium.unpauseClaims();
    }

    function test_roles_are_set() public {
        consortium.setCoordinator(STRANGER);
        consortium.setGuardian(account(1));
        consortium.setDisputeCourt(address(0));
        eq(consortium.coordinator(), STRANGER, "coordinator");
        eq(consortium.guardian(), account(1), "guardian");
        eq(consortium.disputeCourt(), address(0), "court");
        (address coordinator, uint256 active, uint16 count) = consortium.roster();
        eq(coordinator, STRANGER, "coordinator");
        eq(active, 14, "set");
        eq(count, 3, "count");
    }

    function test_construction_is_checked() public {
        vm.expectRevert(IConsortium.ZeroAddress.selector);
        this.deployConsortium(address(0), address(settlement), 1);
        vm.expectRevert(IConsortium.ZeroAddress.selector);
        this.deployConsortium(address(manager), address(0), 1);
        vm.chainId(1);
        vm.expectRevert(IConsortium.ZeroDuration.selector);
        this.deployConsortium(address(manager), address(settlement), 0);
    }

    function deployConsortium(address authority, address settlement_, uint64 exitSeconds) external {
        vm.deployCode(
            "Consortium.sol:Consortium", abi.encode(authority, settlement_, BOND, exitSeconds, COORDINATOR, GUARDIAN)
        );
    }
}
