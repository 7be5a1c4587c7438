// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../../interfaces/IConsortium.sol";
import {IContributionLedger} from "../../interfaces/IContributionLedger.sol";
import {ILedgerTypes, RewardRule} from "../../interfaces/ILedgerTypes.sol";
import {IParticipationToken} from "../../interfaces/IParticipationToken.sol";
import {IRedemptionDesk} from "../../interfaces/IRedemptionDesk.sol";
import {IRewardDistributor} from "../../interfaces/IRewardDistributor.sol";
import {Governed} from "./Governed.sol";

/// @title Deployed
/// @notice All contracts, deployed from their artifacts, and hospitals that are ready to act.
/// @dev This contract is governance (the manager's admin); `vm` makes it anybody else.
abstract contract Deployed is Governed {
    uint256 internal constant MAX_SUPPLY = 1_000_000 ether;
    uint64 internal constant CASH_OUT_SECONDS = 7 * DAY;
    uint256 internal constant PRICE_CAP = 2 ether;

    IContributionLedger internal ledger;
    IParticipationToken internal token;
    IRewardDistributor internal distributor;
    IRedemptionDesk internal desk;

    function deployAll(uint256 hospitals) internal {
        found();
        ledger = deployLedger(defaultParams(), defaultRule());
        uint64 nonce = vm.getNonce(address(this));
        address minter = vm.computeCreateAddress(address(this), nonce + 1);
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(minter, MAX_SUPPLY))
        );
        distributor =
            IRewardDistributor(vm.deployCode("RewardDistributor.sol:RewardDistributor", abi.encode(ledger, token)));
        desk = deployDesk(token, consortium);
        eq(address(distributor), minter, "minter");
        consortium.setDisputeCourt(COURT);
        joinAll(1, uint16(hospitals));
    }

    function deployLedger(ILedgerTypes.Params memory p, RewardRule memory rule) internal returns (IContributionLedger) {
        return IContributionLedger(
            vm.deployCode("ContributionLedger.sol:ContributionLedger", abi.encode(consortium, p, rule))
        );
    }

    function deployDesk(IParticipationToken token_, IConsortium consortium_) internal returns (IRedemptionDesk) {
        return IRedemptionDesk(
            vm.deployCode(
                "RedemptionDesk.sol:RedemptionDesk",
                abi.encode(token_, consortium_, HOUR, HOUR, DAY, CASH_OUT_SECONDS, PRICE_CAP)
            )
        );
    }

    function defaultParams() internal pure returns (ILedgerTypes.Params memory p) {
        p.maxSupply = MAX_SUPPLY;
        p.initialEmission = 1000 ether;
        p.emissionDecayBps = 9_900;
        p.bonusPerPoint = 1 ether;
        p.bonusCap = 100 ether;
        p.kMin = 2;
        p.rhoCapMicro = 1_000_000;
        p.readySeconds = HOUR;
        p.trainingSeconds = DAY;
        p.commitSeconds = HOUR;
        p.revealSeconds = HOUR;
        p.entrySeconds = HOUR;
        p.attestSeconds = HOUR;
        p.challengeSeconds = 2 * DAY;
        p.idleSeconds = 3 * DAY;
        p.maxFreezeSeconds = 14 * DAY;
    }

    function defaultRule() internal pure returns (RewardRule memory r) {
        r.wVolume = 3000;
        r.wQuality = 5000;
        r.wCompute = 2000;
        r.deviceGate = 3000;
        r.hospitalGate = 2000;
        r.shareVolume = 7000;
        r.shareCompute = 3000;
        r.operatorBps = 500;
        r.volumeCap = [uint16(4000), 6000, 8000, 10_000];
        r.computeCap = [uint16(3000), 5000, 7000, 9000];
    }
}
