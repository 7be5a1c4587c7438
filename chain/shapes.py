"""Shapes of what other packages hand over: any object with these attributes will do.

So `incentives` and `fl_core` pass their own frozen classes, and no package needs to know another's.
"""

# ruff: noqa: D102 - a class's docstring says what its members are

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

FieldValue = str | bytes | int | bool


class DomainLike(Protocol):
    """An EIP-712 domain; absent members are None."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def chain_id(self) -> int | None: ...
    @property
    def verifying_contract(self) -> bytes | None: ...
    @property
    def salt(self) -> bytes | None: ...


class TypedMessageLike(Protocol):
    """A flat typed struct under a domain: (name, Solidity type, value) triples."""

    @property
    def domain(self) -> DomainLike: ...
    @property
    def primary_type(self) -> str: ...
    @property
    def fields(self) -> Sequence[tuple[str, str, FieldValue]]: ...


class LanesLike(Protocol):
    """Sums of a Merkle-sum tree's node: n < 2^32, volume and compute < 2^48, weights < 2^64."""

    @property
    def n(self) -> int: ...
    @property
    def volume(self) -> int: ...
    @property
    def compute(self) -> int: ...
    @property
    def weight_treasury(self) -> int: ...
    @property
    def weight_device(self) -> int: ...


class NodeLike(Protocol):
    """A node of a Merkle-sum tree."""

    @property
    def hash(self) -> bytes: ...
    @property
    def lanes(self) -> LanesLike | int: ...


class LeafLike(Protocol):
    """A device's contribution in one round; no payee (None, zero address): the treasury is paid."""

    @property
    def slot(self) -> int: ...
    @property
    def device_class(self) -> int: ...
    @property
    def payee(self) -> str | bytes | None: ...
    @property
    def volume(self) -> int: ...
    @property
    def quality(self) -> int: ...
    @property
    def compute(self) -> int: ...
    @property
    def salt(self) -> bytes: ...


class RuleLike(Protocol):
    """A reward rule; scores, gates, caps 0..10_000."""

    @property
    def w_volume(self) -> int: ...
    @property
    def w_quality(self) -> int: ...
    @property
    def w_compute(self) -> int: ...
    @property
    def device_gate(self) -> int: ...
    @property
    def hospital_gate(self) -> int: ...
    @property
    def share_volume(self) -> int: ...
    @property
    def share_compute(self) -> int: ...
    @property
    def operator_bps(self) -> int: ...
    @property
    def volume_cap(self) -> Sequence[int]: ...
    @property
    def compute_cap(self) -> Sequence[int]: ...
