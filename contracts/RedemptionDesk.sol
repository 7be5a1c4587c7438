// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IParticipationToken} from "./interfaces/IParticipationToken.sol";
import {CashOut} from "./desk/CashOut.sol";
import {DeskOrders} from "./desk/DeskOrders.sol";
import {DeskServices} from "./desk/DeskServices.sol";

/// @title RedemptionDesk
/// @notice Where participation tokens buy services, or are cashed out; see IRedemptionDesk and ICashOut. Its parts are in
/// `desk/`: services, orders, and the cash-out queue with its reserve.
contract RedemptionDesk is DeskOrders, CashOut {
    /// @notice Open a desk. What it pays out on cash-out is the consortium's settlement token.
    /// @param token_ What services are paid with, and what is cashed out.
    /// @param consortium_ Who the hospitals are; its authority decides on objections.
    /// @param minFulfilSeconds_ Shortest time to fulfil; zero on local chains only.
    /// @param minBuyerSeconds_ Shortest time to object; zero on local chains only.
    /// @param arbitrationSeconds_ Time governance has to decide; zero on local chains only.
    /// @param cashOutSeconds_ Length of a cash-out epoch.
    /// @param cashOutPriceCap_ The most that a whole token is paid, in the settlement token's smallest unit.
    constructor(
        IParticipationToken token_,
        IConsortium consortium_,
        uint64 minFulfilSeconds_,
        uint64 minBuyerSeconds_,
        uint64 arbitrationSeconds_,
        uint64 cashOutSeconds_,
        uint256 cashOutPriceCap_
    )
        DeskServices(token_, consortium_, minFulfilSeconds_, minBuyerSeconds_)
        DeskOrders(IAccessManaged(address(consortium_)).authority(), arbitrationSeconds_)
        CashOut(consortium_.settlement(), cashOutSeconds_, cashOutPriceCap_)
    {}
}
