"""What a round or an epoch's meeting changes in a simulated device, apart from its residual."""

from __future__ import annotations

from dataclasses import dataclass

from fl_core.privacy import Accountant
from fl_core.secagg import Journal, PairKeys


@dataclass(frozen=True, eq=False)
class DeviceMemory:
    """Sent by a worker process to the one that it was forked from; holds secrets, and goes nowhere else.

    Attributes:
        pairs: the keys that the device shares with its peers.
        journal: its write-ahead record, in memory.
        accountant: its privacy account, or None.
    """

    pairs: PairKeys
    journal: Journal
    accountant: Accountant | None
