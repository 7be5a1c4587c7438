"""What the command line owes its user to say about the rows that hospitals value with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fl_core.valuation import unseen_classes
from scripts.federation.run import Run


def unseen_notes(run: Run) -> Iterator[str]:
    """One sentence where some validators have no row of a class."""
    population = run.population
    names, validation = population.table.class_names, population.federation.validation
    unseen = {
        hospital.id: unseen_classes(population.table.labels[validation[index]], len(names))
        for index, hospital in enumerate(population.hospitals)
    }
    lacking = Counter(code for codes in unseen.values() for code in codes)
    if not lacking or not run.spec.profile.scores_hospitals:
        return
    who = ", ".join(
        f"hospital {hospital} of {' and '.join(repr(names[code]) for code in codes)}"
        for hospital, codes in unseen.items()
        if codes
    )
    most = [names[code] for code, count in lacking.items() if 2 * count >= len(unseen)]
    worse = (
        f"; so many have none of {' and '.join(map(repr, most))} that the median leaves it out"
        if most
        else ""
    )
    yield f"validators without rows of a class see little of what a cohort does for it: {who}{worse}"
