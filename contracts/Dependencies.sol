// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

// Contracts of others that are deployed as they are, so that every toolchain compiles them.
// solhint-disable-next-line no-unused-import
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
