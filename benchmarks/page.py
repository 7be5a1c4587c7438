"""The page of figures: machine, versions, command, figures."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from benchmarks.accuracy import AccuracyFigures, Comparison


def benchmarks_page(accuracy: AccuracyFigures) -> str:
    """`docs/benchmarks.md` as measured on this machine."""
    return "\n".join(
        (
            "# Benchmarks",
            "",
            f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; Python {platform.python_version()}, "
            f"torch {version('torch')}, numpy {version('numpy')}. Each figure names the command that prints it again; "
            "`make bench` writes this page.",
            "",
            "## Federated against centralised accuracy",
            "",
            "`fediomt bench accuracy --seeds "
            f"{accuracy.seeds}`: wdbc, {accuracy.model} model, 4 hospitals x 16 devices, 10 rounds, Dirichlet "
            "label skew, every cohort summed securely. Mean test accuracy over seeds; the interval is the 95% interval "
            "(Student's t) of the mean paired difference. Centralised: the same model trained on all devices' rows in "
            "one place until the loss settles.",
            "",
            "| devices | federated | centralised | difference, 95% interval |",
            "|---|---|---|---|",
            _row("all honest", accuracy.honest),
            _row("two label flippers and a free rider among the 64", accuracy.dishonest),
            "",
        )
    )


def _row(which: str, cell: Comparison) -> str:
    low, high = cell.interval
    difference = f"{100 * cell.difference:+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]"
    return f"| {which} | {cell.federated:.2%} | {cell.centralised:.2%} | {difference} |"
