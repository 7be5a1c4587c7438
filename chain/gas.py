"""What transactions cost, kept by function."""

from __future__ import annotations

import threading
from collections import defaultdict


class GasLedger:
    """Gas used by each transaction, under the label `Contract.function`. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: defaultdict[str, list[int]] = defaultdict(list)

    def record(self, label: str, gas_used: int) -> None:
        """Add one transaction."""
        with self._lock:
            self._used[label].append(gas_used)

    def by_label(self) -> dict[str, list[int]]:
        """Gas of each transaction by label, in the order of their receipts (a copy)."""
        with self._lock:
            return {label: list(used) for label, used in self._used.items()}

    def total(self) -> int:
        """Gas of all transactions."""
        with self._lock:
            return sum(sum(used) for used in self._used.values())

    def count(self) -> int:
        """Number of transactions."""
        with self._lock:
            return sum(len(used) for used in self._used.values())
