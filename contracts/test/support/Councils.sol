// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ICouncil} from "../../interfaces/ICouncil.sol";
import {IConsortium} from "../../interfaces/IConsortium.sol";
import {Governed} from "./Governed.sol";

/// @title Councils
/// @notice Proposals taken as far as a test wants, with hospitals that vote.
abstract contract Councils is Governed {
    address internal constant NEWCOMER = address(0x2E3C);
    ICouncil.State internal constant OPEN = ICouncil.State.Open;
    ICouncil.State internal constant PASSED = ICouncil.State.Passed;
    ICouncil.State internal constant QUEUED = ICouncil.State.Queued;
    ICouncil.State internal constant EXECUTED = ICouncil.State.Executed;
    ICouncil.State internal constant REJECTED = ICouncil.State.Rejected;
    ICouncil.State internal constant EXPIRED = ICouncil.State.Expired;
    ICouncil.State internal constant CANCELLED = ICouncil.State.Cancelled;

    /// @dev Four hospitals and a council with a delay; this contract keeps its own role to shake things.
    function foundCouncil() internal {
        found();
        joinAll(1, 4);
        manager.grantRole(0, address(council), DELAY);
    }

    /// @dev An admission with three votes of four.
    function passed() internal returns (uint256 id) {
        id = proposeAdmission(1);
        voteAll(id, 2, 3);
    }

    function queued() internal returns (uint256 id) {
        id = passed();
        council.queue(id);
    }

    function propose(uint16 by, address target, bytes memory data) internal returns (uint256 id) {
        vm.prank(account(by));
        return council.propose(target, data);
    }

    function proposeAdmission(uint16 by) internal returns (uint256) {
        return propose(by, address(consortium), abi.encodeCall(IConsortium.admit, (NEWCOMER, 2500)));
    }

    function vote(uint256 id, uint16 by, bool support) internal {
        vm.prank(account(by));
        council.vote(id, support);
    }

    function voteAll(uint256 id, uint16 first, uint16 last) internal {
        for (uint16 by = first; by <= last; ++by) {
            vote(id, by, true);
        }
    }

    function isState(uint256 id, ICouncil.State state, string memory what) internal view {
        eq(uint256(council.stateOf(id)), uint256(state), what);
    }

    function wrongState(uint256 id, ICouncil.State state) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ICouncil.WrongState.selector, id, state);
    }

    function operationOf(uint256 id) internal view returns (bytes32) {
        ICouncil.ProposalView memory v = council.proposal(id);
        return manager.hashOperation(address(council), v.target, v.data);
    }

    function skip(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
    }
}
