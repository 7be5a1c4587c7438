// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {RewardRule} from "../interfaces/ILedgerTypes.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {PackedRule, RulePacking} from "../libraries/RulePacking.sol";

/// @title RuleBook
/// @notice The reward rules, append-only. A round freezes the latest when it opens, so no old proof ever breaks.
abstract contract RuleBook is IContributionLedger, AccessManaged {
    /// @inheritdoc IContributionLedger
    uint16 public latestRuleId;

    mapping(uint256 ruleId => PackedRule) internal _packedRules;

    constructor(address authority_, RewardRule memory initialRule) AccessManaged(authority_) {
        _addRule(initialRule);
    }

    /// @inheritdoc IContributionLedger
    function setRule(RewardRule memory newRule) external restricted returns (uint16 ruleId) {
        return _addRule(newRule);
    }

    /// @inheritdoc IContributionLedger
    function rule(uint16 ruleId) external view returns (RewardRule memory) {
        if (ruleId == 0 || ruleId > latestRuleId) revert UnknownRule(ruleId);
        return _packedRules[ruleId].unpack();
    }

    /// @dev Checks the packed rule: its sixteen numbers in the order of the struct.
    function _addRule(RewardRule memory newRule) private returns (uint16 ruleId) {
        PackedRule packed = RulePacking.pack(newRule);
        for (uint256 i = 0; i < RulePacking.FIELDS; ++i) {
            uint256 value = packed.field(i);
            uint256 maximum = i == RulePacking.OPERATOR_BPS ? RewardMath.MAX_OPERATOR_BPS : RewardMath.FULL;
            if (value > maximum) revert RuleFieldTooLarge(i, value, maximum);
        }
        uint256 sum = packed.wVolume() + packed.wQuality() + packed.wCompute();
        if (sum != RewardMath.FULL) revert WeightsMustSumTo10000(sum);
        sum = packed.shareVolume() + packed.shareCompute();
        if (sum != RewardMath.FULL) revert SharesMustSumTo10000(sum);

        ruleId = ++latestRuleId;
        _packedRules[ruleId] = packed;
        emit RuleSet(ruleId, newRule);
    }
}
