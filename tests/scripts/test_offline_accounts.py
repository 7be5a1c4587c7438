"""Accounts of a run without a chain: one secret gives them all, and different ones to everybody."""

from __future__ import annotations

import pytest

from fl_core.errors import SignatureError, SpecError
from fl_core.signing import LocalSigner
from scripts.federation.offline import OfflineAccounts


def addresses(accounts):
    devices = [accounts.device(h, i, epoch) for h in (1, 2) for i in range(3) for epoch in (0, 1)]
    return [signer.address for signer in (*devices, accounts.hospital(1), accounts.hospital(2))]


def test_the_same_secret_gives_the_same_accounts_and_each_its_own():
    secret = bytes(range(32))
    first = addresses(OfflineAccounts(secret))
    assert first == addresses(OfflineAccounts(secret))
    assert len(set(first)) == len(first) == 14
    assert set(first).isdisjoint(addresses(OfflineAccounts(bytes(32))))


def test_without_a_secret_one_is_drawn_and_it_does_not_show():
    one, other = OfflineAccounts(), OfflineAccounts()
    assert one.secret != other.secret
    assert len(one.secret) == 32
    assert one.secret.hex() not in repr(one)
    assert repr(one.secret) not in repr(one)


def test_a_secret_or_seed_of_another_length_is_refused():
    with pytest.raises(SpecError, match="31 bytes"):
        OfflineAccounts(bytes(31))
    with pytest.raises(SignatureError, match="33 bytes"):
        LocalSigner(bytes(33))
