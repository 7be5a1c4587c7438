"""Client of OpenZeppelin's `AccessManager`: who may govern, and with what delay."""

from __future__ import annotations

from chain.contract import Contract, Event
from chain.receipts import Receipt
from chain.sender import Sender

ADMIN_ROLE = 0
"""The role that all restricted functions ask for."""


class ManagerClient(Contract):
    """The administrator's role. Writes raise as `Sender.send` does."""

    contract = "AccessManager"

    def grant_admin(self, sender: Sender, account: str | bytes, *, delay_seconds: int) -> Receipt:
        """An administrator makes another; its calls are public for `delay_seconds` before they are made."""
        return self.transact(sender, "grantRole", ADMIN_ROLE, account, delay_seconds)

    def renounce_admin(self, sender: Sender) -> Receipt:
        """The sender gives its own administrator's role up."""
        return self.transact(sender, "renounceRole", ADMIN_ROLE, sender.address)

    def changes(self, *, from_block: int) -> tuple[Event, ...]:
        """What was ever changed about who may do what, in the chain's order; calls that were queued or made are not."""
        events = self.read_events(from_block=from_block)
        return tuple(event for event in events if not event.name.startswith("Operation"))

    def admin(self, account: str | bytes) -> tuple[bool, int]:
        """Whether an account is an administrator, and the delay of its calls in seconds."""
        member, delay = self.call("hasRole", ADMIN_ROLE, account)
        return bool(member), int(delay)
