"""Enumerations of the contracts, in their order."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """Where a round stands."""

    NONE = 0
    READY = 1
    BEACON = 2
    TRAINING = 3
    COMMIT = 4
    REVEAL = 5
    ENTRY = 6
    ATTEST = 7
    CLOSED = 8


class Standing(IntEnum):
    """Whether claims on a hospital's entry can be paid."""

    NOT_CLOSED = 0
    WINDOW_OPEN = 1
    UNPAID = 2
    NOT_ALLOCATED = 3
    HELD = 4
    PAYABLE = 5


class HospitalStatus(IntEnum):
    """Where a hospital stands in the consortium."""

    NONE = 0
    ADMITTED = 1
    ACTIVE = 2
    BOND_DUE = 3
    SUSPENDED = 4
    LEFT = 5


class ProposalState(IntEnum):
    """Where a proposal of the council stands."""

    NONE = 0
    OPEN = 1
    PASSED = 2
    QUEUED = 3
    EXECUTED = 4
    REJECTED = 5
    EXPIRED = 6
    CANCELLED = 7


class OrderStatus(IntEnum):
    """Where an order at the redemption desk stands."""

    NONE = 0
    OPEN = 1
    FULFILLED = 2
    OBJECTED = 3
    PAID = 4
    REFUNDED = 5


class CaseOutcome(IntEnum):
    """How a dispute stands."""

    NONE = 0
    OPEN = 1
    VOIDED = 2
    UPHELD = 3
    LAPSED = 4


class EntryLane(IntEnum):
    """What a point of an entry is drawn over: the total weight, volume or compute of its leaves."""

    WEIGHT = 0
    VOLUME = 1
    COMPUTE = 2


class Fault(IntEnum):
    """What machines check of an entry."""

    NONE = 0
    DIRTY_FIELD = 1
    WRONG_SLOT = 2
    DUMMY_WEIGHS = 3
    UNKNOWN_CLASS = 4
    ABOVE_CAP = 5
    WRONG_LANES = 6
    OTHER_ROOT = 7
    TOO_MANY_DEVICES = 8


class CashOutStatus(IntEnum):
    """Where a cash-out request stands."""

    NONE = 0
    QUEUED = 1
    CANCELLED = 2
    PAID = 3
    RETURNED = 4


class Profile(IntEnum):
    """What may be seen outside a cohort, and so what is scored."""

    ACCOUNTABLE = 0
    HOSPITAL = 1
    PRIVATE = 2
