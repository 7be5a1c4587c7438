// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title CapacitiesTest
/// @notice Every hospital's share ends at its own capacity, wherever its number is packed.
contract CapacitiesTest is Rounds {
    uint16 private constant HOSPITALS = 36;

    function capacityOf(uint16 id) private pure returns (uint16) {
        return 50 + id;
    }

    function test_thirty_six_hospitals_are_allocated_their_own_capacities() public {
        deployAll(0);
        for (uint16 id = 1; id <= HOSPITALS; ++id) {
            join(account(id), capacityOf(id));
        }
        uint256[4] memory words = consortium.capacityWords();
        registerAll(0);
        uint64 round = openTo(ILedgerTypes.Phase.Closed, HOSPITALS);
        uint256 budget = ledger.round(round).budget;
        for (uint16 id = 1; id <= HOSPITALS; ++id) {
            uint256 capacity = (words[(id - 1) / 16] >> (16 * ((id - 1) % 16))) & 0xFFFF;
            eq(capacity, capacityOf(id), "packed");
            eq(consortium.hospital(id).capacityBps, capacity, "on its own");
            eq(ledger.entry(round, id).allocation, (budget * capacity * givenScore) / 1e8, "allocation");
        }
    }
}
