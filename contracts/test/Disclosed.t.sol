// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisclosedTree} from "../interfaces/IDisclosedTree.sol";
import {IParticipationToken} from "../interfaces/IParticipationToken.sol";
import {ILedgerErrors} from "../interfaces/ILedgerErrors.sol";
import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {IRewardDistributor, Leaf} from "../interfaces/IRewardDistributor.sol";
import {RulePacking} from "../libraries/RulePacking.sol";
import {Rounds} from "./support/Rounds.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title DisclosedTest
/// @notice Entries in clear: the contract builds the tree that its definition says, and pays its leaves as any other.
contract DisclosedTest is Rounds {
    uint256 private constant SALT_WORD = uint256(keccak256("disclosed"));
    IDisclosedTree private tree;

    function setUp() public {
        deployAll(3);
        tree = IDisclosedTree(vm.deployCode("DisclosedTree.sol:DisclosedTree", ""));
        ILedgerTypes.Params memory p = defaultParams();
        p.disclosedTree = address(tree);
        ledger = deployLedger(p, defaultRule());
        address minter = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(minter, MAX_SUPPLY))
        );
        distributor =
            IRewardDistributor(vm.deployCode("RewardDistributor.sol:RewardDistributor", abi.encode(ledger, token)));
        registerAll(0);
    }

    function terms(bool scored) private pure returns (IDisclosedTree.Terms memory) {
        return IDisclosedTree.Terms(1, 2, scored, RulePacking.pack(defaultRule()), bytes32(SALT_WORD));
    }

    function pack(uint256 class, uint256 volume, uint256 quality, uint256 compute) private pure returns (bytes6) {
        return bytes6(uint48((1 << 47) | (class << 45) | (volume << 30) | (quality << 15) | compute));
    }

    function leafAt(uint256 k, uint256 seed) private pure returns (Leaf memory leaf) {
        leaf.slot = uint32(2 * k);
        leaf.deviceClass = uint8(seed % 4);
        leaf.volume = uint16((seed >> 8) % (defaultRule().volumeCap[leaf.deviceClass] + 1));
        leaf.quality = uint16((seed >> 32) % 10_001);
        leaf.compute = uint16((seed >> 64) % (defaultRule().computeCap[leaf.deviceClass] + 1));
        if ((seed >> 96) % 3 == 0) leaf.payee = address(uint160(1 + (seed >> 97)));
        leaf.salt = bytes32(SALT_WORD);
    }

    function packed(Leaf memory leaf) private pure returns (bytes6) {
        return pack(leaf.deviceClass, leaf.volume, leaf.quality, leaf.compute);
    }

    /// @dev The level above the leaves, the devices and the payees; some devices take no part.
    function draw(uint256 count, uint256 seed, address ledger_, bool scored)
        private
        view
        returns (Node[] memory pairs, bytes memory devices, bytes memory payees)
    {
        pairs = new Node[](count);
        Node memory empty;
        for (uint256 k = 0; k < count; ++k) {
            uint256 one_ = uint256(keccak256(abi.encode(seed, k)));
            if (one_ >> 253 == 0 && k + 1 < count) {
                devices = bytes.concat(devices, bytes6(0));
                pairs[k] = SumTreeBuilder.parent(empty, empty);
                continue;
            }
            Leaf memory leaf = leafAt(k, one_);
            devices = bytes.concat(devices, packed(leaf));
            if (leaf.payee != address(0)) payees = bytes.concat(payees, bytes4(uint32(k)), bytes20(leaf.payee));
            pairs[k] = SumTreeBuilder.parent(
                Node(SumTreeBuilder.leafHash(ledger_, 1, 2, leaf), SumTreeBuilder.leafLanes(leaf, weigh(leaf, scored))),
                empty
            );
        }
    }

    function weigh(Leaf memory leaf, bool scored) private pure returns (uint256) {
        if (scored && leaf.quality < defaultRule().deviceGate) return 0;
        uint256 quality = scored ? leaf.quality : 10_000;
        return 3000 * uint256(leaf.volume) + 5000 * quality + 2000 * uint256(leaf.compute);
    }

    function fold(Node[] memory level) private pure returns (Node memory left, Node memory right) {
        while (level.length > 2) {
            Node[] memory above = new Node[]((level.length + 1) / 2);
            for (uint256 k = 0; k < above.length; ++k) {
                Node memory other;
                above[k] = SumTreeBuilder.parent(level[2 * k], 2 * k + 1 < level.length ? level[2 * k + 1] : other);
            }
            level = above;
        }
        return (level[0], level[1]);
    }

    function testFuzz_the_contract_builds_the_tree_of_the_definition(uint8 size, uint256 seed, bool scored)
        public
        view
    {
        uint256 count = within(size, 2, 40);
        (Node[] memory pairs, bytes memory devices, bytes memory payees) = draw(count, seed, address(this), scored);
        (Node memory left, Node memory right) = fold(pairs);
        (Node memory l, Node memory r) = tree.children(terms(scored), devices, payees);
        eq(l.hash, left.hash, "left hash");
        eq(l.lanes, left.lanes, "left sums");
        eq(r.hash, right.hash, "right hash");
        eq(r.lanes, right.lanes, "right sums");
    }

    function test_one_device_stands_beside_the_empty_node() public view {
        Leaf memory leaf = leafAt(0, 6 << 96);
        leaf.payee = STRANGER;
        (Node memory l, Node memory r) =
            tree.children(terms(true), bytes.concat(packed(leaf)), bytes.concat(bytes4(0), bytes20(STRANGER)));
        eq(l.hash, SumTreeBuilder.leafHash(address(this), 1, 2, leaf), "leaf");
        eq(r.hash, bytes32(0), "empty");
        eq(r.lanes, 0, "sums");
    }

    function refused(bytes memory devices, bytes memory payees, bytes4 why) private {
        vm.expectRevert(why);
        tree.children(terms(true), devices, payees);
    }

    function test_devices_are_checked() public {
        bytes4 why = IDisclosedTree.InvalidDisclosedDevices.selector;
        refused("", "", why);
        refused(hex"1000000000", "", why);
        refused(bytes.concat(pack(0, 4001, 1, 1)), "", why); // above the caps of its class
        refused(bytes.concat(pack(2, 1, 1, 7001)), "", why);
        refused(bytes.concat(pack(3, 1, 10_001, 1)), "", why);
        for (uint256 gap = 14; gap < 45; gap += 15) {
            bytes6 device = pack(0, 1, 1, 1) | bytes6(uint48(1 << gap));
            refused(bytes.concat(device), "", why);
        }
        refused(bytes.concat(bytes6(uint48((1 << 47) | (1 << 44) | 16_383))), "", why); // a gap bit hides no score
        refused(bytes.concat(bytes6(uint48(1))), "", why); // who takes no part has no scores
        refused(bytes.concat(bytes6(uint48(1 << 15))), "", why);
        refused(bytes.concat(bytes6(uint48(1 << 30))), "", why);
        refused(bytes.concat(bytes6(uint48(1 << 45))), "", why); // nor a class
        tree.children(terms(true), bytes.concat(pack(0, 4000, 10_000, 3000)), "");
        tree.children(terms(true), bytes.concat(pack(3, 10_000, 0, 9000)), "");
    }

    function test_payees_are_checked() public {
        bytes4 why = IDisclosedTree.InvalidDisclosedPayees.selector;
        bytes memory three = bytes.concat(pack(0, 1, 1, 1), bytes6(0), pack(0, 1, 1, 1));
        bytes memory first = bytes.concat(bytes4(0), bytes20(STRANGER));
        bytes memory third = bytes.concat(bytes4(uint32(2)), bytes20(STRANGER));
        refused(three, hex"00", why);
        refused(three, bytes.concat(bytes4(0), bytes20(0)), why);
        refused(three, bytes.concat(third, first), why);
        refused(three, bytes.concat(first, first), why);
        refused(three, bytes.concat(bytes4(uint32(1)), bytes20(STRANGER)), why); // takes no part
        refused(three, bytes.concat(bytes4(uint32(3)), bytes20(STRANGER)), why);
        refused(three, bytes.concat(bytes4(uint32(1 << 31)), bytes20(STRANGER)), why);
        tree.children(terms(true), three, bytes.concat(first, third));
    }

    /// forge-config: default.fuzz.runs = 1024
    function testFuzz_a_record_is_taken_if_and_only_if_it_is_in_order(uint256 seed, uint8 place) public {
        uint256 word = recordOf(seed);
        bytes memory devices = "";
        for (uint256 k = 0; k < 9; ++k) {
            devices = bytes.concat(devices, k == place % 9 ? bytes6(uint48(word)) : pack(k % 4, 1, 1, 1));
        }
        if (!isInOrder(word)) vm.expectRevert(IDisclosedTree.InvalidDisclosedDevices.selector);
        tree.children(terms(true), devices, "");
    }

    /// @dev Scores around their caps; now and then a bit between the fields, or the first one gone.
    function recordOf(uint256 seed) private pure returns (uint256 word) {
        uint256 class = seed % 4;
        word = ((seed >> 8) % 8 == 0 ? 0 : 1 << 47) | (class << 45);
        if ((seed >> 16) % 8 != 0) word |= (defaultRule().volumeCap[class] - 3 + (seed >> 24) % 5) << 30;
        if ((seed >> 32) % 8 != 0) word |= (9997 + (seed >> 40) % 5) << 15;
        if ((seed >> 48) % 8 != 0) word |= defaultRule().computeCap[class] - 3 + (seed >> 56) % 5;
        if ((seed >> 64) % 4 == 0) word ^= 1 << (14 + 15 * ((seed >> 72) % 3));
        if ((seed >> 80) % 4 == 0) word |= 0x3fff << (15 * ((seed >> 88) % 3));
        if ((seed >> 96) % 16 == 0) word = 0;
    }

    function isInOrder(uint256 word) private pure returns (bool) {
        if (word >> 47 == 0) return word == 0;
        uint256 class = (word >> 45) & 3;
        return word & 0x100020004000 == 0 && (word >> 30) & 0x3fff <= defaultRule().volumeCap[class]
            && (word >> 15) & 0x3fff <= 10_000 && word & 0x3fff <= defaultRule().computeCap[class];
    }

    function test_its_leaves_are_claimed_and_its_treasury_too() public {
        uint64 round = openTo(ILedgerTypes.Phase.Entry, 3);
        (Node[] memory pairs, bytes memory devices, bytes memory payees) = draw(2, 0, address(ledger), true);
        Leaf memory leaf = leafAt(1, uint256(keccak256(abi.encode(uint256(0), uint256(1)))));
        leaf.payee = STRANGER;
        leaf.quality = 9000;
        pairs[1] = SumTreeBuilder.parent(
            Node(
                SumTreeBuilder.leafHash(address(ledger), 1, 2, leaf), SumTreeBuilder.leafLanes(leaf, weigh(leaf, true))
            ),
            Node(0, 0)
        );
        devices = bytes.concat(devices[0], devices[1], devices[2], devices[3], devices[4], devices[5], packed(leaf));
        payees = bytes.concat(payees.length < 24 ? bytes("") : slice(payees), bytes4(uint32(1)), bytes20(STRANGER));
        vm.prank(account(2));
        ledger.submitDisclosedEntry(round, bytes32(SALT_WORD), devices, payees, keccak256("bundle"));
        enter(round, 1);
        enter(round, 3);
        eq(ledger.entry(round, 2).lanes.n, 2, "devices");
        stepTo(round, ILedgerTypes.Phase.Closed, 3);
        vm.warp(ledger.round(round).claimableAt);

        IRewardDistributor.Claim memory c = IRewardDistributor.Claim(round, 2, leaf, new Node[](2));
        c.siblings[1] = pairs[0];
        vm.prank(STRANGER);
        isTrue(distributor.claim(one(c)) != 0, "paid");
        uint64[] memory rounds = new uint64[](1);
        rounds[0] = round;
        vm.prank(account(2));
        isTrue(distributor.claimTreasury(2, rounds) != 0, "treasury");
    }

    function slice(bytes memory payees) private pure returns (bytes memory first) {
        if (payees[3] != 0) return "";
        first = new bytes(24);
        for (uint256 i = 0; i < 24; ++i) {
            first[i] = payees[i];
        }
    }

    function test_a_disclosed_entry_is_an_entry() public {
        uint64 round = openTo(ILedgerTypes.Phase.Entry, 3);
        bytes memory one_ = bytes.concat(pack(0, 1, 1, 1));
        bytes memory two = bytes.concat(one_, one_);
        vm.startPrank(account(1));
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        ledger.submitDisclosedEntry(round, SALT, two, "", 0);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.TooFewDevices.selector, 1, 2));
        ledger.submitDisclosedEntry(round, SALT, one_, "", DIGEST);
        ledger.submitDisclosedEntry(round, SALT, two, "", DIGEST);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.AlreadyActed.selector, round, ILedgerTypes.Phase.Entry, 1));
        ledger.submitDisclosedEntry(round, SALT, two, "", DIGEST);
        vm.stopPrank();
    }

    function test_a_consortium_that_did_not_choose_it_has_none() public {
        ledger = deployLedger(defaultParams(), defaultRule());
        registerAll(0);
        uint64 round = openTo(ILedgerTypes.Phase.Entry, 3);
        vm.expectRevert(ILedgerErrors.DisclosureOff.selector);
        vm.prank(account(1));
        ledger.submitDisclosedEntry(round, SALT, bytes.concat(pack(0, 1, 1, 1)), "", DIGEST);
    }
}
