// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ICashOut} from "./ICashOut.sol";
import {IConsortium} from "./IConsortium.sol";
import {IParticipationToken} from "./IParticipationToken.sol";

/// @title IRedemptionDesk
/// @notice Where participation tokens buy services of the hospitals. A service is immutable; its price is escrowed
/// until the provider has fulfilled and the buyer's window is over, or comes back. Nothing here can be paused.
/// Tokens are cashed out here too: see ICashOut.
/// @dev open -> fulfilled -> paid; open -> refunded (deadline missed); fulfilled -> objected -> paid | refunded.
/// Known weaknesses: whether a deliverable is any good is judged by people: the buyer objects, governance decides, and
/// its silence pays the provider.
interface IRedemptionDesk is ICashOut {
    /// @notice Where an order stands.
    enum OrderStatus {
        None,
        Open,
        Fulfilled,
        Objected,
        Paid,
        Refunded
    }

    /// @notice A service on offer.
    /// @param provider The hospital that offers it.
    /// @param price Its price, in the participation token's smallest unit.
    /// @param fulfilSeconds Time the provider has to fulfil an order.
    /// @param buyerSeconds Time the buyer then has to object.
    /// @param retired Whether new orders are refused.
    /// @param metadataHash Hash of what its URI points to.
    struct Service {
        uint16 provider;
        uint112 price;
        uint40 fulfilSeconds;
        uint40 buyerSeconds;
        bool retired;
        bytes32 metadataHash;
    }

    /// @notice An order.
    /// @param buyer Who pays.
    /// @param serviceId What was ordered.
    /// @param status Where it stands.
    /// @param deadline End of the present status (unix seconds); 0 once it is over.
    struct Order {
        address buyer;
        uint32 serviceId;
        OrderStatus status;
        uint40 deadline;
    }

    /// @notice An ERC-2612 permit of the participation token, for exactly the service's price.
    /// @param deadline Last second (unix) in which it holds.
    /// @param v Part of its signature.
    /// @param r Part of its signature.
    /// @param s Part of its signature.
    struct Permit {
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice A service was listed.
    event ServiceListed(
        uint32 indexed serviceId,
        uint16 indexed provider,
        uint256 price,
        uint64 fulfilSeconds,
        uint64 buyerSeconds,
        bytes32 metadataHash,
        string uri
    );
    /// @notice A service takes no new orders.
    event ServiceRetired(uint32 indexed serviceId);
    /// @notice A service was ordered and its price escrowed.
    event Redeemed(
        uint256 indexed orderId,
        uint32 indexed serviceId,
        address indexed buyer,
        uint256 price,
        bytes32 requestHash,
        uint64 deadline
    );
    /// @notice The provider fulfilled; the buyer may object before `windowEnd`.
    event Fulfilled(uint256 indexed orderId, bytes32 deliverableHash, uint64 windowEnd);
    /// @notice The buyer accepted.
    event Accepted(uint256 indexed orderId);
    /// @notice The buyer objected; governance may decide before `arbitrationEnd`.
    event Objected(uint256 indexed orderId, bytes32 reasonHash, uint64 arbitrationEnd);
    /// @notice Governance decided on an objection.
    event Resolved(uint256 indexed orderId, bool refundBuyer);
    /// @notice The provider was paid.
    event ProviderPaid(uint256 indexed orderId, uint16 indexed provider, address indexed account, uint256 amount);
    /// @notice The buyer got the price back.
    event Refunded(uint256 indexed orderId, address indexed buyer, uint256 amount);

    /// @notice An address given to the constructor is zero.
    error ZeroAddress();
    /// @notice A duration is zero, which only local chains (ids 31337 and 1337) allow.
    error ZeroDuration();
    /// @notice The caller acts for no active hospital.
    error NotActiveHospital(address caller);
    /// @notice The price is zero or too large.
    error InvalidPrice(uint256 price);
    /// @notice The metadata, request, deliverable or reason hash is zero.
    error ZeroHash();
    /// @notice A duration is outside the desk's bounds.
    error DurationOutOfBounds(uint64 given, uint64 minimum, uint64 maximum);
    /// @notice There is no service of that id.
    error UnknownService(uint32 serviceId);
    /// @notice The service takes no new orders.
    error ServiceNotOffered(uint32 serviceId);
    /// @notice The caller does not act for the provider.
    error NotProvider(uint16 provider, address caller);
    /// @notice The caller is not the buyer.
    error NotBuyer(address buyer, address caller);
    /// @notice The order is not in a status that allows the call.
    error WrongStatus(uint256 orderId, OrderStatus actual);
    /// @notice The deadline has passed.
    error DeadlinePassed(uint256 orderId, uint64 deadline);
    /// @notice The deadline has not passed.
    error DeadlineNotReached(uint256 orderId, uint64 deadline);

    /// @notice List a service. Called by an active hospital.
    /// @param metadataHash Hash of what `uri` points to.
    /// @param uri Where the description is.
    /// @param price Its price; immutable, a new price is a new service.
    /// @param fulfilSeconds Time to fulfil an order.
    /// @param buyerSeconds Time the buyer then has to object.
    /// @return serviceId Its id, from 1.
    function listService(
        bytes32 metadataHash,
        string calldata uri,
        uint256 price,
        uint64 fulfilSeconds,
        uint64 buyerSeconds
    ) external returns (uint32 serviceId);

    /// @notice Take no new orders for a service. Called by its provider. Orders in flight are not touched.
    /// @param serviceId The service.
    function retireService(uint32 serviceId) external;

    /// @notice Order a service; its price is escrowed out of the caller's allowance.
    /// @param serviceId The service.
    /// @param requestHash Hash of the request.
    /// @return orderId The order, from 1.
    function redeem(uint32 serviceId, bytes32 requestHash) external returns (uint256 orderId);

    /// @notice The same, with a permit instead of an allowance given beforehand.
    /// @param serviceId The service.
    /// @param requestHash Hash of the request.
    /// @param permit The permit. If somebody else has used it already, the allowance is there all the same.
    /// @return orderId The order, from 1.
    function redeemWithPermit(uint32 serviceId, bytes32 requestHash, Permit calldata permit)
        external
        returns (uint256 orderId);

    /// @notice Fulfil an order, strictly before its deadline. Called by the provider's present account.
    /// @param orderId The order.
    /// @param deliverableHash Hash of what was delivered.
    function fulfil(uint256 orderId, bytes32 deliverableHash) external;

    /// @notice Accept what was delivered (an objection is withdrawn by it); the provider is paid at once. By the buyer.
    /// @param orderId The order.
    function accept(uint256 orderId) external;

    /// @notice Object to what was delivered, strictly before the buyer's window ends. Called by the buyer.
    /// @param orderId The order.
    /// @param reasonHash Hash of the reason.
    function object(uint256 orderId, bytes32 reasonHash) external;

    /// @notice Decide on an objection, strictly before the arbitration ends. Restricted to governance.
    /// @param orderId The order.
    /// @param refundBuyer Whether the buyer gets the price back; else the provider is paid.
    function resolve(uint256 orderId, bool refundBuyer) external;

    /// @notice Pay the provider once the buyer's window, or the arbitration, has ended. Anyone.
    /// @param orderId The order.
    function settle(uint256 orderId) external;

    /// @notice Return the price of an order that was not fulfilled before its deadline. Anyone.
    /// @param orderId The order.
    function refund(uint256 orderId) external;

    /// @notice Who the hospitals are.
    function consortium() external view returns (IConsortium);
    /// @notice What services are paid with.
    function token() external view returns (IParticipationToken);
    /// @notice Shortest `fulfilSeconds`.
    function minFulfilSeconds() external view returns (uint64);
    /// @notice Shortest `buyerSeconds`.
    function minBuyerSeconds() external view returns (uint64);
    /// @notice Time governance has to decide on an objection.
    function arbitrationSeconds() external view returns (uint64);
    /// @notice Longest of either duration of a service.
    function MAX_DURATION_SECONDS() external view returns (uint64);
    /// @notice Services ever listed; ids are 1..count.
    function serviceCount() external view returns (uint32);
    /// @notice Orders ever placed; ids are 1..count.
    function orderCount() external view returns (uint256);
    /// @notice A service.
    /// @param serviceId The service.
    function service(uint32 serviceId) external view returns (Service memory);
    /// @notice An order.
    /// @param orderId The order.
    function order(uint256 orderId) external view returns (Order memory);
}
