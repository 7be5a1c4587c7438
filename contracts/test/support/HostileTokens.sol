// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title FeeToken
/// @notice Keeps one part in a hundred of what is transferred once it is told to.
contract FeeToken is ERC20 {
    bool public charges;

    constructor() ERC20("Fee", "FEE") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function charge() external {
        charges = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        bool kept = charges && from != address(0);
        super._update(from, to, kept ? value - value / 100 : value);
        if (kept) super._update(from, address(0xFEE), value / 100);
    }
}

/// @title CallingToken
/// @notice Calls a target in the middle of a transfer, once, when it is told which, and keeps what came of it; refuses
/// who is blocked.
contract CallingToken is ERC20 {
    error Blocked(address who);

    address public target;
    bytes public data;
    /// @notice Whether the last call back succeeded, and what it answered.
    bool public reached;
    bytes public answer;
    mapping(address who => bool) public blocked;

    constructor() ERC20("Calling", "CALL") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function callBack(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function blockAccount(address who, bool yes) external {
        blocked[who] = yes;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, value);
        if (target != address(0)) {
            address once = target;
            target = address(0);
            // solhint-disable-next-line avoid-low-level-calls
            (reached, answer) = once.call(data);
        }
    }
}
