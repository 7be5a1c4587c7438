"""What was agreed on before a round: its spec and rule, as the ledger froze them, and the model that it starts from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from fl_core.models import model_digest
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.contributions import scoring_digest
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord


def check_spec(record: RoundRecord, facts: LedgerFacts | None, last: bytes | None) -> Iterator[Finding]:
    """Hold spec, rule and the list of hospitals against the ledger, and the spec against the round before.

    Args:
        record: the round.
        facts: the round as the ledger has it, or None without a chain.
        last: digest of the spec of the round before, None in the first.
    """
    spec = record.spec
    yield from same("spec", "scoring settings", spec.scoring_digest, scoring_digest(record.scoring))
    if facts is not None:
        yield from same("record", "chain id", facts.chain_id, record.chain_id)
        yield from same("record", "address of the ledger", facts.ledger, record.ledger)
        yield from same("spec", "round number", facts.number, record.number)
        yield from same("spec", f"k_min of at least {facts.k_min}", True, spec.k_min >= facts.k_min)
        hospitals = [h for h in sorted(record.hospitals) if facts.has(facts.ready, h)]
        yield from same("record", "hospitals with a ready list", sorted(facts.ready), hospitals)
        yield from same("spec", "spec hash", facts.spec_hash, spec.digest)
        yield from same("spec", "profile", facts.profile, spec.profile.code)
        yield from same("spec", "declared rho, in millionths", facts.rho_micro, spec.rho_micro)
        yield from same("spec", "reward rule", dict(facts.rule), asdict(record.rule))
    if last is not None:
        yield from same("spec", "spec, the same in all rounds of a run", last, spec.digest)


def held_nowhere(record: RoundRecord) -> Iterator[Finding]:
    """A finding where a round names a chain and its run says that there is none to hold it against."""
    if record.chain_id:
        named = f"held against the ledger that it names, of chain {record.chain_id}"
        yield Finding("bundle", f"round {record.number}", named, "a run that says it has no chain")


def check_start(
    record: RoundRecord, facts: LedgerFacts | None, last: bytes | None, before: bytes | None
) -> Iterator[Finding]:
    """Hold the model that the round starts from against the ledger and against the model that the last round gave.

    Args:
        record: the round.
        facts: the round as the ledger has it, or None without a chain.
        last: digest of the model after the round before, None in the first.
        before: digest of the model that the round before started from, None in the first.
    """
    found = model_digest(record.model_before)
    if facts is not None:
        yield from same("model", "hash of the starting model", facts.model_hash, found)
    if last is not None:
        yield from same("model", "starting model, after the round before", last, found)
    expected = before if record.spec.follows_updates else None
    yield from same("model", "model of the round before, in the plan", expected, record.plan.previous_hash)
