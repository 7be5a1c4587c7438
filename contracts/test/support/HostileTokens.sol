// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title TaxedToken
/// @notice An ERC-20 that keeps one percent of every transfer.
contract TaxedToken is ERC20 {
    constructor() ERC20("Fee", "FEE") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : value / 100;
        if (fee != 0) super._update(from, address(0), fee);
        super._update(from, to, value - fee);
    }
}

/// @title HookedToken
/// @notice An ERC-20 that calls somebody whenever it moves, as ERC-777 does; the call's failure is kept, not passed on.
contract HookedToken is ERC20 {
    address private target;
    bytes private data;

    /// @notice What the last call back answered.
    bool public reentered;
    bytes public answer;

    constructor() ERC20("Hooked", "HOOK") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function callOnTransfer(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (target != address(0)) (reentered, answer) = target.call(data);
    }
}

/// @title BlockingToken
/// @notice An ERC-20 whose issuer can bar an account from receiving.
contract BlockingToken is ERC20 {
    address public barred;

    error Barred(address account);

    constructor() ERC20("Blocking", "BLOCK") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function bar(address account) external {
        barred = account;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (to != address(0) && to == barred) revert Barred(to);
        super._update(from, to, value);
    }
}
