// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title ICashOut
/// @notice Participation tokens for the settlement token, out of the desk's own reserve. Requests are queued in epochs of
/// a fixed length; when an epoch is over, all who are paid get the same price: what the reserve held at its end, by the
/// tokens sold, and never more than the cap. Nobody promises that there is a reserve, nor any price.
/// @dev A request asks for `minOut`, and so for one of 64 price levels (see PriceLevels). The epoch's price is the one at
/// which most tokens are sold with nobody below its level; who asked for more gets the tokens back. So a request that is
/// not paid takes nothing from those that are: asking for a price that cannot be had costs the others nothing.
/// Known weaknesses: `minOut` is rounded up to its level, so a request may stay unpaid although up to a quarter less would
/// have done; a queued request may be cancelled in the epoch's last second, so what an epoch will pay is not known
/// before; the settlement token's issuer can stop a payout to an account, which then waits without holding up others.
interface ICashOut {
    /// @notice Where a request stands.
    enum CashOutStatus {
        None,
        Queued,
        Cancelled,
        Paid,
        Returned
    }

    /// @notice A request.
    /// @param requester Whose tokens are in escrow, and who is paid.
    /// @param epoch The epoch that it is queued in.
    /// @param level The price level of its `minOut`.
    /// @param status Where it stands.
    /// @param amount Tokens for sale, in the smallest unit.
    struct CashOutRequest {
        address requester;
        uint64 epoch;
        uint8 level;
        CashOutStatus status;
        uint128 amount;
    }

    /// @notice What was fixed when an epoch was settled; zeros before. A request below level `reach` is paid
    /// `amount * payNumerator / payDenominator`.
    /// @param payNumerator Of the price.
    /// @param payDenominator Of the price.
    /// @param unpaid What the epoch's requests have still to collect, rounding included.
    /// @param uncollected Tokens sold of which the pay was not collected yet.
    /// @param sold Tokens sold.
    /// @param reach Levels that are paid: those below it.
    /// @param settled Whether it was settled.
    struct CashOutEpoch {
        uint128 payNumerator;
        uint128 payDenominator;
        uint128 unpaid;
        uint128 uncollected;
        uint128 sold;
        uint8 reach;
        bool settled;
    }

    /// @notice The reserve was funded.
    event ReserveFunded(address indexed funder, uint256 amount, uint256 reserve);
    /// @notice Settlement tokens that had been sent to the desk were counted into the reserve.
    event SurplusCounted(uint256 amount, uint256 reserve);
    /// @notice Tokens were put up for sale.
    event CashOutRequested(
        uint256 indexed requestId,
        uint64 indexed epoch,
        address indexed requester,
        uint256 amount,
        uint256 minOut,
        uint256 level
    );
    /// @notice A request was taken back.
    event CashOutCancelled(uint256 indexed requestId, address indexed requester, uint256 amount);
    /// @notice An epoch's price was fixed.
    event CashOutSettled(
        uint64 indexed epoch, uint256 sold, uint256 pool, uint256 reach, uint256 payNumerator, uint256 payDenominator
    );
    /// @notice A request was paid and its tokens burned.
    event CashOutPaid(uint256 indexed requestId, address indexed requester, uint256 amount, uint256 paid);
    /// @notice The tokens of a request came back: its price was not reached.
    event CashOutReturned(uint256 indexed requestId, address indexed requester, uint256 amount);

    /// @notice The settlement token is the participation token.
    error SettlementIsToken();
    /// @notice The price cap is zero or too large.
    error InvalidPriceCap(uint256 priceCap);
    /// @notice The participation token's maximum supply does not fit 128 bits.
    error SupplyTooLarge(uint256 maxSupply);
    /// @notice The amount is zero or too large.
    error InvalidCashOut(uint256 amount);
    /// @notice `minOut` is zero: at least one unit has to be asked for, so that no tokens go for nothing.
    error ZeroMinOut();
    /// @notice Not even the price cap pays `minOut`.
    error MinOutAboveCap(uint256 minOut, uint256 most);
    /// @notice There is no request of that id.
    error UnknownRequest(uint256 requestId);
    /// @notice The request was cancelled, paid or returned already.
    error RequestOver(uint256 requestId);
    /// @notice The caller did not make the request.
    error NotRequester(address requester, address caller);
    /// @notice The cash-out epoch is not over.
    error CashOutEpochRunning(uint64 epoch, uint64 endsAt);
    /// @notice The cash-out epoch is over.
    error CashOutEpochOver(uint64 epoch, uint64 endedAt);
    /// @notice The cash-out epoch was settled already, or nothing was asked in it.
    error NothingToSettle(uint64 epoch);
    /// @notice The amount is zero, or the reserve would not fit 128 bits.
    error InvalidFunding(uint256 amount);
    /// @notice The settlement token moved another amount than was asked for.
    error FundingNotExact(uint256 asked, uint256 received);
    /// @notice The desk holds no settlement tokens beyond its books.
    error NoSurplus();

    /// @notice Add to the reserve, out of the caller's allowance. Anyone. What comes after an epoch's end counts for later
    /// epochs, whenever the epoch is settled.
    /// @param amount How much, in the settlement token's smallest unit; exactly that must arrive.
    function fundReserve(uint256 amount) external;

    /// @notice Count settlement tokens that were sent to the desk (such as slashed bonds) into the reserve. Anyone.
    /// @return amount What was counted.
    function countSurplus() external returns (uint256 amount);

    /// @notice Put tokens up for sale in the current epoch, out of the caller's allowance.
    /// @param amount How many, in the smallest unit.
    /// @param minOut The least to be paid for all of them, in the settlement token's smallest unit; else they come back.
    /// @return requestId The request, from 1.
    function requestCashOut(uint256 amount, uint256 minOut) external returns (uint256 requestId);

    /// @notice Take a request back before its epoch ends. Called by the requester.
    /// @param requestId The request.
    function cancelCashOut(uint256 requestId) external;

    /// @notice Fix the price of an epoch that is over. Anyone; any later funding, request or collection does it too.
    /// @param epoch The epoch.
    function settleCashOutEpoch(uint64 epoch) external;

    /// @notice Pay a request and burn its tokens or, if its price was not reached, return them. Anyone.
    /// @param requestId The request.
    /// @return paid What the requester is paid; 0 if the tokens came back.
    function collectCashOut(uint256 requestId) external returns (uint256 paid);

    /// @notice What is paid out.
    function settlement() external view returns (IERC20);
    /// @notice Length of an epoch.
    function cashOutSeconds() external view returns (uint64);
    /// @notice The most that a whole participation token is paid, in the settlement token's smallest unit.
    function cashOutPriceCap() external view returns (uint128);
    /// @notice What the epochs to come can pay; the balance may be larger, never smaller than this and `cashOutOwed`.
    function cashOutReserve() external view returns (uint128);
    /// @notice What settled epochs have still to pay.
    function cashOutOwed() external view returns (uint128);
    /// @notice Tokens in escrow for requests that are not over.
    function cashOutEscrow() external view returns (uint256);
    /// @notice Requests ever made; ids are 1..count.
    function cashOutCount() external view returns (uint256);
    /// @notice The present epoch, from 1.
    function currentCashOutEpoch() external view returns (uint64);
    /// @notice When an epoch ends (unix seconds).
    /// @param epoch The epoch.
    function cashOutEpochEnd(uint64 epoch) external view returns (uint64);
    /// @notice A request.
    /// @param requestId The request.
    function cashOutRequest(uint256 requestId) external view returns (CashOutRequest memory);
    /// @notice An epoch.
    /// @param epoch The epoch.
    function cashOutEpoch(uint64 epoch) external view returns (CashOutEpoch memory);
    /// @notice Tokens put up for sale in an epoch, by price level.
    /// @param epoch The epoch.
    function cashOutAsked(uint64 epoch) external view returns (uint128[64] memory);
}
