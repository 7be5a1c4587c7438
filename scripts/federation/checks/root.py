"""What only who has the root set can check: whether the bundle's root update is what those rows teach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fl_core.models import Float32Array, model_digest
from fl_core.robust import AGREES_WITHIN, same_update
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.record import RoundRecord


class GivenRootSet(Protocol):
    """A root set that an auditor was given."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its rows, as specs name them."""

    @property
    def schema_digest(self) -> str:
        """SHA-256 (hex) of its schema, as specs name it."""

    @property
    def scaling_digest(self) -> str:
        """SHA-256 (hex) of its scaling, as specs name it."""

    def update(self, record: RoundRecord) -> Float32Array:
        """What it teaches in a round, float32 (d,)."""


def check_given_root(record: RoundRecord, given: GivenRootSet) -> Iterator[Finding]:
    """Hold a root set against the spec that names it, and the bundle's root update against what it teaches.

    Rows, schema and scaling have all to be those of the spec: under a scaling of their own choice true rows teach
    whatever the liar has put into the record. Nothing is trained where one is not.
    """
    spec = record.spec
    named = (
        ("digest of the root set", spec.rule.root_digest, given.digest),
        ("schema of the root set", spec.schema_digest, given.schema_digest),
        ("scaling of the root set", spec.scaling_digest or "named in the spec", given.scaling_digest),
    )
    differs = [finding for subject, due, found in named for finding in same("root", subject, due, found)]
    yield from differs or check_root_update(record, given.update(record))


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
