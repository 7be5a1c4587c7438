// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {Governed} from "./support/Governed.sol";

/// @title AccountsTest
/// @notice Through which account a hospital acts: proposed by the old one, accepted by the new one, remembered for ever.
contract AccountsTest is Governed {
    address private constant NEXT = address(0x2E97);

    function setUp() public {
        found();
        joinAll(1, 3);
    }

    function test_a_hospital_moves_once_its_next_account_accepts() public {
        vm.prank(account(1));
        consortium.proposeAccount(NEXT);
        eq(consortium.pendingAccount(1), NEXT, "pending");
        eq(consortium.activeHospitalOf(account(1)), 1, "the present account still acts");
        eq(consortium.hospitalIdOf(NEXT), 0, "the next one does not yet");
        vm.prank(NEXT);
        consortium.acceptAccount(1);
        eq(consortium.hospital(1).account, NEXT, "account");
        eq(consortium.activeHospitalOf(NEXT), 1, "active");
        eq(consortium.hospitalIdOf(account(1)), 0, "the old account acts no more");
        eq(consortium.pendingAccount(1), address(0), "nothing is pending");
        address[] memory all = consortium.accountsOf(1);
        isTrue(all.length == 2 && all[0] == account(1) && all[1] == NEXT, "both are remembered");
        eq(consortium.activeSet(), 2 + 4 + 8, "set");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotHospital.selector, account(1)));
        vm.prank(account(1));
        consortium.proposeAccount(GUARDIAN);
    }

    function test_a_hospital_has_so_many_accounts_and_no_more() public {
        address present = account(1);
        for (uint256 n = 1; n < consortium.MAX_ACCOUNTS(); ++n) {
            address next = address(uint160(0xFACE_0000 + n));
            move(1, present, next);
            present = next;
        }
        vm.prank(present);
        consortium.proposeAccount(NEXT);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.TooManyAccounts.selector, 1));
        vm.prank(NEXT);
        consortium.acceptAccount(1);
        eq(consortium.hospital(1).account, present, "goes on with the last");
        eq(consortium.accountsOf(1).length, consortium.MAX_ACCOUNTS(), "all of them");
    }

    function test_a_wrong_address_locks_nobody_out() public {
        vm.startPrank(account(1));
        consortium.proposeAccount(address(0xDEAD));
        consortium.proposeAccount(NEXT);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotPendingAccount.selector, 1, address(0xDEAD)));
        vm.prank(address(0xDEAD));
        consortium.acceptAccount(1);
        vm.prank(account(1));
        consortium.proposeAccount(address(0));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotPendingAccount.selector, 1, NEXT));
        vm.prank(NEXT);
        consortium.acceptAccount(1);
        eq(consortium.hospital(1).account, account(1), "as before");
    }

    function test_nobody_takes_an_account_that_does_not_accept() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotPendingAccount.selector, 2, STRANGER));
        vm.prank(STRANGER);
        consortium.acceptAccount(2);
        vm.prank(account(1));
        consortium.proposeAccount(STRANGER);
        eq(consortium.admit(STRANGER, 100), 4, "the admission is not in the way of a proposal");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.AccountInUse.selector, STRANGER, 4));
        vm.prank(STRANGER);
        consortium.acceptAccount(1);
        eq(consortium.hospital(1).account, account(1), "as before");
    }

    function test_an_account_serves_one_hospital_once() public {
        move(1, account(1), NEXT);
        bytes memory taken = abi.encodeWithSelector(IConsortium.AccountInUse.selector, account(1), 1);
        vm.expectRevert(taken);
        vm.prank(NEXT);
        consortium.proposeAccount(account(1));
        vm.expectRevert(taken);
        consortium.admit(account(1), 100);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.AccountInUse.selector, account(3), 3));
        vm.prank(account(2));
        consortium.proposeAccount(account(3));
    }

    function test_who_an_account_acted_for_is_remembered_by_the_second() public {
        uint64 joined = uint64(vm.getBlockTimestamp());
        vm.warp(joined + 100);
        move(2, account(2), NEXT);
        vm.warp(joined + 200);
        eq(consortium.wasAccountOf(account(2), joined - 1), 0, "before it joined");
        eq(consortium.wasAccountOf(account(2), joined), 2, "from the second of joining");
        eq(consortium.wasAccountOf(account(2), joined + 100), 2, "to the second of the change");
        eq(consortium.wasAccountOf(account(2), joined + 101), 0, "not after it");
        eq(consortium.wasAccountOf(NEXT, joined + 99), 0, "the next one not before it");
        eq(consortium.wasAccountOf(NEXT, joined + 100), 2, "from the second of the change");
        eq(consortium.wasAccountOf(NEXT, type(uint64).max), 2, "for as long as it acts");
        eq(consortium.wasAccountOf(STRANGER, joined), 0, "a stranger never");
        (uint16 hospital, uint64 from, uint64 until) = consortium.tenureOf(account(2));
        eq(hospital, 2, "hospital");
        eq(from, joined, "from");
        eq(until, joined + 100, "until");
        (hospital, from, until) = consortium.tenureOf(NEXT);
        eq(hospital, 2, "hospital");
        eq(from, joined + 100, "from");
        eq(until, 0, "still");
        (hospital,,) = consortium.tenureOf(STRANGER);
        eq(hospital, 0, "none");
    }

    function test_a_suspended_hospital_stays_suspended_under_a_new_account() public {
        consortium.suspend(2);
        move(2, account(2), NEXT);
        eq(consortium.activeHospitalOf(NEXT), 0, "not active");
        consortium.reinstate(2);
        eq(consortium.activeHospitalOf(NEXT), 2, "active");
    }

    function test_an_admitted_hospital_may_move_before_it_posts_its_bond() public {
        consortium.admit(STRANGER, 100);
        move(4, STRANGER, NEXT);
        fundBond(NEXT);
        vm.prank(NEXT);
        consortium.postBond();
        eq(consortium.activeHospitalOf(NEXT), 4, "active");
    }

    /// @dev However hospitals move, an account acts for one hospital and a hospital through one account.
    function testFuzz_accounts_and_hospitals_stay_one_to_one(uint256 seed) public {
        address[4] memory now_;
        for (uint16 id = 1; id <= 3; ++id) {
            now_[id] = account(id);
        }
        for (uint160 i = 0; i < 12; ++i) {
            uint16 id = uint16(1 + uint256(keccak256(abi.encode(seed, i))) % 3);
            address next = address(0xACC0_0000 + i);
            move(id, now_[id], next);
            now_[id] = next;
        }
        for (uint16 id = 1; id <= 3; ++id) {
            eq(consortium.hospital(id).account, now_[id], "account");
            eq(consortium.activeHospitalOf(now_[id]), id, "hospital");
        }
        for (uint160 i = 0; i < 12; ++i) {
            address used = address(0xACC0_0000 + i);
            uint16 id = consortium.hospitalIdOf(used);
            isTrue(id == 0 || now_[id] == used, "only present accounts act");
        }
    }
}
