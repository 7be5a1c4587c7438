// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

/// @title Participation
/// @notice What devices signed off chain and hospitals registered, as the contracts can check it: the roster's tree, the
/// name of a cohort's plan, and the EIP-712 messages of the ledger's domain.
/// @dev Mirrors fl_core/secagg: merkle.py (RFC 6962, section 2.1, SHA-256), plan.py (context_hash) and transcript.py.
library Participation {
    bytes32 private constant _DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _MASKED_INPUT_TYPEHASH =
        keccak256("MaskedInput(bytes32 plan,uint32 attempt,bytes32 deposited,bytes32 masked)");
    bytes32 private constant _RECEIPT_TYPEHASH = keccak256("Receipt(uint64 round,uint16 hospital,bytes32 root)");

    /// @dev What a plan's preimage starts with: prefix, length and label. Then, each after its length in
    /// four bytes, session (32), subject (32) and eight numbers of eight bytes: round and hospital first.
    bytes26 private constant _PLAN_HEAD = hex"466564496f4d542e5365634167672e76312f00000004706c616e";
    uint256 private constant _NUMBERS_AT = 26 + 4 + 32 + 4 + 32 + 4;

    /// @notice The digest that an EIP-712 message of the ledger's domain is signed by.
    function typedDigest(address ledger, bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(_DOMAIN_TYPEHASH, keccak256("FedIoMT"), keccak256("1"), block.chainid, ledger)
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    /// @notice What a hospital signs for its receipts.
    function receiptHash(uint64 round, uint16 hospital, bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(_RECEIPT_TYPEHASH, round, hospital, root));
    }

    /// @notice What a device signs when it takes part.
    function maskedInputHash(bytes32 plan, uint32 attempt, bytes32 deposited, bytes32 masked)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(_MASKED_INPUT_TYPEHASH, plan, attempt, deposited, masked));
    }

    /// @notice Whether a plan's preimage is one of this round and hospital; its SHA-256 is the plan's name.
    function isPlanOf(bytes calldata plan, uint64 round, uint16 hospital) internal pure returns (bool) {
        uint256 start = _NUMBERS_AT;
        if (plan.length < start + 64) return false;
        return bytes26(plan[:26]) == _PLAN_HEAD && uint32(bytes4(plan[26:30])) == 32
            && uint32(bytes4(plan[62:66])) == 32 && uint32(bytes4(plan[start - 4:start])) == 64
            && uint64(bytes8(plan[start:start + 8])) == round && uint64(bytes8(plan[start + 8:start + 16])) == hospital;
    }

    /// @notice A device's leaf on the roster.
    function rosterLeaf(uint64 epoch, address account, bytes32 maskKey, bytes32 channelKey)
        internal
        pure
        returns (bytes32)
    {
        return sha256(abi.encodePacked(uint8(0), epoch, account, maskKey, channelKey));
    }

    /// @notice The root that a leaf of a roster of `size` leads to; zero if the path does not fit its position.
    function rosterRoot(bytes32 node, uint256 position, uint256 size, bytes32[] calldata path)
        internal
        pure
        returns (bytes32)
    {
        if (position >= size) return 0;
        uint256 next = 0;
        while (size > 1) {
            // slither-disable-next-line incorrect-exp -- the sibling's position: an exclusive or is meant
            if (position ^ 1 < size) {
                if (next == path.length) return 0;
                bytes32 sibling = path[next];
                ++next;
                node = position & 1 == 1
                    ? sha256(abi.encodePacked(uint8(1), sibling, node))
                    : sha256(abi.encodePacked(uint8(1), node, sibling));
            }
            (position, size) = (position >> 1, (size + 1) >> 1);
        }
        return next == path.length ? node : bytes32(0);
    }
}
