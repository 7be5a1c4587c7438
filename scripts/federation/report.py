"""The report of a run: one JSON object, the same to read as Markdown, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json
from fl_core.privacy import PrivacyLoss
from fl_core.spec import Profile
from scripts.console.notes import SIMULATION_ONLY, epsilon_text
from scripts.console.output import tokens
from scripts.federation.plots import BEHAVIOUR_LABELS, plot_accuracy, plot_hospital_tokens, plot_quality
from scripts.federation.privacy_figures import loss_json, person_json


@dataclass(frozen=True)
class HospitalLine:
    """What a hospital claimed to bring and what it got.

    Attributes:
        hospital: its id.
        inflated: whether it declared more rows than it has.
        uncapped_share: mean share of the budget by volume and compute, before the capacity, 0..1.
        capacity: the share it was voted at joining, 0..1.
        honest_share: mean capped share if every hospital had declared its true rows, 0..1.
        paid_share: mean share after the capacity, 0..1.
        tokens: allocated, in smallest units.
        quality: mean hospital quality applied, 0..10,000.
    """

    hospital: int
    inflated: bool
    uncapped_share: float
    capacity: float
    honest_share: float
    paid_share: float
    tokens: int
    quality: float


@dataclass(frozen=True)
class DeviceEarning:
    """What one device's leaves were due over the run, in smallest units, and its hospital."""

    hospital: int
    amount: int


@dataclass(frozen=True)
class RunReport:
    """Everything that a run shows at its end. Token amounts in smallest units (18 decimals).

    Attributes:
        run: the run's id.
        data: what it trained on.
        rounds: rounds run.
        accuracy: of the final model on the test rows.
        accuracy_centralised: of the same model trained on pooled rows.
        accuracy_by_round: after each round.
        wire_bytes_up: from devices to edges, protocol overhead included.
        wire_bytes_down: from edges to devices.
        setup_bytes_up: keys and scaling statistics, not in `wire_bytes_up`.
        setup_bytes_down: the same downwards.
        failed_cohorts: cohorts that failed closed.
        silent: device-rounds in which a device fell silent.
        allocated: by the ledger, all rounds.
        claimed: minted by claims.
        redeemed: paid for services.
        burnt: burnt.
        supply: total supply as the token reports it.
        gas: gas used, all transactions.
        gas_by_call: gas used by each kind of call: how often, and on average.
        earned: by behaviour, what each device earned, whoever claims it.
        hospitals: a line each.
        behaviours: by "hospital-index".
        quality_by_round: decoded device quality after each round, by "hospital-index".
        profile: what was seen and scored.
        loss: what the device that took part most lost, or None where noise is off.
        delta: of the loss.
        person_loss: the most that a person lost through all of their devices, or None where noise is off.
        devices_per_person: most devices that one person has.
        detection_auc: how well final qualities tell flippers from honest devices, 0..1, or None.
        detection_bound: the most that the noise leaves to any detector, or None without noise.
        gate: quality below which a device is not paid.
        audit_ok: whether the audit found nothing.
        clock: how time passed on the chain.
    """

    run: str
    data: str
    rounds: int
    accuracy: float
    accuracy_centralised: float
    accuracy_by_round: list[float]
    wire_bytes_up: int
    wire_bytes_down: int
    setup_bytes_up: int
    setup_bytes_down: int
    failed_cohorts: int
    silent: int
    allocated: int
    claimed: int
    redeemed: int
    burnt: int
    supply: int
    gas: int
    gas_by_call: dict[str, dict[str, float]]
    earned: dict[str, list[DeviceEarning]]
    hospitals: list[HospitalLine]
    behaviours: dict[str, str]
    quality_by_round: dict[str, list[int]]
    profile: str
    loss: PrivacyLoss | None
    delta: float | None
    person_loss: PrivacyLoss | None
    devices_per_person: int
    detection_auc: float | None
    detection_bound: float | None
    gate: int
    audit_ok: bool
    clock: str

    def mean_tokens(self, behaviour: str) -> float | None:
        """Mean tokens that devices of a behaviour earned, or None without such devices."""
        found = self.earned.get(behaviour, [])
        return fmean(tokens(item.amount) for item in found) if found else None

    def beside_honest(self, behaviour: str) -> float | None:
        """Mean pay of a behaviour's devices over that of the honest devices of the same hospitals."""
        honest = self.earned.get("honest", [])
        ratios = []
        for item in self.earned.get(behaviour, []):
            beside = [other.amount for other in honest if other.hospital == item.hospital]
            if sum(beside):
                ratios.append(item.amount / fmean(beside))
        return fmean(ratios) if ratios else None

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object: amounts in tokens, exact ones in smallest units under `exact`."""
        exact = {name: str(getattr(self, name)) for name in _AMOUNTS}
        value = asdict(self) | {name: tokens(getattr(self, name)) for name in _AMOUNTS}
        value["earned"] = {
            kind: [{"hospital": item.hospital, "tokens": tokens(item.amount)} for item in items]
            for kind, items in self.earned.items()
        }
        del value["loss"], value["person_loss"]
        value["hospitals"] = [{**asdict(line), "tokens": tokens(line.tokens)} for line in self.hospitals]
        return value | {
            **loss_json(self.loss, self.delta),
            **person_json(self.person_loss, self.devices_per_person),
            "simulation_only": ["accuracy_centralised"],
            "exact": exact,
            "honest_mean_tokens": self.mean_tokens("honest"),
            "flipper_mean_tokens": self.mean_tokens("label_flip"),
            "free_rider_tokens": self.mean_tokens("free_rider"),
            "flipper_beside_honest": self.beside_honest("label_flip"),
            "free_rider_beside_honest": self.beside_honest("free_rider"),
        }


_AMOUNTS = ("allocated", "claimed", "redeemed", "burnt", "supply")


def write_report(folder: Path, report: RunReport) -> None:
    """Write `report.json`, `report.md` and the pictures into a run's folder."""
    rounds = list(range(1, report.rounds + 1))
    inflating = next((line.hospital for line in report.hospitals if line.inflated), 0)
    plot_accuracy(folder / "accuracy.png", rounds, report.accuracy_by_round, report.accuracy_centralised)
    plot_hospital_tokens(
        folder / "tokens.png", {line.hospital: tokens(line.tokens) for line in report.hospitals}, inflating
    )
    plot_quality(folder / "quality.png", rounds, report.quality_by_round, report.behaviours, report.gate)
    write_atomic(folder / "report.json", canonical_json(report.to_json()))
    write_atomic(folder / "report.md", markdown(report).encode())


def markdown(report: RunReport) -> str:
    """The report to read."""
    lines = [
        f"# Run {report.run}",
        "",
        f"{report.rounds} rounds on {report.data}. Time on the chain: {report.clock}.",
        "",
        *_table(("figure", "value"), [(name, value) for name, value in figures(report)]),
        "",
        "![Accuracy](accuracy.png)",
        "",
        "## What dishonesty earned",
        "",
        *_table(DEVICE_COLUMNS, device_rows(report)),
        "",
        quality_sentence(report),
        "",
        "![Quality](quality.png)",
        "",
        "## Hospitals",
        "",
        *_table(HOSPITAL_COLUMNS, hospital_rows(report)),
        "",
        inflation_sentence(report),
        "",
        "![Tokens](tokens.png)",
        "",
        "## Gas",
        "",
        *_table(
            ("call", "times", "mean gas"),
            [
                (name, f"{item['times']:.0f}", f"{item['mean']:,.0f}")
                for name, item in report.gas_by_call.items()
            ],
        ),
        "",
    ]
    return "\n".join(lines)


def figures(report: RunReport) -> list[tuple[str, str]]:
    """The headline figures, as text."""
    return [
        ("accuracy, federated", f"{report.accuracy:.1%}"),
        ("accuracy, centralised", f"{report.accuracy_centralised:.1%}, {SIMULATION_ONLY}"),
        ("bytes from devices", f"{report.wire_bytes_up:,}"),
        ("bytes to devices", f"{report.wire_bytes_down:,}"),
        ("profile", report.profile),
        ("epsilon", epsilon_text(report.loss, report.delta)),
        *person_figure(report),
        ("cohorts failed closed", f"{report.failed_cohorts}"),
        ("devices fallen silent", f"{report.silent}"),
        ("gas", f"{report.gas:,}"),
        ("allocated", f"{tokens(report.allocated):,.3f} tokens"),
        ("claimed", f"{tokens(report.claimed):,.3f} tokens"),
        ("redeemed", f"{tokens(report.redeemed):,.3f} tokens"),
        ("supply", f"{tokens(report.supply):,.3f} tokens"),
        ("audit", "nothing differs" if report.audit_ok else "FAILED"),
        ("time on the chain", report.clock),
    ]


def person_figure(report: RunReport) -> list[tuple[str, str]]:
    """The epsilons of a person, where one has several devices."""
    if report.devices_per_person == 1:
        return []
    name = f"epsilon of a person with up to {report.devices_per_person} devices"
    return [(name, epsilon_text(report.person_loss, report.delta))]


DEVICE_COLUMNS = ("devices", "number", "mean tokens", "least", "most", "of honest pay")
"""The last column is beside the honest devices of the same hospitals."""


def device_rows(report: RunReport) -> list[tuple[str, ...]]:
    """What devices of each behaviour earned."""
    rows: list[tuple[str, ...]] = []
    for behaviour, label in BEHAVIOUR_LABELS.items():
        amounts = [tokens(item.amount) for item in report.earned.get(behaviour, [])]
        beside = report.beside_honest(behaviour)
        if amounts:
            rows.append(
                (
                    label,
                    f"{len(amounts)}",
                    f"{fmean(amounts):,.2f}",
                    f"{min(amounts):,.2f}",
                    f"{max(amounts):,.2f}",
                    "-" if beside is None else f"{beside:.0%}",
                )
            )
    return rows


HOSPITAL_COLUMNS = ("hospital", "claimed", "capacity", "paid", "if honest", "quality", "tokens")
"""Shares are of a round's budget, averaged over the rounds; 'if honest' is with true declarations everywhere."""


def hospital_rows(report: RunReport) -> list[tuple[str, ...]]:
    """What each hospital claimed to bring, and what it got."""
    return [
        (
            f"{line.hospital}" + (", inflates" if line.inflated else ""),
            f"{line.uncapped_share:.1%}",
            f"{line.capacity:.1%}",
            f"{line.paid_share:.1%}",
            f"{line.honest_share:.1%}",
            f"{line.quality:,.0f}",
            f"{tokens(line.tokens):,.0f}",
        )
        for line in report.hospitals
    ]


def inflation_sentence(report: RunReport) -> str:
    """What inflating its volume brought a hospital, and what it cost the others."""
    inflating = [line for line in report.hospitals if line.inflated]
    if not inflating:
        return "No hospital inflated its volume."
    line = inflating[0]
    others_lost = sum(
        other.honest_share - other.paid_share for other in report.hospitals if other is not line
    )
    beyond = line.uncapped_share - line.paid_share
    capped = (
        f"Its capacity, voted at joining, is {line.capacity:.1%}: the {beyond:.1%} past it bought nothing, and it was "
        f"paid for {line.paid_share:.1%}"
        if beyond > 0
        else f"That lies within its capacity of {line.capacity:.1%}, and so it was paid for all of it"
    )
    part = line.tokens / max(1, sum(other.tokens for other in report.hospitals))
    return (
        f"Hospital {line.hospital} declared more rows than it has: by volume and compute it claimed "
        f"{line.uncapped_share:.1%} of the budget. {capped}; with true declarations everywhere it would have had "
        f"{line.honest_share:.1%}. The claim did take {others_lost:.1%} of the budget from the others, which stayed "
        f"unminted, so that {part:.1%} of all tokens are this hospital's. Volume is capped and auditable, not verified."
    )


def quality_sentence(report: RunReport) -> str:
    """What decoded quality does and does not find."""
    if report.profile != Profile.ACCOUNTABLE.value:
        return f"Profile {report.profile} scores no device: all have full marks, and dishonesty is paid like honesty."
    honest = [name for name, kind in report.behaviours.items() if kind in ("honest", "inflated")]
    series = [report.quality_by_round[name] for name in honest]
    below = sum(value < report.gate for values in series for value in values)
    count = sum(len(values) for values in series)
    found = f"Honest devices fell below the quality gate in {below} of {count} device-rounds."
    if report.detection_bound is None or report.detection_auc is None:
        return (
            f"{found} Quality finds who does harm; a free rider that sends zeros does little once training has "
            "converged, and is hardly told apart."
        )
    return (
        f"{found} Final qualities tell label flippers from honest devices with an AUC of {report.detection_auc:.2f}; "
        f"with this noise no detector has more than about {report.detection_bound:.2f}, and one that knows cohort sums "
        "only has less. What protects honest devices protects dishonest ones: see `fediomt demo --epsilon inf`."
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def gas_table(by_label: Mapping[str, Sequence[int]]) -> dict[str, dict[str, float]]:
    """How often each kind of call was made, and its mean gas."""
    return {label: {"times": len(used), "mean": fmean(used)} for label, used in sorted(by_label.items())}
