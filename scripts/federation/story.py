"""The story of a run on a chain, in steps: train and record, claim, redeem, report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from chain.clock import Clock
from chain.signing import EthereumSigner
from fl_core.simulation.behaviours import Behaviour
from scripts.federation.chain_book import ChainBook
from scripts.federation.consortium import Consortium
from scripts.federation.earnings import device_earnings
from scripts.federation.privacy_figures import detection_auc, detection_bound
from scripts.federation.redemption import Redemption
from scripts.federation.report import DeviceEarning, RunReport, gas_table
from scripts.federation.run import Run
from scripts.federation.settings import RunSettings
from scripts.federation.shares import hospital_lines


def run_on_chain(
    settings: RunSettings,
    consortium: Consortium,
    *,
    run_id: str,
    folder: Path,
    clock: Clock,
    resumed: bool = False,
) -> Run:
    """A run whose rounds are recorded by a consortium; devices sign with accounts of their own."""
    contracts, keyring = consortium.contracts, consortium.keyring
    return Run(
        settings,
        run_id=run_id,
        folder=folder,
        book=ChainBook(
            contracts,
            consortium.signatories(settings.hospitals),
            clock,
            signed=consortium.signed_beside(folder),
            resumed=resumed,
        ),
        accounts=lambda hospital, index, epoch: EthereumSigner(keyring.device(hospital, index, epoch)),
        hospital_accounts=lambda hospital: EthereumSigner(keyring.hospital(hospital)),
        deployment=asdict(contracts.deployment),
    )


def report_of(
    run: Run,
    consortium: Consortium,
    *,
    redemption: Redemption,
    centralised: float,
    audit_ok: bool,
    clock: str,
) -> RunReport:
    """Put a finished run's report together; every amount is read from the chain."""
    contracts, population = consortium.contracts, run.population
    records = [summary.record for summary in run.summaries]
    entries = {
        (record.number, entry.hospital): entry
        for record in records
        for entry in contracts.ledger.entries(record.number, sorted(record.hospitals))
    }
    allocations = {key: entry.allocation for key, entry in entries.items()}
    devices = run.state.devices()
    inflating = run.settings.inflating_hospital if run.settings.inflation > 1 else 0
    shown = {
        place: "inflated" if place[0] == inflating and kind is Behaviour.HONEST else kind.value
        for place, kind in population.behaviours.items()
    }
    earned: dict[str, list[DeviceEarning]] = {}
    for address, amount in device_earnings(records, allocations).items():
        hospital, index, _ = devices[address]
        earned.setdefault(shown[hospital, index], []).append(DeviceEarning(hospital, amount))
    true_rows = {a: population.true_rows[h, i] for a, (h, i, _) in devices.items()}
    capacities = {h.id: h.capacity_bps for h in contracts.consortium.hospitals()}
    minted = contracts.token.total_minted()
    names = list(population.behaviours)
    return RunReport(
        run=run.state.run,
        data=population.table.name,
        rounds=len(records),
        accuracy=run.summaries[-1].accuracy,
        accuracy_centralised=centralised,
        accuracy_by_round=[summary.accuracy for summary in run.summaries],
        wire_bytes_up=sum(summary.wire.up for summary in run.summaries),
        wire_bytes_down=sum(summary.wire.down for summary in run.summaries),
        setup_bytes_up=population.setup_wire.up,
        setup_bytes_down=population.setup_wire.down,
        failed_cohorts=sum(summary.failed_cohorts for summary in run.summaries),
        silent=sum(summary.silent for summary in run.summaries),
        allocated=sum(allocations.values()),
        claimed=minted,
        redeemed=redemption.price if redemption.status == "paid" else 0,
        burnt=contracts.token.total_burned(),
        supply=contracts.token.total_supply(),
        gas=consortium.gas.total(),
        gas_by_call=gas_table(consortium.gas.by_label()),
        earned=earned,
        hospitals=hospital_lines(
            records,
            true_rows=true_rows,
            capacities_bps=capacities,
            allocations=allocations,
            qualities={key: entry.quality for key, entry in entries.items() if entry.submitted},
            inflating=inflating,
        ),
        behaviours={f"{h}-{i}": shown[h, i] for h, i in names},
        quality_by_round={f"{h}-{i}": [summary.quality[h, i] for summary in run.summaries] for h, i in names},
        profile=run.spec.profile.value,
        loss=population.privacy_loss(),
        delta=None if run.spec.noise is None else run.spec.noise.delta,
        person_loss=population.person_loss(),
        devices_per_person=population.devices_per_person,
        detection_auc=None
        if not run.spec.profile.scores_devices
        else detection_auc(
            {f"{h}-{i}": run.summaries[-1].quality[h, i] for h, i in names},
            {f"{h}-{i}": shown[h, i] for h, i in names},
        ),
        detection_bound=detection_bound(run.spec, len(records)),
        gate=records[-1].rule.device_gate,
        audit_ok=audit_ok,
        clock=clock,
    )
