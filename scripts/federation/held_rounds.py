"""The rounds of an epoch as a device has them: bundles at hand, and what the ledger says of each."""

from __future__ import annotations

from chain.contracts import Contracts
from chain.history import read_rounds
from fl_core.bundle import bundle_digest
from fl_core.errors import BundleError
from fl_core.spec import epoch_of
from fl_core.stores import RunStore
from scripts.federation.facts import LedgerFacts
from scripts.federation.ledger_facts import facts_of
from scripts.federation.own_receipt import HeldRound
from scripts.federation.record import RoundRecord


def rounds_of_epoch(
    store: RunStore, contracts: Contracts | None, number: int, *, run: str
) -> tuple[list[HeldRound], list[int]]:
    """A round and those of its epoch before it, in order; and those that were paid but whose bundles are not there.

    Args:
        store: where the bundles are; one of the round itself is there.
        contracts: the deployment, or None without a chain.
        number: the round.
        run: the run that the bundles are to be of.

    Raises:
        BundleError: a bundle is altered, malformed, in another form than its own, or of another round or run; or the
            ledger does not have the round.
    """
    facts: dict[int, LedgerFacts] = {}
    if contracts is not None:
        histories = (h for h in read_rounds(contracts) if _belongs(h.record.round, number))
        facts = {history.record.round: facts_of(contracts, history) for history in histories}
        if number not in facts:
            raise BundleError(
                f"the ledger knows no round {number}: whatever its bundle says, nothing is due of it there"
            )
    there = [item for item in store.bundles() if _belongs(item, number)]
    held = []
    for item in there:
        files = store.read_bundle(item)
        record = RoundRecord.from_files(files)
        record.require_own_form(files)
        if record.number != item:
            raise BundleError(f"the bundle of round {item} is of round {record.number}")
        if record.run != run:
            raise BundleError(f"the bundle of round {item} is of run {record.run}, not of {run}")
        held.append(HeldRound(record, bundle_digest(files), facts.get(item)))
    paid = (n for n, item in facts.items() if item.close is not None and item.close.paid)
    return held, sorted(set(paid) - set(there))


def _belongs(item: int, number: int) -> bool:
    return item <= number and epoch_of(item) == epoch_of(number)
