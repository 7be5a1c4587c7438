// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../../interfaces/IConsortium.sol";
import {ICouncil} from "../../interfaces/ICouncil.sol";
import {Check} from "./Check.sol";

/// @title Governed
/// @notice A consortium, its manager and its council, deployed from their artifacts, and hospitals that are active.
/// @dev This contract is governance (the manager's admin) until a test hands over; `vm` makes it anybody else.
abstract contract Governed is Check {
    uint256 internal constant BOND = 5 ether;
    uint64 internal constant HOUR = 3600;
    uint64 internal constant DAY = 86_400;
    uint64 internal constant VOTING = 7 * DAY;
    uint32 internal constant DELAY = 2 days;
    address internal constant COORDINATOR = address(0xC00D);
    address internal constant GUARDIAN = address(0x6A4D);
    address internal constant COURT = address(0xC0047);
    address internal constant STRANGER = address(0x57A4);

    AccessManager internal manager;
    IERC20 internal settlement;
    IConsortium internal consortium;
    ICouncil internal council;

    /// @dev Contracts without hospitals; the council has no role yet.
    function found() internal {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        manager = new AccessManager(address(this));
        settlement = IERC20(
            vm.deployCode("LocalSettlementToken.sol:LocalSettlementToken", abi.encode(uint256(1_000_000 ether)))
        );
        consortium = deployConsortium(settlement);
        council = ICouncil(vm.deployCode("Council.sol:Council", abi.encode(consortium, VOTING)));
    }

    function deployConsortium(IERC20 settlement_) internal returns (IConsortium) {
        return IConsortium(
            vm.deployCode(
                "Consortium.sol:Consortium", abi.encode(manager, settlement_, BOND, 30 * DAY, COORDINATOR, GUARDIAN)
            )
        );
    }

    /// @dev Hospitals with the accounts `account(first)` to `account(last)`.
    function joinAll(uint16 first, uint16 last) internal {
        for (uint16 id = first; id <= last; ++id) {
            join(account(id), 10_000);
        }
    }

    function join(address account_, uint16 capacityBps) internal returns (uint16 id) {
        id = consortium.admit(account_, capacityBps);
        fundBond(account_);
        vm.prank(account_);
        consortium.postBond();
    }

    /// @dev Give an account what a bond takes, approved.
    function fundBond(address account_) internal {
        settlement.transfer(account_, BOND);
        vm.prank(account_);
        settlement.approve(address(consortium), BOND);
    }

    /// @dev A hospital changes its account, both steps of it.
    function move(uint16 id, address from, address to) internal {
        vm.prank(from);
        consortium.proposeAccount(to);
        vm.prank(to);
        consortium.acceptAccount(id);
    }

    /// @dev The account with which a hospital joins.
    function account(uint16 id) internal view virtual returns (address) {
        return address(uint160(0x100_000) + id);
    }
}
