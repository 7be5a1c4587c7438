// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {RewardRule} from "./interfaces/ILedgerTypes.sol";
import {PackedRule} from "./libraries/RulePacking.sol";
import {Contributions} from "./ledger/Contributions.sol";
import {EntryDisputes} from "./ledger/EntryDisputes.sol";
import {LedgerBase} from "./ledger/LedgerBase.sol";
import {LedgerViews} from "./ledger/LedgerViews.sol";
import {RuleBook} from "./ledger/RuleBook.sol";
import {Settlement} from "./ledger/Settlement.sol";

/// @title ContributionLedger
/// @notice The record of the rounds; see IContributionLedger. Its parts are in `ledger/`: the clock, what hospitals put
/// on record, the settlement, the rules, disputes and views.
contract ContributionLedger is Settlement, EntryDisputes, LedgerViews, RuleBook {
    /// @notice Start a ledger without rounds.
    /// @param consortium_ Who the hospitals are; its authority governs the rules too.
    /// @param params_ What is fixed at deployment.
    /// @param initialRule The first reward rule.
    constructor(IConsortium consortium_, Params memory params_, RewardRule memory initialRule)
        LedgerBase(consortium_, params_)
        RuleBook(IAccessManaged(address(consortium_)).authority(), initialRule)
    {}

    /// @dev Where the acts meet the rule book.
    function _currentRuleId() internal view override returns (uint16) {
        return latestRuleId;
    }

    /// @dev Where the settlement and the views meet the rule book.
    function _packedRule(uint256 ruleId) internal view override(Contributions, LedgerViews) returns (PackedRule) {
        return _packedRules[ruleId];
    }
}
