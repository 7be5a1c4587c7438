"""What hospitals may try: each strategy turns a round's honest statements into others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from benchmarks.incentives_ledger import Claim, Statement, Statements, Strategy
from benchmarks.incentives_world import GameRound
from incentives import DeviceClass

HOSPITALS = 7
FEW, MANY = (1, 2), (1, 2, 3, 4)
"""Coalitions below and above (n - 1) / 2 of 7 hospitals."""

_CHEAT = 1
_SHAM_ROUNDS = 5
_FACTOR = 16
_SERVER_ROWS = 1 << 20


@dataclass(frozen=True)
class Game:
    """A strategy, who plays it, and what it is held against.

    Attributes:
        name: what is done.
        cheaters: ids of the hospitals that do it; parts of a split hospital included.
        strategy: what becomes of the honest statements.
        world: the real run it is played on.
        against: the real run that honest play is on.
        capacities: capacities that differ from what all others have, as shares of it.
    """

    name: str
    cheaters: tuple[int, ...]
    strategy: Strategy
    world: str = "honest"
    against: str = "honest"
    capacities: Mapping[int, float] | None = None


def honest(_: GameRound, said: Statements) -> Statements:
    """Tell the truth."""
    return said


def _by(change: Callable[[GameRound, Statement], Statement], *who: int) -> Strategy:
    """Some hospitals change what they state."""

    def strategy(played: GameRound, said: Statements) -> Statements:
        return {h: change(played, own) if h in who else own for h, own in said.items()}

    return strategy


def _claims(change: Callable[[Claim], tuple[Claim, ...]], *, also: int = _CHEAT) -> Strategy:
    def changed(_: GameRound, own: Statement) -> Statement:
        return replace(own, claims=tuple(claim for old in own.claims for claim in change(old)))

    return _by(changed, also)


def _split(_: GameRound, said: Statements) -> Statements:
    """Hospital 1 becomes hospitals 1, 8 and 9 with a third of its devices each; others score all three alike."""
    own, parts = said[_CHEAT], (_CHEAT, HOSPITALS + 1, HOSPITALS + 2)

    def scored(hospital: int, scores: Mapping[int, int] | None) -> dict[int, int]:
        known = dict(scores or {})
        mine = known.pop(_CHEAT, 10_000)
        return {**known, **{part: mine for part in parts if part != hospital}}

    found = {
        h: replace(statement, scores=scored(h, statement.scores))
        for h, statement in said.items()
        if h != _CHEAT
    }
    for place, part in enumerate(parts):
        found[part] = replace(own, claims=own.claims[place::3], scores=scored(part, own.scores))
    return dict(sorted(found.items()))


def _scoring(others: int, among: tuple[int, ...]) -> Strategy:
    """Full marks for each other, `others` for everybody else."""

    def changed(_: GameRound, own: Statement) -> Statement:
        scores = {h: 10_000 if h in among else others for h in own.scores or {}}
        return replace(own, scores=scores)

    return _by(changed, *among)


def _model_scores(score: Callable[[GameRound, int], int], who: tuple[int, ...]) -> Strategy:
    return _by(lambda played, own: replace(own, model_score=score(played, own.model_score)), *who)


def _sandbag(played: GameRound, true: int) -> int:
    return 0 if played.number <= _SHAM_ROUNDS else true


def _climb(played: GameRound, _: int) -> int:
    """A thousand points more in each round, whatever the model is worth: as much as the bonus cap pays."""
    return min(10_000, 1_000 * (played.number - 1))


def _split_and_inflated(played: GameRound, said: Statements) -> Statements:
    parts = _split(played, said)
    for part in (_CHEAT, HOSPITALS + 1, HOSPITALS + 2):
        more = tuple(replace(claim, rows=_FACTOR * claim.rows) for claim in parts[part].claims)
        parts[part] = replace(parts[part], claims=more)
    return parts


def _claim_too_much_work(claim: Claim) -> tuple[Claim, ...]:
    return (replace(claim, compute=5_000),)


def games() -> tuple[Game, ...]:
    """Every game of hospitals that the bench plays."""
    parts = (_CHEAT, HOSPITALS + 1, HOSPITALS + 2)
    return (
        Game(
            f"declares {_FACTOR} times its rows",
            (_CHEAT,),
            _claims(lambda claim: (replace(claim, rows=_FACTOR * claim.rows),)),
        ),
        Game(
            "declares its wearables servers with a million rows",
            (_CHEAT,),
            _claims(lambda claim: (replace(claim, device_class=int(DeviceClass.SERVER), rows=_SERVER_ROWS),)),
        ),
        Game(
            "writes more work into leaves than plan and rows give", (_CHEAT,), _claims(_claim_too_much_work)
        ),
        Game(
            "writes full quality into all of its leaves",
            (_CHEAT,),
            _claims(lambda claim: (replace(claim, quality=10_000),)),
        ),
        Game("enrols a copy of each device", (_CHEAT,), _claims(lambda claim: (claim, claim))),
        Game(
            "shares each device's rows among two accounts",
            (_CHEAT,),
            _claims(lambda claim: (replace(claim, rows=max(1, claim.rows // 2)),) * 2),
        ),
        Game(
            "joins as three hospitals, capacity divided by three",
            parts,
            _split,
            capacities=dict.fromkeys(parts, 1 / 3),
        ),
        Game(
            "joins as three hospitals, each voted a full capacity",
            parts,
            _split,
            capacities=dict.fromkeys(parts, 1.0),
        ),
        Game(
            f"the same, and {_FACTOR} times its rows",
            parts,
            _split_and_inflated,
            capacities=dict.fromkeys(parts, 1.0),
        ),
        Game("scores all others 0", (_CHEAT,), _scoring(0, (_CHEAT,))),
        Game("scores all others 10,000 without looking", (_CHEAT,), _scoring(10_000, (_CHEAT,))),
        Game(
            "copies another's commitment and scores",
            (_CHEAT,),
            lambda _, said: {**said, _CHEAT: replace(said[_CHEAT], scores=said[2].scores, copies=2)},
        ),
        Game("does not reveal", (_CHEAT,), _by(lambda _, own: replace(own, reveals=False), _CHEAT)),
        Game("does not attest", (_CHEAT,), _by(lambda _, own: replace(own, attests=False), _CHEAT)),
        Game(
            "three of seven do not attest",
            (1, 2, 3),
            _by(lambda _, own: replace(own, attests=False), 1, 2, 3),
        ),
        Game("leaves its better third of devices at home", (_CHEAT,), honest, world="withheld"),
        Game("poisons with all of its devices", (_CHEAT,), honest, world="poisoned"),
        *(
            Game(
                f"{len(who)} of 7 give each other full marks, the others 0; the first one poisons",
                who,
                _scoring(0, who),
                world="poisoned",
                against="poisoned",
            )
            for who in (FEW, MANY)
        ),
        *(
            Game(
                f"{len(who)} of 7 score the model 0 for {_SHAM_ROUNDS} rounds",
                who,
                _model_scores(_sandbag, who),
            )
            for who in (FEW, MANY)
        ),
        *(
            Game(f"{len(who)} of 7 score the model 10,000", who, _model_scores(lambda *_: 10_000, who))
            for who in (FEW, MANY)
        ),
        *(
            Game(
                f"{len(who)} of 7 let the model's score climb as the bonus cap pays",
                who,
                _model_scores(_climb, who),
            )
            for who in (FEW, MANY)
        ),
    )
