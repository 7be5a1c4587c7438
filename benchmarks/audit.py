"""How long the audit of a recorded run takes, and which checks take it: real rounds, real signatures, a real ledger."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recorded_engine import record_only
from benchmarks.tables import FigureTable
from chain.clock import clock_for
from chain.connect import connect
from chain.deploy import DeployConfig
from chain.node import AnvilNode
from chain.signing import EthereumSigner
from fl_core.data import load_csv
from incentives import DEFAULT_RULE
from scripts.federation.auditing import AuditLine, audit_run
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.public_ranges import DRAFT, write_draft
from scripts.federation.run import Run
from scripts.federation.settings import RunSettings
from scripts.federation.signing import domain_of
from scripts.federation.story import run_on_chain

Say = Callable[[str], None]

_FEATURES, _ROWS_A_DEVICE = 10, 12
_OWN_PAYEES = 0.05
_RUN, _LABEL = "audited", "state"
_CHAIN = 31337  # Anvil's own id
_LEDGER = "reading the ledger"


@dataclass(frozen=True)
class AuditFigures:
    """Seconds of wall clock unless `cpu` is in the name.

    Attributes:
        rounds: rounds of the run, all paid and claimed.
        devices: devices of all hospitals.
        hospitals: hospitals.
        cohort_size: aim of the draw.
        signatures: signatures that the audit recovered: survivors' masked inputs, devices' and hospitals' keys.
        claims: claims on the ledger, of devices and treasuries.
        bundle_bytes: of all rounds.
        record_s: making the record: signatures, valuation, entries, one hospital's recomputation, claims.
        audit_s: the audit.
        audit_cpu_s: CPU seconds of it, this process alone.
        by_check: seconds of the audit by check.
        findings: differences found; 0 in an honest record.
    """

    rounds: int
    devices: int
    hospitals: int
    cohort_size: int
    signatures: int
    claims: int
    bundle_bytes: int
    record_s: float
    audit_s: float
    audit_cpu_s: float
    by_check: dict[str, float]
    findings: int

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def measure_audit(
    *,
    rounds: int = 50,
    devices: int = 1_000,
    hospitals: int = 4,
    cohort_size: int = 24,
    k_min: int = 16,
    say: Say = lambda _: None,
) -> AuditFigures:
    """Record a run on a local chain, claim, and audit it.

    Args:
        rounds: rounds to record.
        devices: devices of all hospitals.
        hospitals: hospitals; the devices are shared out evenly.
        cohort_size: aim of the draw.
        k_min: fewest devices of a cohort and an entry.
        say: called with what is being done.
    """
    with tempfile.TemporaryDirectory() as folder, AnvilNode(chain_id=_CHAIN) as node:
        table = _table(Path(folder) / "rows.csv", devices)
        settings = RunSettings(
            data=None,
            csv=str(table),
            label=_LABEL,
            ranges=str(_ranges(Path(folder) / "ranges.json", table)),
            hospitals=hospitals,
            devices=devices // hospitals,
            rounds=rounds,
            cohort_size=cohort_size,
            k_min=k_min,
            epsilon=None,
            own_payees=_OWN_PAYEES,
        )
        w3 = connect(node.url, chain_id=_CHAIN)
        consortium = found_consortium(
            w3,
            DevelopmentKeyring(_CHAIN),
            DeployConfig.local(k_min=k_min, rule=DEFAULT_RULE),
            capacities_bps=[10_000 // hospitals] * hospitals,
        )
        begin = time.perf_counter()
        run, claims = _recorded(settings, consortium, Path(folder) / "run", say)
        record_s = time.perf_counter() - begin
        say("auditing")
        return _audited(run, consortium, claims, record_s)


def _table(path: Path, devices: int) -> Path:
    """Made-up rows of two classes that a line parts, with noise."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(_ROWS_A_DEVICE * devices, _FEATURES))
    states = np.where(rows.sum(axis=1) + rng.normal(size=len(rows)) > 0, "sick", "well")
    header = ",".join([*(f"reading{i}" for i in range(_FEATURES)), _LABEL])
    lines = (",".join([*(f"{v:.3f}" for v in row), state]) for row, state in zip(rows, states, strict=True))
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def _ranges(path: Path, table: Path) -> Path:
    """What is public of the made-up rows, so that no statistics are summed."""
    write_draft(path, load_csv(table, _LABEL), _LABEL)
    declared = json.loads(path.read_text(encoding="utf-8"))
    del declared[DRAFT]
    path.write_text(json.dumps(declared), encoding="utf-8")
    return path


def _recorded(settings: RunSettings, consortium: Consortium, folder: Path, say: Say) -> tuple[Run, int]:
    """The run, and how many claims were paid."""
    clock = clock_for(consortium.contracts.w3)
    say("keys of the epoch")
    contracts, keyring = consortium.contracts, consortium.keyring
    run = run_on_chain(settings, consortium, run_id=_RUN, folder=folder, clock=clock)

    @cache
    def signer(hospital: int, index: int, epoch: int) -> EthereumSigner:
        return EthereumSigner(keyring.device(hospital, index, epoch))

    ledger = bytes.fromhex(contracts.ledger.address[2:])
    record_only(run, signer, domain_of(_RUN, contracts.ledger.chain_id, ledger))
    run.train(lambda summary: say(f"recorded round {summary.record.number} of {settings.rounds}"))
    say("claiming")
    records = [summary.record for summary in run.summaries]
    payouts = claim_all(consortium, records, run.state.devices(), clock)
    return run, payouts.device_claims + payouts.treasury_claims


def _audited(run: Run, consortium: Consortium, claims: int, record_s: float) -> AuditFigures:
    taken: dict[str, float] = defaultdict(float)
    began = last = time.perf_counter()
    began_cpu = time.process_time()
    first = True

    def note(line: AuditLine) -> None:
        nonlocal last, first
        now = time.perf_counter()
        taken[_LEDGER if first else line.line.check] += now - last
        last, first = now, False

    lines = audit_run(run.store, run.state, consortium.contracts, progress=note)
    audit_s, audit_cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    records = [summary.record for summary in run.summaries]
    survivors = sum(
        len(report.survivors)
        for record in records
        for part in record.hospitals.values()
        for report in part.cohorts
    )
    keys = sum(len(part.advertisements) + 1 for part in records[0].hospitals.values())
    settings = run.settings
    return AuditFigures(
        rounds=settings.rounds,
        devices=settings.hospitals * settings.devices,
        hospitals=settings.hospitals,
        cohort_size=settings.cohort_size,
        signatures=survivors + keys,
        claims=claims,
        bundle_bytes=sum(len(data) for record in records for data in record.to_files().values()),
        record_s=record_s,
        audit_s=audit_s,
        audit_cpu_s=audit_cpu_s,
        by_check=dict(taken),
        findings=sum(len(line.findings) for line in lines),
    )


def audit_table(figures: AuditFigures) -> FigureTable:
    """The audit as a whole, then check by check."""
    rows = [
        ("whole audit", f"{figures.audit_s:.1f}", f"{1e3 * figures.audit_s / figures.rounds:.0f}"),
        *(
            (check, f"{seconds:.1f}", f"{1e3 * seconds / figures.rounds:.0f}")
            for check, seconds in sorted(figures.by_check.items(), key=lambda item: -item[1])
        ),
    ]
    return FigureTable(
        title=f"Audit of {figures.rounds} rounds of {figures.devices:,} devices at {figures.hospitals} hospitals",
        columns=("check", "seconds", "ms a round"),
        rows=tuple(rows),
        notes=(
            f"One process, {figures.audit_cpu_s:.1f} s of CPU; {figures.signatures:,} signatures recovered, "
            f"{figures.claims:,} claims, {figures.bundle_bytes / 1e6:.0f} MB of bundles, {figures.findings} "
            f"differences. Cohorts of {figures.cohort_size}, a logistic model, no noise, no transcripts; signatures "
            "and ledger are real, the sums made up, since the audit of real ones takes as long. Making the record "
            f"took {figures.record_s:.0f} s. The goal is below 60 s on two cores. `{_LEDGER}` is what comes before the "
            "first check: all events and the state of every round; `bundle` is reading each file and writing it again.",
        ),
    )
