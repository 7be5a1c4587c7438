"""What validators said: utilities of just the sums that there are, as committed, and scores that follow from them."""

from __future__ import annotations

from collections.abc import Iterator

from chain.errors import RecordError
from chain.packing import pack_scores, quality_commitment
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.contributions import scores_of, valued_key
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord


def check_utilities(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    """Hold each validator's utilities against the sums that were there to value, and against their digest on chain."""
    keys = (valued_key(release) for release in record.releases)
    released = {key for key in keys if key is not None}
    if facts is not None:
        validators = [h for h in sorted(record.validators) if facts.has(facts.reveals, h)]
        yield from same("scores", "validators", sorted(facts.reveals), validators)
    for validator, said in record.validators.items():
        who = f"validator {validator}"
        due = sorted(key for key in released if key.hospital != validator)
        yield from same("utilities", f"{who}, sums valued", due, sorted(said.utilities))
        yield from same("utilities", f"{who}, sums with a path gain", due, sorted(said.path_gains))
        values = (*said.utilities.values(), *said.path_gains.values())
        coarse = all(value % record.spec.utility_step == 0 for value in values)
        yield from same("utilities", f"{who}, multiples of the agreed step", True, coarse)
        if facts is not None and validator in facts.reveals:
            digest = said.utilities_digest(record.number, validator)
            revealed = facts.reveals[validator].utilities_digest
            yield from same("utilities", f"{who}, digest", revealed, digest)


def check_scores(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    """Hold each validator's scores against its own utilities, and against what it revealed on chain."""
    for validator, said in record.validators.items():
        who = f"validator {validator}"
        if facts is not None and validator in facts.reveals:
            revealed = facts.reveals[validator]
            yield from same("scores", f"{who}, scores on chain", dict(revealed.scores), dict(said.scores))
            yield from same("scores", f"{who}, score of the model", revealed.model_score, said.model_score)
        scores = scores_of(said.utilities, validator, record.scoring)
        yield from same("scores", f"{who}, scores from its utilities", scores, dict(said.scores))
        if facts is not None and validator in facts.quality_commitments:
            committed = facts.quality_commitments[validator]
            yield from same("scores", f"{who}, commitment", committed, _commitment(record, validator, facts))


def _commitment(record: RoundRecord, validator: int, facts: LedgerFacts) -> bytes | str:
    """What the validator must have committed to, or why nobody can have committed to what it says."""
    said = record.validators[validator]
    try:
        packed = pack_scores(said.scores, facts.hospitals)
    except RecordError as error:
        return str(error)
    return quality_commitment(
        chain_id=record.chain_id,
        ledger="0x" + record.ledger.hex(),
        round_number=record.number,
        hospital=validator,
        packed_scores=packed,
        model_score=said.model_score,
        utilities_digest=said.utilities_digest(record.number, validator),
        salt=said.salt,
    )
