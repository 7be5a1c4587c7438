// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IParticipationToken} from "./interfaces/IParticipationToken.sol";

/// @title ParticipationToken
/// @notice The token that contributions earn; see IParticipationToken.
contract ParticipationToken is IParticipationToken, ERC20, ERC20Permit {
    /// @inheritdoc IParticipationToken
    address public immutable minter;
    /// @inheritdoc IParticipationToken
    uint256 public immutable maxSupply;
    /// @inheritdoc IParticipationToken
    uint256 public totalBurned;

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
        _burnCounted(msg.sender, amount);
    }

    /// @inheritdoc IParticipationToken
    function burnFrom(address account, uint256 amount) external {
        _spendAllowance(account, msg.sender, amount);
        _burnCounted(account, amount);
    }

    /// @inheritdoc IParticipationToken
    function totalMinted() public view returns (uint256) {
        return totalSupply() + totalBurned;
    }

    function _burnCounted(address account, uint256 amount) private {
        _burn(account, amount);
        totalBurned += amount;
    }
}
