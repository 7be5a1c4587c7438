"""What cohorts' mean updates are worth on a hospital's own validation rows.

Two utilities, both in nats a row, each row's part clipped so that no single record decides, and the whole rounded to a
coarse step (DESIGN.md sections 5 and 12):

- the *gain*: the loss saved by applying the cohort's mean update by itself;
- the *path gain*: what the update contributes to the loss saved between the model before the round and the one after.
  It is linear in the update as long as no row's part is clipped, so what a cohort has is then the weighted mean of
  what its members have.

Utilities are integers in millionths of a nat, so that everything computed from them can be recomputed exactly.
"""

from fl_core.valuation.gain import cohort_utilities, model_score
from fl_core.valuation.path_gain import path_utilities
from fl_core.valuation.quantised import UTILITY_UNIT, unseen_classes

__all__ = ["UTILITY_UNIT", "cohort_utilities", "model_score", "path_utilities", "unseen_classes"]
