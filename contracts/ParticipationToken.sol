// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IParticipationToken} from "./interfaces/IParticipationToken.sol";

/// @title ParticipationToken
/// @notice The token that contributions earn; see IParticipationToken.
/// @dev What is burned is kept as the balance of this contract's own address, from which nothing ever moves: minting then
/// reads and writes one supply word, everything ever minted, where counting burns apart would have it read a second.
contract ParticipationToken is IParticipationToken, ERC20, ERC20Permit {
    /// @inheritdoc IParticipationToken
    address public immutable minter;
    /// @inheritdoc IParticipationToken
    uint256 public immutable maxSupply;

    /// @notice Make the token.
    /// @param minter_ The distributor, whose address is computed before it is deployed.
    /// @param maxSupply_ The most that may ever be minted.
    constructor(address minter_, uint256 maxSupply_)
        ERC20("FedIoMT Participation", "FEDI")
        ERC20Permit("FedIoMT Participation")
    {
        if (minter_ == address(0) || maxSupply_ == 0) {
            revert InvalidConstruction();
        }
        minter = minter_;
        maxSupply = maxSupply_;
    }

    /// @inheritdoc IParticipationToken
    function mint(address to, uint256 amount) external {
        if (msg.sender != minter) revert NotMinter(msg.sender);
        uint256 minted = totalMinted();
        if (amount > maxSupply - minted) revert SupplyCapExceeded(minted, amount, maxSupply);
        _mint(to, amount);
    }

    /// @inheritdoc IParticipationToken
    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }

    /// @inheritdoc IParticipationToken
    function burnFrom(address account, uint256 amount) external {
        _spendAllowance(account, msg.sender, amount);
        _burn(account, amount);
    }

    /// @inheritdoc IParticipationToken
    function totalMinted() public view returns (uint256) {
        return super.totalSupply();
    }

    /// @inheritdoc IParticipationToken
    function totalBurned() public view returns (uint256) {
        return super.balanceOf(address(this));
    }

    /// @notice Tokens in existence: minted and not burned.
    function totalSupply() public view override(ERC20, IERC20) returns (uint256) {
        return totalMinted() - totalBurned();
    }

    /// @notice What an account holds; this contract holds nothing, since tokens sent to it are burned.
    /// @param account The account.
    function balanceOf(address account) public view override(ERC20, IERC20) returns (uint256) {
        return account == address(this) ? 0 : super.balanceOf(account);
    }

    /// @dev Burning, and sending to this contract, are one thing: the events say that tokens came here and were burned.
    function _update(address from, address to, uint256 value) internal override {
        if (to != address(0) && to != address(this)) {
            super._update(from, to, value);
        } else {
            super._update(from, address(this), value);
            emit Transfer(address(this), address(0), value);
        }
    }
}
