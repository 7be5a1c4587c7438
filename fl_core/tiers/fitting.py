"""Whether a round's model is one for a device's rows, as the device has them."""

from __future__ import annotations

from fl_core.errors import SpecError
from fl_core.round_plan import RoundPlan


def require_fit(plan: RoundPlan, *, features: int, classes: int, scaling: str) -> None:
    """Refuse a plan whose model cannot be trained on such rows, or whose spec names another scaling of them.

    Args:
        plan: the round's plan.
        features: features of a row.
        classes: classes of the data.
        scaling: SHA-256 (hex) of the scaling that the device has agreed on.

    Raises:
        SpecError: the message says which of them differ.
    """
    spec = plan.spec
    if features != spec.model.features:
        raise SpecError(
            f"round {plan.number}: the model takes {spec.model.features} features, the device has {features}"
        )
    if classes != spec.model.classes:
        raise SpecError(
            f"round {plan.number}: the model tells {spec.model.classes} classes apart, the data have {classes}"
        )
    if spec.scaling_digest not in ("", scaling):
        raise SpecError(
            f"round {plan.number}: the spec names a scaling of digest {spec.scaling_digest}, the device agreed on "
            f"{scaling}"
        )
