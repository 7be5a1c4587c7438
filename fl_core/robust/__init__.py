"""Robust rules over released means, and the root update that one of them trusts."""

from fl_core.robust.combine import combined_update
from fl_core.robust.coordinatewise import median, trimmed_mean
from fl_core.robust.fltrust import fltrust, trust_of
from fl_core.robust.geometric_median import geometric_median
from fl_core.robust.krum import chosen_by_krum, multi_krum
from fl_core.robust.root_update import AGREES_WITHIN, RootRows, root_update, same_update
from fl_core.robust.rule_spec import DEFAULT_SHARE, MEAN, RULES, SHARED, RuleName, RuleSpec

__all__ = [
    "AGREES_WITHIN",
    "DEFAULT_SHARE",
    "MEAN",
    "RULES",
    "SHARED",
    "RootRows",
    "RuleName",
    "RuleSpec",
    "chosen_by_krum",
    "combined_update",
    "fltrust",
    "geometric_median",
    "median",
    "multi_krum",
    "root_update",
    "same_update",
    "trimmed_mean",
    "trust_of",
]
