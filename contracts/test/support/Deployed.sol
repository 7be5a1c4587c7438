// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../../interfaces/IConsortium.sol";
import {IContributionLedger} from "../../interfaces/IContributionLedger.sol";
import {ILedgerTypes, RewardRule} from "../../interfaces/ILedgerTypes.sol";
import {IParticipationToken} from "../../interfaces/IParticipationToken.sol";
import {IRedemptionDesk} from "../../interfaces/IRedemptionDesk.sol";
import {IRewardDistributor} from "../../interfaces/IRewardDistributor.sol";
import {Check} from "./Check.sol";

/// @title Deployed
/// @notice All contracts, deployed from their artifacts, and hospitals that are ready to act.
/// @dev This contract is governance (the manager's admin); `vm` makes it anybody else.
abstract contract Deployed is Check {
    uint256 internal constant MAX_SUPPLY = 1_000_000 ether;
    uint256 internal constant BOND = 5 ether;
    uint64 internal constant HOUR = 3600;
    uint64 internal constant DAY = 86_400;
    uint64 internal constant CASH_OUT_SECONDS = 7 * DAY;
    uint256 internal constant PRICE_CAP = 2 ether;
    address internal constant COORDINATOR = address(0xC00D);
    address internal constant GUARDIAN = address(0x6A4D);
    address internal constant COURT = address(0xC0047);
    address internal constant STRANGER = address(0x57A4);

    AccessManager internal manager;
    IERC20 internal settlement;
    IConsortium internal consortium;
    IContributionLedger internal ledger;
    IParticipationToken internal token;
    IRewardDistributor internal distributor;
    IRedemptionDesk internal desk;

    function deployAll(uint256 hospitals) internal {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        manager = new AccessManager(address(this));
        settlement = IERC20(
            vm.deployCode("LocalSettlementToken.sol:LocalSettlementToken", abi.encode(uint256(1_000_000 ether)))
        );
        consortium = IConsortium(
            vm.deployCode(
                "Consortium.sol:Consortium", abi.encode(manager, settlement, BOND, 30 * DAY, COORDINATOR, GUARDIAN)
            )
        );
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
        for (uint16 id = 1; id <= hospitals; ++id) {
            join(account(id), 10_000);
        }
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

    function join(address account_, uint16 capacityBps) internal returns (uint16 id) {
        id = consortium.admit(account_, capacityBps);
        settlement.transfer(account_, BOND);
        vm.startPrank(account_);
        settlement.approve(address(consortium), BOND);
        consortium.postBond();
        vm.stopPrank();
    }

    /// @dev The account with which a hospital joins.
    function account(uint16 id) internal view virtual returns (address) {
        return address(uint160(0x100_000) + id);
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
