"""The games of the incentives: what strategies earn beside honest play, on real rounds, by the product's own rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks.incentives_ledger import Income, Statements, play_game
from benchmarks.incentives_strategies import HOSPITALS, Game, games, honest
from benchmarks.incentives_world import GameRound, GameWorld, play_world
from benchmarks.quarantine import RECIPES
from benchmarks.quarantine_rounds import Conduct
from benchmarks.valuation_world import World, build_world
from fl_core.data import load
from incentives import DEFAULT_RULE

DEVICES_EACH = 24
ROUNDS = 12
SEEDS = 5
FREE_SHARE = 0.1
CAPACITIES = {"an equal part": 1.0, "half as much again": 1.5}
"""Capacity that each hospital is voted, as a multiple of 1 / hospitals."""

_RIDERS = (Conduct.ZEROS, Conduct.NOISE, Conduct.LABEL_FLIP)
_EQUAL = dict.fromkeys(range(1, HOSPITALS + 1), 10_000 // HOSPITALS)


@dataclass(frozen=True)
class GameFigures:
    """What a strategy brings.

    Attributes:
        name: what is done.
        hospitals: how many do it.
        capacity: what everybody's voted capacity is.
        gain: income of those who do it over that of honest play, less 1; mean over seeds.
        spread: its standard deviation over seeds.
        others: the same for all others.
        unpaid: share of the rounds that end without quorum.
        beyond_capacity: whether anybody was ever allocated more than its capacity.
    """

    name: str
    hospitals: int
    capacity: str
    gain: float
    spread: float | None
    others: float
    unpaid: float
    beyond_capacity: bool

    @property
    def profits(self) -> bool:
        """Whether it brings more than half a percent."""
        return self.gain > 0.005


@dataclass(frozen=True)
class DeviceFigures:
    """What a device earns that does something else, over what an honest one of its hospital does on average.

    Attributes:
        conduct: what it does.
        income: mean over devices and seeds.
        last_rounds: the same over the second half of the rounds alone.
        gated: share of rounds and devices in which it weighed nothing.
    """

    conduct: str
    income: float
    last_rounds: float
    gated: float


@dataclass(frozen=True)
class IncentiveFigures:
    """All games.

    Attributes:
        data: what the real rounds are on.
        games: of hospitals.
        devices: of devices.
        two_accounts: income of an owner who enrols one device twice, over honest play, less 1.
        hospitals: in the consortium.
        devices_each: devices of each.
        rounds: of a run.
        seeds: number of seeds.
    """

    data: str
    games: tuple[GameFigures, ...]
    devices: tuple[DeviceFigures, ...]
    two_accounts: float
    hospitals: int
    devices_each: int
    rounds: int
    seeds: int

    @property
    def within_capacity(self) -> bool:
        """Whether no strategy was allocated more than the capacity that was voted for it."""
        return not any(game.beyond_capacity for game in self.games)

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        found = asdict(self)
        for game, row in zip(self.games, found["games"], strict=True):
            row["profits"] = game.profits
        return {**found, "within_capacity": self.within_capacity}


def measure_incentives(
    *,
    data: str = "har",
    quick: bool = False,
    seeds: int = SEEDS,
    rounds: int = ROUNDS,
    devices_each: int = DEVICES_EACH,
    progress: Callable[[str], None] = lambda _: None,
) -> IncentiveFigures:
    """Play every game; har needs FEDIOMT_DATA.

    Args:
        data: "har" or "wdbc".
        quick: one seed and 6 rounds, for a first look.
        seeds: number of seeds, at least 1, each with real rounds of its own.
        rounds: of a run.
        devices_each: devices of a hospital.
        progress: called with what is done.

    Raises:
        DataError: the data set is not there, or too small.
        SpecError: values that cannot work.
    """
    table = load(data)
    if quick:
        seeds, rounds = 1, 6
    worlds: list[dict[str, GameWorld]] = []
    for seed in range(seeds):
        progress(f"real rounds, seed {seed + 1} of {seeds}")
        world = build_world(
            table,
            RECIPES[data],
            alpha=math.inf,
            seed=seed,
            hospitals=HOSPITALS,
            devices_each=devices_each,
            attacked=False,
        )
        worlds.append(_real_runs(world, data, seed=seed, rounds=rounds, devices_each=devices_each))
    progress("games")
    return IncentiveFigures(
        data=data,
        games=tuple(
            found
            for name, factor in CAPACITIES.items()
            for found in _played_all(name, factor, worlds, rounds)
        ),
        devices=tuple(
            _device_figures([found[conduct.value] for found in worlds], conduct) for conduct in _RIDERS
        ),
        two_accounts=float(np.mean([_two_accounts(found["honest"]) for found in worlds])),
        hospitals=HOSPITALS,
        devices_each=devices_each,
        rounds=rounds,
        seeds=seeds,
    )


def _real_runs(world: World, data: str, *, seed: int, rounds: int, devices_each: int) -> dict[str, GameWorld]:
    """The real rounds that games are played on: honest ones, and those of misconduct that changes utilities."""
    count = HOSPITALS * devices_each
    rng = np.random.default_rng((seed, 71))

    def run(conduct: Sequence[Conduct], absent: frozenset[int] = frozenset()) -> GameWorld:
        return play_world(world, RECIPES[data], conduct, seed=seed, rounds=rounds, absent=absent)

    good = run((Conduct.HONEST,) * count)
    final = sorted(good.rounds[-1].turns[1], key=lambda turn: (turn.quality, turn.device))
    better = frozenset(turn.device for turn in final[-(devices_each // 3) :])
    found = {
        "honest": good,
        "withheld": run((Conduct.HONEST,) * count, better),
        "poisoned": run((Conduct.LABEL_FLIP,) * devices_each + (Conduct.HONEST,) * (count - devices_each)),
    }
    chosen = rng.permutation(count)[: round(FREE_SHARE * count)].tolist()
    for rider in _RIDERS:
        found[rider.value] = run([rider if k in chosen else Conduct.HONEST for k in range(count)])
    return found


def _played_all(
    capacity: str, factor: float, worlds: Sequence[Mapping[str, GameWorld]], rounds: int
) -> Iterator[GameFigures]:
    """Every game at one capacity."""
    full = round(10_000 * factor / HOSPITALS)
    capacities = dict.fromkeys(range(1, HOSPITALS + 1), full)
    plain = {
        against: [play_game(found[against], honest, capacities) for found in worlds]
        for against in {game.against for game in games()}
    }
    for game in games():
        voted = {**capacities, **_voted(game.capacities or {}, full)}
        played = [play_game(found[game.world], game.strategy, voted) for found in worlds]
        yield _figures(game, capacity, plain[game.against], played, rounds)


def _figures(
    game: Game, capacity: str, plain: Sequence[Income], played: Sequence[Income], rounds: int
) -> GameFigures:
    originals = [h for h in game.cheaters if h <= HOSPITALS]
    rest = [h for h in range(1, HOSPITALS + 1) if h not in game.cheaters]
    pairs = list(zip(plain, played, strict=True))
    gains = [_of(after, game.cheaters) / _of(before, originals) - 1 for before, after in pairs]
    return GameFigures(
        name=game.name,
        hospitals=len(originals),
        capacity=capacity,
        gain=float(np.mean(gains)),
        spread=float(np.std(gains, ddof=1)) if len(gains) > 1 else None,
        others=float(np.mean([_of(after, rest) / _of(before, rest) - 1 for before, after in pairs])),
        unpaid=sum(income.unpaid_rounds for income in played) / (rounds * len(played)),
        beyond_capacity=any(income.beyond_capacity for income in played),
    )


def _voted(shares: Mapping[int, float], full: int) -> dict[int, int]:
    return {hospital: int(share * full) for hospital, share in shares.items()}


def _of(income: Income, hospitals: Sequence[int]) -> int:
    return sum(income.hospitals.get(hospital, 0) for hospital in hospitals)


def _device_figures(worlds: Sequence[GameWorld], conduct: Conduct) -> DeviceFigures:
    """Income of misbehaving devices over the mean of the honest ones of their hospital."""
    incomes: list[float] = []
    late: list[float] = []
    gated: list[bool] = []
    for world in worlds:
        half = len(world.rounds) // 2
        whole, last = (
            play_game(replace(world, rounds=rounds), honest, _EQUAL)
            for rounds in (world.rounds, world.rounds[half:])
        )
        homes = {turn.device: h for h, turns in world.rounds[0].turns.items() for turn in turns}
        for device, did in enumerate(world.conduct):
            if did is Conduct.HONEST:
                continue
            peers = [k for k, h in homes.items() if h == homes[device] and world.conduct[k] is Conduct.HONEST]
            for income, ratios in ((whole, incomes), (last, late)):
                typical = np.mean([income.devices.get(k, 0) for k in peers])
                ratios.append(float(income.devices.get(device, 0) / typical) if typical else 0.0)
            gated += [
                turn.quality < DEFAULT_RULE.device_gate
                for played in world.rounds
                for turn in played.turns[homes[device]]
                if turn.device == device
            ]
    return DeviceFigures(conduct.value, float(np.mean(incomes)), float(np.mean(late)), float(np.mean(gated)))


def _two_accounts(world: GameWorld) -> float:
    """What the owner of one device of hospital 1 gains from enrolling it twice, each account with all of its rows."""
    owner = world.rounds[0].turns[1][0].device

    def doubled(_: GameRound, said: Statements) -> Statements:
        own = said[1]
        twice = (*own.claims, *(claim for claim in own.claims if claim.owner == owner))
        return {**said, 1: replace(own, claims=twice)}

    plain, played = (play_game(world, strategy, _EQUAL) for strategy in (honest, doubled))
    return played.devices[owner] / plain.devices[owner] - 1
