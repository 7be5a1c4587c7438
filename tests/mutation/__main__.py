"""`python -m tests.mutation`: change the contracts in one place at a time, and see which changes no test notices.

Needs a `forge build` of the checkout as it is. Prints a table of the mutants that live, writes all results as JSON, and
exits with 1 if fewer than the wanted part of those that could be killed was.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.mutation.bench import Bench, Trial
from tests.mutation.mutants import Mutant

_ROOT: Final = Path(__file__).resolve().parents[2]
ACCEPTED: Final = Path(__file__).with_name("accepted.json")
_WANTED: Final = 0.95


def main(arguments: list[str] | None = None) -> int:
    """Run the mutants that are asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="N mutants, of every source in proportion; default all"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants whose key contains TEXT")
    parser.add_argument(
        "--quick", action="store_true", help="no invariants and few fuzz runs for those that live"
    )
    parser.add_argument("--resume", action="store_true", help="leave out those that the last run killed")
    parser.add_argument("--folder", type=Path, default=_ROOT / "runs" / "mutants", help="where to work")
    options = parser.parse_args(arguments)
    bench = Bench(_ROOT, options.folder)
    print("compiling the mutants", flush=True)
    bench.prepare()
    failing = bench.passes_without_mutant()
    if failing:
        print(f"error: {failing} fails without a mutant: run forge build, then forge test", file=sys.stderr)
        return 2
    accepted = _read_accepted(bench.mutants)
    chosen = [mutant for mutant in bench.mutants if options.only in mutant.key]
    chosen = draw_sample(chosen, options.sample, options.seed) if options.sample else chosen
    print(f"{len(chosen)} of {len(bench.mutants)} mutants", flush=True)
    random.Random(options.seed).shuffle(chosen)
    trials = _killed_before(options.folder / "result.json", chosen) if options.resume else []
    done = {trial.mutant for trial in trials}
    for count, mutant in enumerate((m for m in chosen if m not in done), start=len(done) + 1):
        trials.append(bench.try_out(mutant, thorough=not options.quick))
        _write(options.folder / "result.json", trials, accepted)
        lives = sum(not trial.killer for trial in trials)
        print(f"\r{count} of {len(chosen)}, {lives} live", end="", flush=True)
    print()
    return report(trials, accepted)


def draw_sample(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """About `size` mutants in their order: of every source as many as its part of all, at least one."""
    groups: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        groups[mutant.path].append(mutant)
    source = random.Random(seed)
    drawn: list[Mutant] = []
    for path in sorted(groups):
        share = max(1, round(size * len(groups[path]) / len(mutants)))
        drawn += source.sample(groups[path], min(share, len(groups[path])))
    return sorted(drawn, key=lambda mutant: mutant.number)


def report(trials: list[Trial], accepted: dict[str, str]) -> int:
    """Print who lives and how many were killed; 1 if too few were."""
    live = sorted((trial.mutant for trial in trials if not trial.killer), key=lambda mutant: mutant.number)
    for mutant in live:
        why = f" (accepted: {accepted[mutant.key]})" if mutant.key in accepted else ""
        change = f"{mutant.original} -> {mutant.replacement or 'nothing'}"
        print(f"{mutant.path}:{mutant.line} {mutant.operator}: {change}{why}")
    counted = [trial for trial in trials if trial.mutant.key not in accepted]
    killed = sum(bool(trial.killer) for trial in counted)
    rate = killed / max(1, len(counted))
    print(
        f"killed {killed} of {len(counted)} ({100 * rate:.1f}%), {len(trials) - len(counted)} accepted as equivalent"
    )
    return 0 if rate >= _WANTED else 1


def _read_accepted(mutants: list[Mutant]) -> dict[str, str]:
    """Key -> why no test can kill that mutant. A key of no mutant is an error: the code has changed."""
    accepted: dict[str, str] = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    gone = accepted.keys() - {mutant.key for mutant in mutants}
    if gone:
        raise SystemExit(f"error: no such mutant any more, remove it from {ACCEPTED.name}: {min(gone)}")
    return accepted


def _killed_before(path: Path, chosen: list[Mutant]) -> list[Trial]:
    """Trials of the last run that killed one of these mutants, wherever its line is now."""
    killers = {row["key"]: row["killer"] for row in json.loads(path.read_text(encoding="utf-8"))}
    return [Trial(mutant, killers[mutant.key]) for mutant in chosen if killers.get(mutant.key)]


def _write(path: Path, trials: list[Trial], accepted: dict[str, str]) -> None:
    rows = [
        {
            **asdict(trial.mutant),
            "key": trial.mutant.key,
            "killer": trial.killer,
            "accepted": trial.mutant.key in accepted,
        }
        for trial in trials
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
