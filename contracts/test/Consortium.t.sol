// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {Governed} from "./support/Governed.sol";

/// @title ConsortiumTest
/// @notice Hospitals and roles; accounts and bonds have files of their own.
contract ConsortiumTest is Governed {
    function setUp() public {
        found();
        joinAll(1, 3);
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
        vm.expectRevert(refusal);
        consortium.setSlashRecipient(STRANGER);
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

    function test_the_last_active_hospital_is_not_suspended() public {
        consortium.suspend(1);
        consortium.suspend(3);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.LastActiveHospital.selector, 2));
        consortium.suspend(2);
        eq(consortium.activeSet(), 4, "somebody governs");
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

    function test_where_slashed_bonds_go_is_fixed_once() public {
        eq(consortium.slashRecipient(), address(0), "not yet");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.InvalidSlashRecipient.selector, address(0)));
        consortium.setSlashRecipient(address(0));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.InvalidSlashRecipient.selector, address(consortium)));
        consortium.setSlashRecipient(address(consortium));
        consortium.setSlashRecipient(STRANGER);
        eq(consortium.slashRecipient(), STRANGER, "fixed");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.SlashRecipientFixed.selector, STRANGER));
        consortium.setSlashRecipient(GUARDIAN);
    }

    function test_construction_is_checked() public {
        uint64 longest = 730 * DAY;
        vm.expectRevert(IConsortium.ZeroAddress.selector);
        this.construct(address(0), address(settlement), 1);
        vm.expectRevert(IConsortium.ZeroAddress.selector);
        this.construct(address(manager), address(0), 1);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.DurationOutOfBounds.selector, longest + 1, uint64(0), longest)
        );
        this.construct(address(manager), address(settlement), longest + 1);
        this.construct(address(manager), address(settlement), longest);
        this.construct(address(manager), address(settlement), 0);
        vm.chainId(1337);
        this.construct(address(manager), address(settlement), 0);
        vm.chainId(1);
        this.construct(address(manager), address(settlement), 1);
        vm.expectRevert(IConsortium.ZeroDuration.selector);
        this.construct(address(manager), address(settlement), 0);
    }

    function construct(address authority, address settlement_, uint64 exitSeconds) external {
        vm.deployCode(
            "Consortium.sol:Consortium", abi.encode(authority, settlement_, BOND, exitSeconds, COORDINATOR, GUARDIAN)
        );
    }
}
