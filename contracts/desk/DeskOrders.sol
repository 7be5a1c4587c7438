// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IRedemptionDesk} from "../interfaces/IRedemptionDesk.sol";
import {DeskServices} from "./DeskServices.sol";

/// @title DeskOrders
/// @notice Orders of services: escrow, delivery, objection, and who has the price in the end.
abstract contract DeskOrders is DeskServices, AccessManaged {
    using SafeERC20 for IERC20;

    /// @inheritdoc IRedemptionDesk
    uint64 public immutable arbitrationSeconds;

    /// @inheritdoc IRedemptionDesk
    uint256 public orderCount;

    mapping(uint256 orderId => Order) private _orders;

    constructor(address authority_, uint64 arbitrationSeconds_) AccessManaged(authority_) {
        _checkShortest(arbitrationSeconds_);
        arbitrationSeconds = arbitrationSeconds_;
    }

    /// @inheritdoc IRedemptionDesk
    function redeem(uint32 serviceId, bytes32 requestHash) external returns (uint256 orderId) {
        return _redeem(serviceId, requestHash);
    }

    /// @inheritdoc IRedemptionDesk
    function redeemWithPermit(uint32 serviceId, bytes32 requestHash, Permit calldata permit)
        external
        returns (uint256 orderId)
    {
        uint256 price = _requireService(serviceId).price;
        // Whoever sent this permit first has set the same allowance; if there is none, the transfer fails.
        /* solhint-disable no-empty-blocks */
        // The participation token calls nobody back.
        // slither-disable-next-line reentrancy-no-eth,reentrancy-benign,reentrancy-events
        try IERC20Permit(address(token))
            .permit(msg.sender, address(this), price, permit.deadline, permit.v, permit.r, permit.s) {}
            catch {}
        /* solhint-enable no-empty-blocks */
        return _redeem(serviceId, requestHash);
    }

    /// @inheritdoc IRedemptionDesk
    function fulfil(uint256 orderId, bytes32 deliverableHash) external {
        Order storage o = _requireStatus(orderId, OrderStatus.Open);
        Service storage s = _services[o.serviceId];
        _requireProvider(s.provider);
        _requireBefore(orderId, o.deadline);
        if (deliverableHash == 0) revert ZeroHash();
        uint64 windowEnd = uint64(block.timestamp) + s.buyerSeconds;
        o.status = OrderStatus.Fulfilled;
        o.deadline = uint40(windowEnd);
        emit Fulfilled(orderId, deliverableHash, windowEnd);
    }

    /// @inheritdoc IRedemptionDesk
    function accept(uint256 orderId) external {
        Order storage o = _orders[orderId];
        if (o.status != OrderStatus.Fulfilled && o.status != OrderStatus.Objected) {
            revert WrongStatus(orderId, o.status);
        }
        _requireBuyer(o.buyer);
        emit Accepted(orderId);
        _payProvider(orderId, o);
    }

    /// @inheritdoc IRedemptionDesk
    function object(uint256 orderId, bytes32 reasonHash) external {
        Order storage o = _requireStatus(orderId, OrderStatus.Fulfilled);
        _requireBuyer(o.buyer);
        _requireBefore(orderId, o.deadline);
        if (reasonHash == 0) revert ZeroHash();
        uint64 arbitrationEnd = uint64(block.timestamp) + arbitrationSeconds;
        o.status = OrderStatus.Objected;
        o.deadline = uint40(arbitrationEnd);
        emit Objected(orderId, reasonHash, arbitrationEnd);
    }

    /// @inheritdoc IRedemptionDesk
    function resolve(uint256 orderId, bool refundBuyer) external restricted {
        Order storage o = _requireStatus(orderId, OrderStatus.Objected);
        _requireBefore(orderId, o.deadline);
        emit Resolved(orderId, refundBuyer);
        if (refundBuyer) _refundBuyer(orderId, o);
        else _payProvider(orderId, o);
    }

    /// @inheritdoc IRedemptionDesk
    function settle(uint256 orderId) external {
        Order storage o = _orders[orderId];
        if (o.status != OrderStatus.Fulfilled && o.status != OrderStatus.Objected) {
            revert WrongStatus(orderId, o.status);
        }
        _requireReached(orderId, o.deadline);
        _payProvider(orderId, o);
    }

    /// @inheritdoc IRedemptionDesk
    function refund(uint256 orderId) external {
        Order storage o = _requireStatus(orderId, OrderStatus.Open);
        _requireReached(orderId, o.deadline);
        _refundBuyer(orderId, o);
    }

    /// @inheritdoc IRedemptionDesk
    function order(uint256 orderId) external view returns (Order memory) {
        return _orders[orderId];
    }

    function _redeem(uint32 serviceId, bytes32 requestHash) private returns (uint256 orderId) {
        Service storage s = _requireService(serviceId);
        if (s.retired || consortium.hospital(s.provider).status != IConsortium.Status.Active) {
            revert ServiceNotOffered(serviceId);
        }
        if (requestHash == 0) revert ZeroHash();
        uint256 price = s.price;
        uint64 deadline = uint64(block.timestamp) + s.fulfilSeconds;
        orderId = ++orderCount;
        _orders[orderId] = Order(msg.sender, serviceId, OrderStatus.Open, uint40(deadline));
        emit Redeemed(orderId, serviceId, msg.sender, price, requestHash, deadline);
        IERC20(address(token)).safeTransferFrom(msg.sender, address(this), price);
    }

    function _payProvider(uint256 orderId, Order storage o) private {
        Service storage s = _services[o.serviceId];
        uint256 price = s.price;
        address account = consortium.hospital(s.provider).account;
        o.status = OrderStatus.Paid;
        o.deadline = 0;
        emit ProviderPaid(orderId, s.provider, account, price);
        IERC20(address(token)).safeTransfer(account, price);
    }

    function _refundBuyer(uint256 orderId, Order storage o) private {
        uint256 price = _services[o.serviceId].price;
        address buyer = o.buyer;
        o.status = OrderStatus.Refunded;
        o.deadline = 0;
        emit Refunded(orderId, buyer, price);
        IERC20(address(token)).safeTransfer(buyer, price);
    }

    function _requireStatus(uint256 orderId, OrderStatus status) private view returns (Order storage o) {
        o = _orders[orderId];
        if (o.status != status) revert WrongStatus(orderId, o.status);
    }

    function _requireBuyer(address buyer) private view {
        if (msg.sender != buyer) revert NotBuyer(buyer, msg.sender);
    }

    function _requireBefore(uint256 orderId, uint64 deadline) private view {
        if (block.timestamp >= deadline) revert DeadlinePassed(orderId, deadline);
    }

    function _requireReached(uint256 orderId, uint64 deadline) private view {
        if (block.timestamp < deadline) revert DeadlineNotReached(orderId, deadline);
    }
}
