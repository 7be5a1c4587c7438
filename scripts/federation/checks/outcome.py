"""What follows from the released sums, and the root update where the rule takes one: the next model."""

from __future__ import annotations

from collections.abc import Iterator

from fl_core.models import model_digest
from fl_core.tiers import next_model
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord


def check_model(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    """Combine the released sums again, and hold the model against the bundle's and the published one."""
    model = next_model(record.plan, record.releases, record.beacon, record.root_update)
    expected, found = model_digest(model), model_digest(record.model_after)
    yield from same("model", "model after the round, from the released sums", expected, found)
    if facts is not None and (any(facts.model_hash_after) or not facts.unpaid):
        yield from same("model", "hash of the new model", facts.model_hash_after, found)
