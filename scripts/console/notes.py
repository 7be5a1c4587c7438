"""What the command line owes its user to say about privacy."""

from __future__ import annotations

import math

from fl_core.privacy import PrivacyLoss
from fl_core.spec import Profile, RoundSpec

NO_EPSILON = "none: differential privacy is off"

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


def privacy_note(spec: RoundSpec) -> str:
    """What a run under this spec lets be seen, and what is claimed about it."""
    seen = f"{_SEEN[spec.profile]}"
    if spec.noise is None:
        return (
            f"Profile {spec.profile.value}, differential privacy off: {seen}; {_WITHOUT_NOISE[spec.profile]}."
        )
    return (
        f"Profile {spec.profile.value}: {seen}, with noise for epsilon {spec.noise.epsilon:g} (delta "
        f"{spec.noise.delta:.2g}) of a device's whole data set over {spec.noise.rounds} rounds."
    )


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
