"""How a hospital writes the same in another way, or something besides, and makes everything of its own anew to fit."""

from __future__ import annotations

from collections.abc import Callable

from lying_world import LIAR, LyingWorld, Told
from telling_lies import absent
from told_records import with_cohort, with_part

from fl_core.canonical import sha256


def survivors_in_another_order(world: LyingWorld) -> Told:
    survivors = world.honest.hospitals[LIAR].cohorts[0].survivors
    return world.recorded(world.made_anew(with_cohort(world.honest, LIAR, 0, survivors=survivors[::-1])))


def members_in_another_order(world: LyingWorld) -> Told:
    members = world.honest.hospitals[LIAR].cohorts[0].members
    return world.recorded(world.made_anew(with_cohort(world.honest, LIAR, 0, members=members[::-1])))


def kept_of(name: str) -> Callable[[LyingWorld], Told]:
    """What a device that fell silent had sent, kept beside what the survivors sent."""

    def tell(world: LyingWorld) -> Told:
        part, who = world.honest.hospitals[LIAR], absent(world)
        index = next(i for i, c in enumerate(part.cohorts) if who in c.members)
        kept = {**getattr(part.cohorts[index], name), who: bytes(32)}
        return world.recorded(world.made_anew(with_cohort(world.honest, LIAR, index, **{name: kept})))

    return tell


def advertisements_in_another_order(world: LyingWorld) -> Told:
    turned = world.honest.hospitals[LIAR].advertisements[::-1]
    return world.recorded(world.made_anew(with_part(world.honest, LIAR, advertisements=turned)))


def leaves_in_another_order(world: LyingWorld) -> Told:
    record = world.made_anew(world.honest)
    turned = record.hospitals[LIAR].contributions[::-1]
    return world.recorded(with_part(record, LIAR, contributions=turned))


def a_wider_tree(world: LyingWorld) -> Told:
    salts = world.honest.hospitals[LIAR].salts
    record = with_part(world.honest, LIAR, salts=(*salts, *map(sha256, salts)))
    return world.recorded(world.made_anew(record))
