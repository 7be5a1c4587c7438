// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title LocalSettlementToken
/// @notice A plain ERC-20 that stands in for a settlement token on local chains; the whole supply goes to the deployer.
contract LocalSettlementToken is ERC20 {
    /// @notice Only local chains (ids 31337 and 1337) may have this token.
    error NotALocalChain(uint256 chainId);

    /// @notice Make the token.
    /// @param supply What is minted, once.
    constructor(uint256 supply) ERC20("FedIoMT Local Settlement", "LOCAL") {
        if (block.chainid != 31337 && block.chainid != 1337) revert NotALocalChain(block.chainid);
        _mint(msg.sender, supply);
    }
}
