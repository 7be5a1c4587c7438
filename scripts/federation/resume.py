"""Going on with a run that was interrupted, be it by SIGKILL, where its last checkpoint was taken.

Without a chain the whole simulated world is set back to that point. Where noise is off or seeded, the result is that of
a run that was never interrupted, bit for bit. Where noise is drawn anew, a round that had begun is not done again:
sums with two different noises on the same updates would tell more than one. It is abandoned, every device is charged
for it, and the run goes on with the next number; `begun_rounds` is how that is known.

On a chain what the ledger recorded since is not undone: a round that was under way is passed over, unpaid; see
`resume_chain`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fl_core.checkpoint import Checkpoint, CheckpointError, CheckpointStore
from fl_core.errors import BundleError
from scripts.console.errors import CommandError
from scripts.federation.begun_rounds import last_begun
from scripts.federation.checks.transcribed import recorded_transcripts
from scripts.federation.offline import OfflineAccounts, offline_run
from scripts.federation.population import NoiseSources
from scripts.federation.record import RoundRecord
from scripts.federation.run import CHECKPOINTS, Run, RunState

RunMaker = Callable[[RunState, Checkpoint], Run]
"""Makes the run of a state, as it was made when it began; what the checkpoint holds is restored afterwards."""


@dataclass(frozen=True)
class Resumed:
    """A run that can go on.

    Attributes:
        run: the run; `train` does the rounds that are left.
        notes: what the user should know, one sentence each.
    """

    run: Run
    notes: tuple[str, ...]


def resume_run(folder: Path, make: RunMaker, settle: Callable[[Run], list[str]] = lambda _: []) -> Resumed:
    """Set a run to its last checkpoint.

    Args:
        folder: the run's folder.
        make: makes the run.
        settle: brings the record that all hospitals share to where the next round can begin; what it did, in sentences.

    Raises:
        CommandError: the run is complete, or was interrupted before its first checkpoint.
        CheckpointError: no checkpoint can be used, another process works on the run, or its data have changed.
    """
    known = RunState.read(folder)
    if known.status == "complete":
        with CheckpointStore(folder / CHECKPOINTS) as store:
            store.clear()
        raise CommandError(f"run {known.run} is complete: there is nothing to resume")
    if not (folder / CHECKPOINTS).is_dir():
        raise CommandError(f"run {known.run} has no checkpoint: start a new one with `fediomt train`")
    store = CheckpointStore(folder / CHECKPOINTS)
    try:
        found = store.latest()
        state = RunState.from_json(found.checkpoint.state.value("run"))
        run = make(state, found.checkpoint)
        run.restore(found.checkpoint, store)
        notes = [f"a newer checkpoint cannot be used ({reason})" for reason in found.refused]
        notes += settle(run)
        notes += _remove_unfinished(run)
    except BaseException:
        store.close()
        raise
    return Resumed(run, tuple(notes))


def resume_offline(folder: Path, noise: NoiseSources | None = None) -> Resumed:
    """Set a run without a chain to its last checkpoint, and pass over what had begun since where noise is drawn anew.

    Args:
        folder: the run's folder.
        noise: as the run was made with.

    Raises:
        CommandError: the run is complete, or was interrupted before its first checkpoint.
        CheckpointError: no checkpoint can be used, another process works on the run, or its data have changed.
    """

    def make(state: RunState, checkpoint: Checkpoint) -> Run:
        if state.deployment is not None:
            raise CheckpointError(f"run {state.run} was recorded on a chain: it goes on there only")
        accounts = OfflineAccounts(checkpoint.state.secret("accounts"))
        done = max(checkpoint.rounds_done, last_begun(folder / CHECKPOINTS))
        return offline_run(
            state.settings, state.run, folder, accounts=accounts, rounds_done=done, noise=noise
        )

    return resume_run(folder, make, _abandon_begun)


def _abandon_begun(run: Run) -> list[str]:
    """Abandon every round that had begun since the checkpoint, and charge all devices for it."""
    notes = []
    for number in range(run.cloud.rounds_done + 1, last_begun(run.folder / CHECKPOINTS) + 1):
        run.abandon(number)
        notes.append(
            f"round {number} was interrupted: doing it again with other noise would tell more than is accounted for, "
            f"so it is abandoned, every device is charged for it, and {run.rounds_left} of {run.settings.rounds} "
            "rounds are left"
        )
    return notes


def _remove_unfinished(run: Run) -> list[str]:
    """Remove bundles of rounds after the last checkpoint: nobody attested them, and no model follows from them.

    Transcripts that no bundle names go with them; where a bundle cannot be read, so that this cannot be told, all stay.
    """
    kept = set(run.state.rounds)
    named: set[bytes] | None = None
    if run.state.settings.auditor:
        try:
            records = (RoundRecord.from_files(run.store.read_bundle(number)) for number in sorted(kept))
            named = {digest for record in records for digest in recorded_transcripts(record)}
        except BundleError:
            named = None
    return [f"the unfinished bundle of round {number} was removed" for number in run.store.sweep(kept, named)]
