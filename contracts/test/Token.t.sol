// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ILedgerErrors} from "../interfaces/ILedgerErrors.sol";
import {ILedgerTypes, RewardRule} from "../interfaces/ILedgerTypes.sol";
import {IParticipationToken} from "../interfaces/IParticipationToken.sol";
import {IRedemptionDesk} from "../interfaces/IRedemptionDesk.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";
import {LocalSettlementToken} from "../local/LocalSettlementToken.sol";
import {Deployed} from "./support/Deployed.sol";

/// @title TokenTest
/// @notice The participation token, and what the constructors of the others refuse.
contract TokenTest is Deployed {
    function setUp() public {
        deployAll(0);
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(address(this), uint256(1000)))
        );
    }

    function test_the_minter_alone_mints() public {
        token.mint(STRANGER, 10);
        eq(token.balanceOf(STRANGER), 10, "minted");
        vm.expectRevert(abi.encodeWithSelector(IParticipationToken.NotMinter.selector, STRANGER));
        vm.prank(STRANGER);
        token.mint(STRANGER, 10);
    }

    function test_burning_does_not_lift_the_cap() public {
        token.mint(STRANGER, 1000);
        vm.prank(STRANGER);
        token.burn(400);
        eq(token.totalSupply(), 600, "supply");
        eq(token.totalMinted(), 1000, "minted");
        eq(token.totalBurned(), 400, "burned");
        vm.expectRevert(abi.encodeWithSelector(IParticipationToken.SupplyCapExceeded.selector, 1000, 1, 1000));
        token.mint(STRANGER, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IParticipationToken.SupplyCapExceeded.selector, 1000, type(uint256).max, 1000)
        );
        token.mint(STRANGER, type(uint256).max);
    }

    function test_others_burn_out_of_an_allowance() public {
        token.mint(STRANGER, 100);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(this), 0, 40));
        token.burnFrom(STRANGER, 40);
        vm.prank(STRANGER);
        token.approve(address(this), 50);
        token.burnFrom(STRANGER, 40);
        eq(token.totalBurned(), 40, "burned");
        eq(token.allowance(STRANGER, address(this)), 10, "allowance");
    }

    function test_permits_set_allowances() public {
        uint256 key = 77;
        address owner = vm.addr(key);
        bytes32 body = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                STRANGER,
                uint256(5),
                uint256(0),
                block.timestamp
            )
        );
        bytes32 domain = IERC20Permit(address(token)).DOMAIN_SEPARATOR();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, body)));
        IERC20Permit(address(token)).permit(owner, STRANGER, 5, block.timestamp, v, r, s);
        eq(token.allowance(owner, STRANGER), 5, "allowance");
    }

    function testFuzz_minted_is_supply_and_burned(uint16[6] memory amounts) public {
        for (uint256 i = 0; i < 6; ++i) {
            uint256 amount = amounts[i] % 300;
            if (i % 2 == 0 && token.totalMinted() + amount <= 1000) token.mint(address(this), amount);
            if (i % 2 == 1 && token.balanceOf(address(this)) >= amount) token.burn(amount);
            eq(token.totalMinted(), token.totalSupply() + token.totalBurned(), "minted");
            atMost(token.totalMinted(), 1000, "cap");
        }
    }

    function test_constructors_refuse_zero() public {
        vm.expectRevert(IParticipationToken.InvalidConstruction.selector);
        this.deploy("ParticipationToken.sol:ParticipationToken", abi.encode(address(0), uint256(1)));
        vm.expectRevert(IParticipationToken.InvalidConstruction.selector);
        this.deploy("ParticipationToken.sol:ParticipationToken", abi.encode(address(1), uint256(0)));
        vm.expectRevert(IRewardDistributor.ZeroAddress.selector);
        this.deploy("RewardDistributor.sol:RewardDistributor", abi.encode(address(0), token));
        vm.expectRevert(IRewardDistributor.ZeroAddress.selector);
        this.deploy("RewardDistributor.sol:RewardDistributor", abi.encode(ledger, address(0)));
        vm.expectRevert(IRedemptionDesk.ZeroAddress.selector);
        this.deploy("RedemptionDesk.sol:RedemptionDesk", abi.encode(address(0), consortium, HOUR, HOUR, HOUR, HOUR, 1));
    }

    function test_zero_durations_are_for_local_chains() public {
        ILedgerTypes.Params memory p = defaultParams();
        p.revealSeconds = 0;
        deployLedger(p, defaultRule());
        this.deploy("RedemptionDesk.sol:RedemptionDesk", abi.encode(token, consortium, 0, 0, 0, HOUR, 1));
        vm.chainId(1337);
        deployLedger(p, defaultRule());
        vm.chainId(1);
        vm.expectRevert(ILedgerErrors.ZeroDuration.selector);
        this.deployLedgerExternal(p, defaultRule());
        vm.expectRevert(IRedemptionDesk.ZeroDuration.selector);
        this.deploy("RedemptionDesk.sol:RedemptionDesk", abi.encode(token, consortium, HOUR, 0, HOUR, HOUR, 1));
        vm.expectRevert(abi.encodeWithSelector(LocalSettlementToken.NotALocalChain.selector, 1));
        this.deploy("LocalSettlementToken.sol:LocalSettlementToken", abi.encode(uint256(1)));
        deployLedger(defaultParams(), defaultRule());
    }

    function test_parameters_are_checked() public {
        ILedgerTypes.Params memory p = defaultParams();
        p.maxSupply = 0;
        refused(p, "maxSupply");
        p.maxSupply = 1 << 96;
        refused(p, "maxSupply");
        p = defaultParams();
        p.initialEmission = MAX_SUPPLY + 1;
        refused(p, "initialEmission");
        p = defaultParams();
        p.emissionDecayBps = 10_001;
        refused(p, "emissionDecayBps");
        p = defaultParams();
        p.bonusPerPoint = MAX_SUPPLY + 1;
        refused(p, "bonusPerPoint");
        p = defaultParams();
        p.bonusCap = MAX_SUPPLY + 1;
        refused(p, "bonusCap");
        p = defaultParams();
        p.kMin = 0;
        refused(p, "kMin");
        p = defaultParams();
        p.attestSeconds = 3650 days + 1;
        refused(p, "duration");
        eq(keccak256(abi.encode(ledger.params())), keccak256(abi.encode(defaultParams())), "params");
    }

    function refused(ILedgerTypes.Params memory p, string memory name) private {
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.InvalidParameter.selector, name));
        this.deployLedgerExternal(p, defaultRule());
    }

    function deployLedgerExternal(ILedgerTypes.Params memory p, RewardRule memory rule) external {
        deployLedger(p, rule);
    }

    function deploy(string memory artifact, bytes memory arguments) external {
        vm.deployCode(artifact, arguments);
    }
}
