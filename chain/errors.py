"""Errors of the chain client: one line each, saying what was wrong and what to do."""

# ruff: noqa: N818 - these say what happened: `NotDeployed`, `OutOfGas`

from __future__ import annotations


class ChainError(Exception):
    """Base of every error that `chain` raises on purpose."""


class CompileError(ChainError):
    """The Solidity sources do not compile, or the compiler is not there."""


class NodeError(ChainError):
    """The node does not answer, answers nonsense, or died."""


class WrongChain(NodeError):
    """The node serves another chain than the one that was asked for."""


class EngineMissing(NodeError):
    """The program that runs a local node is not installed."""


class PortTaken(NodeError):
    """Another process listens where the local node should."""


class ClockError(ChainError):
    """Time cannot be moved or waited for on this node."""


class NotDeployed(ChainError):
    """The contracts are not on this chain, or not recorded."""


class Miswired(ChainError):
    """Deployed contracts do not name each other."""


class SignatureError(ChainError):
    """A signature is malformed or not over this message."""


class BadKey(ChainError):
    """A private key or a key file cannot be used."""


class BadPassword(BadKey):
    """The password does not open the key file."""


class DevelopmentKeyRefused(BadKey):
    """A publicly known development key was about to be used off a local chain."""


class RecordError(ChainError):
    """A value cannot be put into, or was not found in, the chain's record."""


class TransactionFailed(ChainError):
    """A transaction was not accepted, or was accepted and reverted.

    Attributes:
        label: "Contract.function" of the call, or "" where it is not known.
        transaction: 0x-prefixed hash, or None if nothing was sent.
    """

    def __init__(self, text: str, *, label: str = "", transaction: str | None = None) -> None:
        super().__init__(text)
        self.label = label
        self.transaction = transaction


class OutOfGas(TransactionFailed):
    """The gas limit of a transaction is below what it needs."""


class InsufficientFunds(TransactionFailed):
    """The sending account cannot pay for the transaction's gas and value."""
