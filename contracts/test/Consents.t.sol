// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IRewardDistributor, Leaf} from "../interfaces/IRewardDistributor.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title ContractPayee
/// @notice A payee that is a contract and signs one digest.
contract ContractPayee is IERC1271 {
    bytes32 public approved;

    function approve(bytes32 digest) external {
        approved = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == approved ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @title ConsentsTest
/// @notice Claims that a relayer sends for a payee.
contract ConsentsTest is Rounds {
    address private constant RELAYER = address(0x4E1A);
    uint64 private round;
    ContractPayee private wallet = new ContractPayee();
    bool private walletIsPayee;

    function setUp() public {
        deployAll(4);
        registerAll(0);
        round = claimable(4);
    }

    function leavesOf(uint16 id) internal view override returns (Leaf[] memory leaves, uint256[] memory weights) {
        (leaves, weights) = super.leavesOf(id);
        if (walletIsPayee) leaves[1].payee = address(wallet);
    }

    function consentOf(address payee) private view returns (IRewardDistributor.Consent memory) {
        return IRewardDistributor.Consent(payee, RELAYER, round, round, block.timestamp + HOUR);
    }

    function signed(IRewardDistributor.Consent memory consent, uint256 key) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, distributor.consentDigest(consent));
        return abi.encodePacked(r, s, v);
    }

    /// @dev The key of `payeeOf(1, 1)`.
    uint256 private constant KEY = 1_000_002;

    function relay(
        IRewardDistributor.Claim memory c,
        IRewardDistributor.Consent memory consent,
        bytes memory signature,
        bytes memory why
    ) private returns (uint256 paid) {
        IRewardDistributor.Claim[] memory cs = one(c);
        if (why.length != 0) vm.expectRevert(why);
        vm.prank(RELAYER);
        paid = distributor.claimFor(cs, consent, signature);
    }

    function test_a_relayer_claims_for_the_payee_with_its_consent() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        IRewardDistributor.Consent memory consent = consentOf(c.leaf.payee);
        uint256 paid = relay(c, consent, signed(consent, KEY), "");
        eq(token.balanceOf(c.leaf.payee), paid, "the payee is paid");
        eq(token.balanceOf(RELAYER), 0, "not the relayer");
        isTrue(paid > 0, "something");
        bytes memory why = abi.encodeWithSelector(IRewardDistributor.AlreadyClaimed.selector, round, 1, 2);
        relay(c, consent, signed(consent, KEY), why);
    }

    function test_what_is_signed_is_eip_712() public view {
        IRewardDistributor.Consent memory c = consentOf(STRANGER);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("FedIoMT RewardDistributor"),
                keccak256("1"),
                block.chainid,
                address(distributor)
            )
        );
        bytes32 body = keccak256(
            abi.encode(
                keccak256("Consent(address payee,address relayer,uint64 fromRound,uint64 toRound,uint256 deadline)"),
                c.payee,
                c.relayer,
                c.fromRound,
                c.toRound,
                c.deadline
            )
        );
        eq(distributor.consentDigest(c), keccak256(abi.encodePacked(hex"1901", domain, body)), "digest");
    }

    function test_consents_end_and_name_relayer_and_rounds() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        IRewardDistributor.Consent memory consent = consentOf(c.leaf.payee);
        bytes memory signature = signed(consent, KEY);
        IRewardDistributor.Claim[] memory cs = one(c);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotRelayer.selector, RELAYER, STRANGER));
        vm.prank(STRANGER);
        distributor.claimFor(cs, consent, signature);
        vm.warp(consent.deadline + 1);
        relay(
            c, consent, signature, abi.encodeWithSelector(IRewardDistributor.ConsentExpired.selector, consent.deadline)
        );
        vm.warp(consent.deadline);
        consent.fromRound = consent.toRound = round + 1;
        signature = signed(consent, KEY);
        bytes memory why =
            abi.encodeWithSelector(IRewardDistributor.RoundNotConsented.selector, round, round + 1, round + 1);
        relay(c, consent, signature, why);
        consent.fromRound = 0;
        relay(c, consent, signed(consent, KEY), "");
    }

    function testFuzz_a_changed_consent_is_not_the_payee_s(uint8 field) public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        IRewardDistributor.Consent memory consent = consentOf(c.leaf.payee);
        consent.relayer = STRANGER;
        bytes memory signature = signed(consent, KEY);
        consent.relayer = RELAYER;
        field = field % 4;
        if (field == 1) consent.fromRound = 0;
        if (field == 2) consent.toRound = 99;
        if (field == 3) consent.deadline += 1;
        relay(c, consent, signature, abi.encodeWithSelector(IRewardDistributor.BadConsent.selector, c.leaf.payee));
    }

    function test_nobody_signs_for_another_or_for_nobody() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        IRewardDistributor.Consent memory consent = consentOf(c.leaf.payee);
        bytes memory why = abi.encodeWithSelector(IRewardDistributor.BadConsent.selector, c.leaf.payee);
        relay(c, consent, signed(consent, KEY + 1), why);
        relay(c, consent, hex"00", why);
        consent.payee = address(0);
        why = abi.encodeWithSelector(IRewardDistributor.BadConsent.selector, address(0));
        relay(claimOf(round, 1, 0), consent, signed(consent, KEY), why);
        consent.payee = vm.addr(KEY + 7);
        why = abi.encodeWithSelector(IRewardDistributor.NotPayee.selector, consent.payee, c.leaf.payee);
        relay(c, consent, signed(consent, KEY + 7), why);
    }

    function test_a_consent_of_another_chain_or_distributor_is_refused() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        IRewardDistributor.Consent memory consent = consentOf(c.leaf.payee);
        bytes memory signature = signed(consent, KEY);
        IRewardDistributor here = distributor;
        distributor =
            IRewardDistributor(vm.deployCode("RewardDistributor.sol:RewardDistributor", abi.encode(ledger, token)));
        bytes memory why = abi.encodeWithSelector(IRewardDistributor.BadConsent.selector, c.leaf.payee);
        relay(c, consent, signature, why);
        distributor = here;
        vm.chainId(1337);
        relay(c, consent, signature, why);
    }

    function test_a_contract_consents_by_erc_1271() public {
        walletIsPayee = true;
        round = claimable(4);
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        IRewardDistributor.Consent memory consent = consentOf(address(wallet));
        relay(c, consent, "", abi.encodeWithSelector(IRewardDistributor.BadConsent.selector, address(wallet)));
        wallet.approve(distributor.consentDigest(consent));
        relay(c, consent, "", "");
        isTrue(token.balanceOf(address(wallet)) > 0, "paid");
    }

    function test_a_pause_stops_relayed_claims_too() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        IRewardDistributor.Consent memory consent = consentOf(c.leaf.payee);
        vm.prank(GUARDIAN);
        distributor.pauseClaims();
        relay(c, consent, signed(consent, KEY), abi.encodeWithSelector(IRewardDistributor.ClaimsPaused.selector));
        vm.prank(GUARDIAN);
        distributor.unpauseClaims();
        isTrue(relay(c, consent, signed(consent, KEY), "") > 0, "paid after it");
    }
}
