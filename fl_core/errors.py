"""Errors of the federated-learning core: one line each, saying what was wrong and what to do."""

from __future__ import annotations


class FlError(Exception):
    """Base of every error that `fl_core` raises on purpose."""


class DataError(FlError):
    """A data set, a column or a partition cannot be used."""


class SpecError(FlError):
    """A round or run was specified with values that cannot work."""


class TrainingError(FlError):
    """A device's training produced something that must not be sent."""


class SignatureError(FlError):
    """A signature does not belong to the message or to the expected signer."""


class BundleError(FlError):
    """A stored bundle is missing, malformed, or differs from its digest."""
