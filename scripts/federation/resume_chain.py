"""Going on with a run on a chain: where the ledger stands, and what of an interrupted round is left to do.

A checkpoint of round r is taken when the bundle of r is on disk and before any hospital attests it. So the ledger is in
one of these places when a run resumes from it:

- it has not opened another round: attestations and closing of r are done where they are missing;
- it has opened r + 1, which then has no attestation: that attempt is abandoned. Its phases are moved on when their
  deadlines have passed, it closes unpaid, its base emission rolls over, and r + 2 starts from the same model. A model
  that was published in it went with the process: nobody could recompute it;
- it has gone further, or not as far: then something else has used the ledger or it was set back, and the run stops.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from chain.clock import Clock
from chain.phases import Phase
from chain.records import RoundRecord
from fl_core.checkpoint import Checkpoint
from fl_core.models import model_digest
from scripts.console.errors import CommandError
from scripts.federation.chain_book import ChainBook
from scripts.federation.consortium import Consortium
from scripts.federation.resume import Resumed, resume_run
from scripts.federation.run import Run, RunState
from scripts.federation.story import run_on_chain


def resume_on_chain(folder: Path, consortium: Consortium, clock: Clock) -> Resumed:
    """Set a run on a chain to its last checkpoint, and bring the ledger to where its next round can begin.

    Raises:
        CommandError: the run is complete, has no checkpoint, or the ledger is not where this run left it.
        CheckpointError: no checkpoint can be used, another process works on the run, or its data have changed.
    """

    def make(state: RunState, _checkpoint: Checkpoint) -> Run:
        if state.deployment != asdict(consortium.contracts.deployment):
            raise CommandError(f"run {state.run} was recorded on other contracts than the ones deployed here")
        return run_on_chain(
            state.settings, consortium, run_id=state.run, folder=folder, clock=clock, resumed=True
        )

    return resume_run(folder, make, lambda run: settle(run, consortium, clock))


def settle(run: Run, consortium: Consortium, clock: Clock) -> list[str]:
    """Bring the ledger to where the run's next round can begin; what was done, in sentences.

    Raises:
        CommandError: the ledger is not where this run left it.
    """
    ledger, done = consortium.contracts.ledger, run.cloud.rounds_done
    last = ledger.current_round()
    if last not in (done, done + 1):
        raise CommandError(
            f"run {run.state.run} has done round {done}, the ledger's last one is {last}: "
            + ("its chain was set back" if last < done else "it was used by others since")
            + "; start a new run after `fediomt deploy --fresh`"
        )
    if last == done:
        _require_concluding(run, ledger.round(done) if done else None)
        return []
    found = ledger.round(last)
    if (found.spec_hash, found.model_hash) != (run.spec.digest, model_digest(run.cloud.model)):
        raise CommandError(
            f"round {last} of the ledger was not opened by run {run.state.run}: "
            "start a new run after `fediomt deploy --fresh`"
        )
    stood = found.phase
    if stood is not Phase.CLOSED:
        book = ChainBook(
            consortium.contracts,
            consortium.signatories(run.settings.hospitals),
            clock,
            signed=consortium.signed_beside(run.folder),
            resumed=True,
        )
        book.abandon_open_round()
    if ledger.round(last).paid:
        raise CommandError(
            f"round {last} is closed and paid on the ledger, but the run's newest checkpoint is of round {done}: "
            "it cannot go on. What is recorded can be audited and claimed"
        )
    run.abandon(last)
    return [
        f"round {last} was interrupted (phase {stood.name.lower()}): it is closed, and nothing is paid for it"
    ]


def _require_concluding(run: Run, found: RoundRecord | None) -> None:
    """The round of the checkpoint must be this run's, with all entries in."""
    if found is None or not run.summaries or found.round != run.summaries[-1].record.number:
        return
    record = run.summaries[-1].record
    after = model_digest(record.model_after)
    if found.phase < Phase.ATTEST or (found.spec_hash, found.model_hash_after) != (record.spec.digest, after):
        raise CommandError(
            f"round {found.round} on the ledger is not the one that run {run.state.run} has a bundle of: "
            "its chain was set back or used by others; start a new run after `fediomt deploy --fresh`"
        )
