// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {IParticipationToken} from "../interfaces/IParticipationToken.sol";
import {IRedemptionDesk} from "../interfaces/IRedemptionDesk.sol";

/// @title DeskServices
/// @notice What the parts of the desk share, and the services that hospitals list.
abstract contract DeskServices is IRedemptionDesk {
    /// @inheritdoc IRedemptionDesk
    uint64 public constant MAX_DURATION_SECONDS = 365 days;

    /// @inheritdoc IRedemptionDesk
    IConsortium public immutable consortium;
    /// @inheritdoc IRedemptionDesk
    IParticipationToken public immutable token;
    /// @inheritdoc IRedemptionDesk
    uint64 public immutable minFulfilSeconds;
    /// @inheritdoc IRedemptionDesk
    uint64 public immutable minBuyerSeconds;

    /// @inheritdoc IRedemptionDesk
    uint32 public serviceCount;

    mapping(uint32 serviceId => Service) internal _services;

    constructor(
        IParticipationToken token_,
        IConsortium consortium_,
        uint64 minFulfilSeconds_,
        uint64 minBuyerSeconds_
    ) {
        if (address(token_) == address(0)) revert ZeroAddress();
        _checkShortest(minFulfilSeconds_);
        _checkShortest(minBuyerSeconds_);
        token = token_;
        consortium = consortium_;
        minFulfilSeconds = minFulfilSeconds_;
        minBuyerSeconds = minBuyerSeconds_;
    }

    /// @inheritdoc IRedemptionDesk
    function listService(
        bytes32 metadataHash,
        string calldata uri,
        uint256 price,
        uint64 fulfilSeconds,
        uint64 buyerSeconds
    ) external returns (uint32 serviceId) {
        uint16 provider = consortium.activeHospitalOf(msg.sender);
        if (provider == 0) revert NotActiveHospital(msg.sender);
        if (metadataHash == 0) revert ZeroHash();
        if (price == 0 || price > type(uint112).max) revert InvalidPrice(price);
        _checkDuration(fulfilSeconds, minFulfilSeconds);
        _checkDuration(buyerSeconds, minBuyerSeconds);

        serviceId = ++serviceCount;
        _services[serviceId] = Service({
            provider: provider,
            price: uint112(price),
            fulfilSeconds: uint40(fulfilSeconds),
            buyerSeconds: uint40(buyerSeconds),
            retired: false,
            metadataHash: metadataHash
        });
        emit ServiceListed(serviceId, provider, price, fulfilSeconds, buyerSeconds, metadataHash, uri);
    }

    /// @inheritdoc IRedemptionDesk
    function retireService(uint32 serviceId) external {
        Service storage s = _requireService(serviceId);
        _requireProvider(s.provider);
        if (s.retired) revert ServiceNotOffered(serviceId);
        s.retired = true;
        emit ServiceRetired(serviceId);
    }

    /// @inheritdoc IRedemptionDesk
    function service(uint32 serviceId) external view returns (Service memory) {
        return _requireService(serviceId);
    }

    function _requireService(uint32 serviceId) internal view returns (Service storage s) {
        s = _services[serviceId];
        if (s.provider == 0) revert UnknownService(serviceId);
    }

    function _requireProvider(uint16 provider) internal view {
        if (consortium.hospitalIdOf(msg.sender) != provider) revert NotProvider(provider, msg.sender);
    }

    /// @dev What is fixed at deployment may be zero where time is simulated.
    function _checkShortest(uint64 given) internal view {
        if (given == 0 && block.chainid != 31337 && block.chainid != 1337) revert ZeroDuration();
        _checkDuration(given, 0);
    }

    function _checkDuration(uint64 given, uint64 minimum) internal pure {
        if (given < minimum || given > MAX_DURATION_SECONDS) {
            revert DurationOutOfBounds(given, minimum, MAX_DURATION_SECONDS);
        }
    }
}
