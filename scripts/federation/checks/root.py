"""What only holders of the root set can check: whether the bundle's root update is what those rows teach."""

from __future__ import annotations

from collections.abc import Iterator

from fl_core.models import Float32Array, model_digest
from fl_core.robust import AGREES_WITHIN, same_update
from incentives import Finding
from scripts.federation.record import RoundRecord


def check_root_update(record: RoundRecord, taught: Float32Array | None) -> Iterator[Finding]:
    """Hold the bundle's root update against one's own.

    Their last bits may differ between machines, so that 1e-4 of the length is granted.

    Args:
        record: the round as its bundle holds it.
        taught: the checker's own root update, float32 (d,); None where the rule takes none.
    """
    found = record.root_update
    if taught is None or found is None:
        if taught is not found:
            yield Finding("root", "a root update", str(taught is not None), str(found is not None))
        return
    if taught.shape != found.shape or not same_update(taught, found):
        yield Finding(
            "root",
            f"root update, to {AGREES_WITHIN:g} of its length",
            f"0x{model_digest(taught).hex()}",
            f"0x{model_digest(found).hex()}",
        )
