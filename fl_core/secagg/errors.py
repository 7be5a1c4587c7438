"""Errors of secure aggregation."""

from __future__ import annotations

from fl_core.errors import FlError


class SecAggError(FlError):
    """A message, key or state that secure aggregation refuses.

    Raised by the server for one sender's message, it leaves the server as it was; the sender counts as dropped.
    """


class SecAggAbort(SecAggError):  # noqa: N818 - an abort is what it is called in the literature
    """This side of the attempt is over: nothing further is sent, and no sum comes out of it here."""
