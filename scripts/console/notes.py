"""What the command line owes its user to say about privacy."""

from __future__ import annotations

import math

from fl_core.privacy import NoiseSpec, PrivacyLoss, RoundExposure, composed_person_loss
from fl_core.secagg.masking import CHECK_BYTES
from fl_core.secagg.packing import packed_bytes
from fl_core.spec import Profile, RoundSpec
from fl_core.training import LocalTraining

NO_EPSILON = "none: differential privacy is off"
SIMULATION_ONLY = (
    "trained without noise on all rows in one place, which only a simulation can: no claim covers it"
)
ACCOUNTS_END = (
    "Accounts end with the run: another one over the same devices costs as much again, and adds to it."
)

_SEEN = {
    Profile.ACCOUNTABLE: "nobody sees a single device's update, only sums over cohorts",
    Profile.HOSPITAL: "nobody sees a single device's update, and outside a hospital only the sum of its devices",
    Profile.PRIVATE: "nobody sees a single device's update, and outside the hospitals only one sum over all devices",
}
_WITHOUT_NOISE = {
    Profile.ACCOUNTABLE: (
        "but over about as many rounds as a cohort has members, mean updates can be reconstructed from the sums"
    ),
    Profile.HOSPITAL: "but nothing bounds what can be inferred from the sums",
    Profile.PRIVATE: "but nothing bounds what can be inferred from the sum",
}


def privacy_note(spec: RoundSpec, devices_per_person: int) -> str:
    """What a run under this spec lets be seen, and what is claimed about it.

    Args:
        spec: of the run's rounds.
        devices_per_person: most devices that one person has.
    """
    seen = f"{_SEEN[spec.profile]}"
    if spec.noise is None or spec.exposure is None:
        return (
            f"Profile {spec.profile.value}, differential privacy off: {seen}; {_WITHOUT_NOISE[spec.profile]}."
        )
    return (
        f"Profile {spec.profile.value}: {seen}, with noise for epsilon {spec.noise.epsilon:g} (delta "
        f"{spec.noise.delta:.2g}) of a device's whole data set over {spec.noise.rounds} rounds."
        + _person_note(spec.exposure, spec.noise, devices_per_person)
        + f" {ACCOUNTS_END}"
    )


def transcript_note(spec: RoundSpec, devices: int) -> str:
    """What keeping transcripts costs and tells, for so many devices."""
    inputs = packed_bytes(spec.terms.lengths[0], spec.bits)
    checks = CHECK_BYTES * (spec.largest_cohort + 1)
    size = devices * (inputs + checks) / 1e3
    noise = (
        ", and the seeds of the hospitals' noise of the epoch: towards that auditor the claim is that at the edge"
        if spec.noise is not None
        else ""
    )
    return (
        f"Transcripts: up to {size:,.0f} kB a round is kept until `fediomt audit --delete-transcripts`. Whoever holds "
        f"the auditor's key learns every cohort's sum{noise}; no single update."
    )


def record_note(training: LocalTraining, epsilon: float, rounds: int) -> str:
    """What per-record DP-SGD claims of a run of so many rounds, given its epsilon."""
    privacy = training.record_privacy
    assert privacy is not None
    return (
        f"Per-record DP-SGD: epsilon {_figure(epsilon)} (delta {privacy.delta:.2g}) of one record of one device over "
        f"{rounds} rounds of {training.epochs} epochs, with noise of {privacy.noise_multiplier:.3g} times the clip "
        f"{privacy.max_grad_norm:g}. It holds even towards whoever sees a device's own update, as can be reconstructed "
        f"in profile accountable; a patient with several records is not the unit. {ACCOUNTS_END}"
    )


def _person_note(exposure: RoundExposure, noise: NoiseSpec, devices: int) -> str:
    if devices == 1:
        return ""
    loss = composed_person_loss([(exposure, devices, noise.rounds)], noise.delta)
    return f" A person here has up to {devices} devices: for all of them together epsilon is {_figure(loss.release)}."


def epsilon_text(loss: PrivacyLoss | None, delta: float | None) -> str:
    """The three epsilons, to read."""
    if loss is None or delta is None:
        return NO_EPSILON
    return (
        f"{_figure(loss.release)} at release, {_figure(loss.edge)} at the edge, {_figure(loss.unmasked)} if secure "
        f"aggregation were broken (delta {delta:.2g})"
    )


def _figure(epsilon: float) -> str:
    return f"{epsilon:.2f}" if math.isfinite(epsilon) else "none"
