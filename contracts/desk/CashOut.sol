// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICashOut} from "../interfaces/ICashOut.sol";
import {PriceLevels} from "../libraries/PriceLevels.sol";
import {DeskServices} from "./DeskServices.sol";

/// @title CashOut
/// @notice The queue of cash-out requests and the reserve that pays them; see ICashOut.
/// @dev At most one epoch is over and not settled: whatever changes the reserve or opens an epoch settles it first. So
/// an epoch's price depends on what the reserve held at its end, not on who settles it when.
abstract contract CashOut is DeskServices, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc ICashOut
    IERC20 public immutable settlement;
    /// @inheritdoc ICashOut
    uint64 public immutable cashOutSeconds;
    /// @inheritdoc ICashOut
    uint128 public immutable cashOutPriceCap;
    uint256 private immutable _START;

    /// @inheritdoc ICashOut
    uint128 public cashOutReserve;
    /// @inheritdoc ICashOut
    uint128 public cashOutOwed;
    /// @inheritdoc ICashOut
    uint256 public cashOutEscrow;
    /// @inheritdoc ICashOut
    uint256 public cashOutCount;
    /// @dev The last epoch in which something was asked.
    uint64 private _lastEpoch;

    mapping(uint256 requestId => CashOutRequest) private _requests;
    mapping(uint256 epoch => CashOutEpoch) private _epochs;
    mapping(uint256 epoch => uint128[64]) private _asked;

    constructor(IERC20 settlement_, uint64 seconds_, uint256 priceCap_) {
        if (address(settlement_) == address(token)) revert SettlementIsToken();
        if (token.maxSupply() > type(uint128).max) revert SupplyTooLarge(token.maxSupply());
        if (priceCap_ == 0 || priceCap_ > type(uint128).max) revert InvalidPriceCap(priceCap_);
        _checkDuration(seconds_, 1);
        settlement = settlement_;
        cashOutSeconds = seconds_;
        cashOutPriceCap = uint128(priceCap_);
        _START = block.timestamp;
    }

    // The reserve

    /// @inheritdoc ICashOut
    function fundReserve(uint256 amount) external nonReentrant {
        _settleLast();
        if (amount == 0 || amount > _room()) revert InvalidFunding(amount);
        uint256 before = settlement.balanceOf(address(this));
        settlement.safeTransferFrom(msg.sender, address(this), amount);
        uint256 present = settlement.balanceOf(address(this));
        uint256 received = present > before ? present - before : 0;
        if (received != amount) revert FundingNotExact(amount, received);
        uint128 reserve = cashOutReserve + uint128(amount);
        cashOutReserve = reserve;
        emit ReserveFunded(msg.sender, amount, reserve);
    }

    /// @inheritdoc ICashOut
    function countSurplus() external nonReentrant returns (uint256 amount) {
        _settleLast();
        uint256 balance = settlement.balanceOf(address(this));
        uint256 booked = uint256(cashOutReserve) + cashOutOwed;
        if (balance <= booked) revert NoSurplus();
        amount = balance - booked;
        if (amount > _room()) revert InvalidFunding(amount);
        uint128 reserve = cashOutReserve + uint128(amount);
        cashOutReserve = reserve;
        emit SurplusCounted(amount, reserve);
    }

    // Requests

    /// @inheritdoc ICashOut
    function requestCashOut(uint256 amount, uint256 minOut) external nonReentrant returns (uint256 requestId) {
        if (amount == 0 || amount > type(uint128).max) revert InvalidCashOut(amount);
        if (minOut == 0) revert ZeroMinOut();
        uint256 most = (amount * cashOutPriceCap) / PriceLevels.WHOLE;
        if (minOut > most) revert MinOutAboveCap(minOut, most);
        _settleLast();

        uint256 level = PriceLevels.levelFor(cashOutPriceCap, amount, minOut);
        uint64 epoch = currentCashOutEpoch();
        _lastEpoch = epoch;
        requestId = ++cashOutCount;
        _requests[requestId] = CashOutRequest(msg.sender, epoch, uint8(level), CashOutStatus.Queued, uint128(amount));
        _asked[epoch][level] += uint128(amount);
        cashOutEscrow += amount;
        emit CashOutRequested(requestId, epoch, msg.sender, amount, minOut, level);
        IERC20(address(token)).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc ICashOut
    function cancelCashOut(uint256 requestId) external nonReentrant {
        CashOutRequest storage r = _requireQueued(requestId);
        if (msg.sender != r.requester) revert NotRequester(r.requester, msg.sender);
        uint64 epoch = r.epoch;
        if (_isOver(epoch)) revert CashOutEpochOver(epoch, cashOutEpochEnd(epoch));
        uint128 amount = r.amount;
        r.status = CashOutStatus.Cancelled;
        _asked[epoch][r.level] -= amount;
        cashOutEscrow -= amount;
        emit CashOutCancelled(requestId, msg.sender, amount);
        IERC20(address(token)).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc ICashOut
    function settleCashOutEpoch(uint64 epoch) external nonReentrant {
        if (!_isOver(epoch)) revert CashOutEpochRunning(epoch, cashOutEpochEnd(epoch));
        if (epoch == 0 || epoch != _lastEpoch || _epochs[epoch].settled) revert NothingToSettle(epoch);
        _settle(epoch);
    }

    /// @inheritdoc ICashOut
    function collectCashOut(uint256 requestId) external nonReentrant returns (uint256 paid) {
        CashOutRequest storage r = _requireQueued(requestId);
        uint64 epoch = r.epoch;
        if (!_isOver(epoch)) revert CashOutEpochRunning(epoch, cashOutEpochEnd(epoch));
        _settleLast();
        (address requester, uint128 amount) = (r.requester, r.amount);
        cashOutEscrow -= amount;
        if (r.level < _epochs[epoch].reach) {
            r.status = CashOutStatus.Paid;
            paid = _takePay(_epochs[epoch], amount);
            emit CashOutPaid(requestId, requester, amount, paid);
            token.burn(amount);
            settlement.safeTransfer(requester, paid);
        } else {
            r.status = CashOutStatus.Returned;
            emit CashOutReturned(requestId, requester, amount);
            IERC20(address(token)).safeTransfer(requester, amount);
        }
    }

    // Views

    /// @inheritdoc ICashOut
    function currentCashOutEpoch() public view returns (uint64) {
        return uint64(1 + (block.timestamp - _START) / cashOutSeconds);
    }

    /// @inheritdoc ICashOut
    function cashOutEpochEnd(uint64 epoch) public view returns (uint64) {
        return uint64(_START + uint256(epoch) * cashOutSeconds);
    }

    /// @inheritdoc ICashOut
    function cashOutRequest(uint256 requestId) external view returns (CashOutRequest memory) {
        return _requests[requestId];
    }

    /// @inheritdoc ICashOut
    function cashOutEpoch(uint64 epoch) external view returns (CashOutEpoch memory) {
        return _epochs[epoch];
    }

    /// @inheritdoc ICashOut
    function cashOutAsked(uint64 epoch) external view returns (uint128[64] memory) {
        return _asked[epoch];
    }

    // Internals

    /// @dev Settle the last epoch in which something was asked, if it is over.
    function _settleLast() private {
        uint64 epoch = _lastEpoch;
        if (epoch != 0 && _isOver(epoch) && !_epochs[epoch].settled) _settle(epoch);
    }

    /// @dev Add the levels up from the cheapest while the reserve pays all of them at least the dearest one's price. With
    /// every level the price falls and what is asked rises, so the first one that cannot be paid ends it.
    function _settle(uint64 epoch) private {
        uint128[64] storage asked = _asked[epoch];
        uint256 cap = cashOutPriceCap;
        uint256 pool = cashOutReserve;
        uint256 worth = pool * PriceLevels.WHOLE;
        uint256 sold = 0;
        uint256 reach = 0;
        for (; reach < PriceLevels.COUNT; ++reach) {
            uint256 together = sold + asked[reach];
            if (PriceLevels.price(cap, reach) * together > worth) break;
            sold = together;
        }
        (uint256 numerator, uint256 denominator) = (pool, sold);
        if (cap * sold <= worth) {
            (numerator, denominator) = (cap, PriceLevels.WHOLE);
            pool = (cap * sold) / PriceLevels.WHOLE;
        }
        _epochs[epoch] = CashOutEpoch({
            payNumerator: uint128(numerator),
            payDenominator: uint128(denominator),
            unpaid: uint128(pool),
            uncollected: uint128(sold),
            sold: uint128(sold),
            reach: uint8(reach),
            settled: true
        });
        cashOutReserve -= uint128(pool);
        cashOutOwed += uint128(pool);
        emit CashOutSettled(epoch, sold, pool, reach, numerator, denominator);
    }

    /// @dev What an amount is paid; what rounding left goes back to the reserve with the last one.
    function _takePay(CashOutEpoch storage e, uint128 amount) private returns (uint256 paid) {
        paid = (uint256(amount) * e.payNumerator) / e.payDenominator;
        uint128 unpaid = e.unpaid - uint128(paid);
        uint128 uncollected = e.uncollected - amount;
        uint128 owed = cashOutOwed - uint128(paid);
        if (uncollected == 0) {
            cashOutReserve += unpaid;
            owed -= unpaid;
            unpaid = 0;
        }
        (e.unpaid, e.uncollected) = (unpaid, uncollected);
        cashOutOwed = owed;
    }

    function _requireQueued(uint256 requestId) private view returns (CashOutRequest storage r) {
        r = _requests[requestId];
        if (r.status == CashOutStatus.None) revert UnknownRequest(requestId);
        if (r.status != CashOutStatus.Queued) revert RequestOver(requestId);
    }

    function _isOver(uint64 epoch) private view returns (bool) {
        return block.timestamp >= cashOutEpochEnd(epoch);
    }

    /// @dev What the books can still take.
    function _room() private view returns (uint256) {
        return type(uint128).max - (uint256(cashOutReserve) + cashOutOwed);
    }
}
