// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title IParticipationToken
/// @notice The token that contributions earn: ERC-20 with permit, one immutable minter, a supply cap that burns do
/// not lift again. Tokens sent to the token's own address are burned.
interface IParticipationToken is IERC20 {
    /// @notice Only the minter may mint.
    error NotMinter(address caller);
    /// @notice Minting would exceed the maximum supply, counted over all time.
    error SupplyCapExceeded(uint256 minted, uint256 amount, uint256 maximum);
    /// @notice The minter or the maximum supply given to the constructor is zero.
    error InvalidConstruction();

    /// @notice Mint new tokens. Called by the minter.
    /// @param to Who receives them.
    /// @param amount How many, in the smallest unit.
    function mint(address to, uint256 amount) external;

    /// @notice Burn tokens of the caller.
    /// @param amount How many, in the smallest unit.
    function burn(uint256 amount) external;

    /// @notice Burn tokens of another account, out of the allowance given to the caller.
    /// @param account Whose tokens.
    /// @param amount How many, in the smallest unit.
    function burnFrom(address account, uint256 amount) external;

    /// @notice The only account that may mint.
    function minter() external view returns (address);
    /// @notice The most that may ever be minted.
    function maxSupply() external view returns (uint256);
    /// @notice Minted since the beginning; `totalSupply() + totalBurned()`.
    function totalMinted() external view returns (uint256);
    /// @notice Burned since the beginning.
    function totalBurned() external view returns (uint256);
}
