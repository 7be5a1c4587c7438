// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../../interfaces/IConsortium.sol";
import {ICouncil} from "../../interfaces/ICouncil.sol";
import {Councils} from "./Councils.sol";

/// @title Tally
/// @notice Counts the calls that governance makes.
contract Tally {
    mapping(uint256 mark => uint256) public made;

    function make(uint256 mark) external {
        ++made[mark];
    }
}

/// @title Assembly
/// @notice What the fuzzer may do to a council: proposals, votes given and taken back, queueing and executing early,
/// late and twice, suspensions, new accounts, time. It keeps books of its own of who backs what.
contract Assembly is Councils {
    uint16 public constant HOSPITALS = 5;

    Tally public immutable tally = new Tally();
    /// @notice How many calls were made that must not have been, or not made that must.
    uint256 public wrongs;
    uint256 public executed;
    uint256 public refused;

    mapping(uint256 proposal => mapping(uint16 hospital => bool)) private backs;
    mapping(uint256 proposal => mapping(uint16 hospital => bool)) private electorate;
    mapping(uint256 proposal => uint256) private electors;
    mapping(uint256 proposal => uint256) private queuedAt;
    mapping(uint256 proposal => uint256) private endsAt;
    mapping(uint256 proposal => bool) private gone;

    mapping(uint16 hospital => address) private accounts;
    uint160 private nextAccount = 0xACC0_0000;

    constructor() {
        for (uint16 id = 1; id <= HOSPITALS; ++id) {
            accounts[id] = address(++nextAccount);
        }
        found();
        joinAll(1, HOSPITALS);
        manager.grantRole(0, address(council), DELAY);
    }

    function account(uint16 id) internal view override returns (address) {
        return accounts[id];
    }

    // What may happen

    /// @notice Every third proposal makes the call of the one before.
    function proposal(uint8 who) external {
        uint16 by = pick(who);
        if (!isActive(by)) return;
        uint256 next = council.proposalCount() + 1;
        uint256 mark = next % 3 == 0 ? next - 1 : next;
        uint256 id = propose(by, address(tally), abi.encodeCall(Tally.make, (mark)));
        for (uint16 h = 1; h <= HOSPITALS; ++h) {
            if (!isActive(h)) continue;
            electorate[id][h] = true;
            ++electors[id];
        }
        backs[id][by] = true;
        endsAt[id] = vm.getBlockTimestamp() + VOTING;
    }

    function ballot(uint8 which, uint8 voters, bool support) external {
        uint256 id = recent(which);
        for (uint16 by = 1; by <= HOSPITALS; ++by) {
            if (id == 0 || (voters >> by) & 1 == 0) continue;
            bool allowed = isActive(by) && electorate[id][by] && backs[id][by] != support && alive(id)
                && (!support || vm.getBlockTimestamp() < endsAt[id]);
            vm.prank(account(by));
            try council.vote(id, support) {
                if (!allowed) ++wrongs;
                backs[id][by] = support;
            } catch {
                if (allowed) ++wrongs;
            }
        }
    }

    function queue(uint8 which) external {
        uint256 id = recent(which);
        if (id == 0) return;
        try council.queue(id) {
            if (!carried(id) || gone[id] || queuedAt[id] != 0) ++wrongs;
            queuedAt[id] = vm.getBlockTimestamp();
        } catch {
            ++refused;
        }
    }

    function execute(uint8 which) external {
        uint256 id = recent(which);
        if (id == 0) return;
        bool due = queuedAt[id] != 0 && vm.getBlockTimestamp() >= queuedAt[id] + DELAY
            && vm.getBlockTimestamp() < queuedAt[id] + DELAY + 7 * DAY;
        bool allowed = carried(id) && !gone[id] && due;
        try council.execute(id) {
            if (!allowed) ++wrongs;
            gone[id] = true;
            ++executed;
        } catch {
            if (allowed) ++wrongs;
            ++refused;
        }
    }

    function cancel(uint8 which, uint8 who) external {
        uint256 id = recent(which);
        if (id == 0) return;
        bool carriedNow = carried(id);
        vm.prank(account(pick(who)));
        try council.cancel(id) {
            if (carriedNow || gone[id]) ++wrongs;
            gone[id] = true;
        } catch {
            ++refused;
        }
    }

    function shake(uint8 what, uint8 who) external {
        uint16 id = pick(who);
        if (what % 4 == 0) {
            address from = accounts[id];
            accounts[id] = address(++nextAccount);
            move(id, from, accounts[id]);
        } else if (what % 4 == 1) {
            if (!isActive(id)) consortium.reinstate(id);
            else if (consortium.activeSet() != 1 << id) consortium.suspend(id);
        }
    }

    function wait(uint32 time) external {
        skip(time % (3 * DAY));
    }

    // What the invariants read

    /// @notice Calls made under the marks of all proposals, and proposals that were executed.
    function totals() external view returns (uint256 calls, uint256 proposals) {
        for (uint256 id = 1; id <= council.proposalCount(); ++id) {
            calls += tally.made(id);
            if (council.stateOf(id) == ICouncil.State.Executed) ++proposals;
        }
    }

    // Internals

    /// @dev Whether two thirds of those who were active when it was proposed back it and are active now.
    function carried(uint256 id) private view returns (bool) {
        uint256 votes = 0;
        for (uint16 h = 1; h <= HOSPITALS; ++h) {
            if (backs[id][h] && isActive(h)) ++votes;
        }
        return 3 * votes >= 2 * electors[id];
    }

    function alive(uint256 id) private view returns (bool) {
        if (gone[id]) return false;
        if (!carried(id)) return vm.getBlockTimestamp() < endsAt[id];
        uint256 until = queuedAt[id] != 0 ? queuedAt[id] + DELAY : endsAt[id];
        return vm.getBlockTimestamp() < until + 7 * DAY;
    }

    function isActive(uint16 id) private view returns (bool) {
        return consortium.hospital(id).status == IConsortium.Status.Active;
    }

    function pick(uint8 who) private pure returns (uint16) {
        return uint16(1 + who % HOSPITALS);
    }

    /// @dev One of the last four proposals; 0 if there is none.
    function recent(uint8 which) private view returns (uint256) {
        uint256 count = council.proposalCount();
        return count > which % 4 ? count - which % 4 : count;
    }
}
