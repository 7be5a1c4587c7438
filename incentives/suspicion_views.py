"""A hospital's cohorts as one validator saw them: what bets on its account are decided by.

Views are kept apart, so that what one validator says moves its own account and no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from incentives.errors import IncentivesError
from incentives.scoring import CohortKey


@dataclass(frozen=True, slots=True)
class DrawnCohort:
    """A cohort, with what was fixed before its utility was known.

    Attributes:
        members: addresses (20 bytes) of the devices whose updates are in the sum.
        weights: public weight of each in the mean, at least 1.
        pool: which devices were drawn together; cohorts are compared within a pool (its link class).

    Raises:
        IncentivesError: if the cohort is empty, names a member twice, or weights do not fit.
    """

    members: tuple[bytes, ...]
    weights: tuple[int, ...]
    pool: int = 0

    def __post_init__(self) -> None:
        if not self.members or len(set(self.members)) != len(self.members):
            raise IncentivesError(f"a cohort of {len(self.members)} members is empty or names one twice")
        if len(self.weights) != len(self.members) or min(self.weights) < 1:
            raise IncentivesError(
                f"weights {self.weights} for {len(self.members)} members: give each one of at least 1"
            )


@dataclass(frozen=True, slots=True)
class JudgedCohort:
    """A valued cohort.

    Attributes:
        drawn: who was in it.
        utility: what it was worth, in units of utility; only differences within a hospital's pool count.
    """

    drawn: DrawnCohort
    utility: int


def judged_cohorts(
    utilities: Mapping[CohortKey, int], drawn: Mapping[CohortKey, DrawnCohort]
) -> dict[int, tuple[JudgedCohort, ...]]:
    """A round's cohorts by hospital, each as it was valued: no hospital's are touched by what others' are worth.

    Args:
        utilities: what cohorts were worth; one that was not drawn is left out.
        drawn: the cohorts whose sums were released, of all hospitals.
    """
    found: dict[int, list[JudgedCohort]] = {}
    for key, utility in sorted(utilities.items()):
        if key in drawn:
            found.setdefault(key.hospital, []).append(JudgedCohort(drawn[key], utility))
    return {hospital: tuple(cohorts) for hospital, cohorts in found.items()}


def judged_views(
    views: Mapping[int, Mapping[CohortKey, int]], drawn: Mapping[CohortKey, DrawnCohort]
) -> dict[int, dict[int, tuple[JudgedCohort, ...]]]:
    """A round's cohorts as each validator saw them: by hospital, then by validator.

    Args:
        views: utilities of the round by validator; its own cohorts, if present, are left out.
        drawn: the cohorts whose sums were released, of all hospitals.
    """
    found: dict[int, dict[int, tuple[JudgedCohort, ...]]] = {}
    for validator, utilities in sorted(views.items()):
        for hospital, cohorts in judged_cohorts(utilities, drawn).items():
            if hospital != validator:
                found.setdefault(hospital, {})[validator] = cohorts
    return found
