"""Who objects goes to a vote where a bundle shows nothing provable, and nowhere else: another failure stays one."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import pytest

from incentives import Finding
from scripts.console.errors import CommandError
from scripts.federation import objections
from scripts.federation.disputes import NothingProvableError

HELD = {1: [Finding("leaves", "hospital 1, slot 0, quality", "1", "2", 1)]}


def voided_after(error: Exception) -> mock.Mock:
    """Object to hospital 1 where proving a fault ends in an error; what was asked for then."""
    entry = SimpleNamespace(voided=False, submitted=True)
    court = SimpleNamespace(open_case_of=lambda *_: 0)
    contracts = SimpleNamespace(ledger=SimpleNamespace(entry=lambda *_: entry), court=court)
    approved = mock.Mock(side_effect=CommandError("a challenge was begun"))
    with (
        mock.patch.object(objections, "prove_fault", side_effect=error),
        mock.patch.object(objections, "approve_bond", approved),
    ):
        record = SimpleNamespace(number=1)
        objections.void_entries(contracts, record, HELD, {2: "a sender", 3: "another"})
    return approved


def test_what_machines_cannot_check_is_challenged():
    with pytest.raises(CommandError, match="a challenge was begun"):
        voided_after(NothingProvableError("nothing that machines check"))


def test_another_failure_is_no_reason_to_challenge_anybody():
    with pytest.raises(CommandError, match="the node is gone"):
        voided_after(CommandError("the node is gone"))
