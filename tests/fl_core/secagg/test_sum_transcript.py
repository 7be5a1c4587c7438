"""A transcript gives an auditor the edge's sum, and no input of a single device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from secagg_world import DOMAIN, Attempt, World, plain_sum, random_vectors

from fl_core.secagg import SecAggError, SecAggServer, derive_graph
from fl_core.secagg import messages as wire
from fl_core.secagg.sum_transcript import SumTranscript, sum_again
from fl_core.signing import LocalVerifier

MASKED_INPUT = 2


class Recorded:
    """An attempt whose server keeps a transcript, with every mask seed that its devices drew."""

    def __init__(self, *, size: int = 7, deaths: dict[int, int] | None = None, graph: bool = False) -> None:
        world = World.of(size)
        self.plan = world.plan()
        if graph:
            choice = derive_graph(size, 0.1, 2)
            self.plan = world.plan(threshold=choice.threshold, graph=choice.graph(None))
        self.vectors = random_vectors(self.plan, 4)
        self.run = Attempt(world, self.plan, self.vectors, deaths=deaths or {})
        self.run.server = SecAggServer(
            self.plan, world.roster, LocalVerifier(), DOMAIN, keeps_transcript=True
        )
        self.run.until(2)
        self.seeds = {}
        for member, client in enumerate(self.run.clients):
            for peer, mask in client._masks.items():
                name = ("own", member, member) if peer == member else ("pair", *sorted((member, peer)))
                self.seeds[name] = mask.seed
        self.dropped = [m for m in range(size) if (deaths or {}).get(m) == MASKED_INPUT]
        self.deposited = list(self.run.server._deposited)
        while not self.run.server.done:
            self.run.step()
        self.result = self.run.server.result
        self.survivors = [self.plan.index_of(address) for address in self.result.survivors]

    @property
    def transcript(self) -> SumTranscript:
        assert self.result.transcript is not None
        return SumTranscript.decode(self.result.transcript, self.plan)

    def again(self, transcript: SumTranscript | None = None, **changes) -> np.ndarray:
        terms = {
            "roster_root": self.run.world.roster.root,
            "deposited": self.result.deposited_hash,
            "masked_hashes": self.result.masked_hashes,
        }
        return sum_again(transcript or self.transcript, self.plan, **{**terms, **changes})

    def late_input(self, member: int) -> bytes:
        """What a device that fell silent would have sent; it arrives when its stage has passed."""
        message = self.run.clients[member].receive(self.run.delivered[1, member])
        with pytest.raises(SecAggError):
            self.run.server.receive(self.plan.members[member], message)
        return self.packed_of(member, message)

    def packed_of(self, member: int, message: bytes) -> bytes:
        peers = len(self.plan.neighbours_among(member, self.deposited)) if self.plan.confirmed else 0
        return wire.MaskedInput.decode(message, self.plan, peers).packed


@pytest.mark.parametrize("deaths", [{}, {2: 2}, {1: 2, 4: 2}, {0: 1, 3: 2}, {5: 0, 6: 3}, {2: 4, 3: 2}])
def test_the_sum_done_again_from_a_transcript_is_the_edges(deaths):
    recorded = Recorded(deaths=deaths)
    assert recorded.again().tolist() == recorded.result.sum.tolist()
    assert recorded.result.sum.tolist() == plain_sum(recorded.plan, recorded.vectors, recorded.survivors)


def test_an_edge_that_keeps_none_holds_no_masked_input():
    run = Attempt(World.of(5), World.of(5).plan(), random_vectors(World.of(5).plan(), 1))
    result = run.run()
    assert result.transcript is None
    assert run.server._masked == {}


def test_a_transcript_survives_its_encoding_and_nothing_else_decodes():
    recorded = Recorded(deaths={2: 2})
    data = recorded.result.transcript
    assert recorded.transcript.encode(recorded.plan) == data
    for junk in (b"", data[:-1], data + b"\0", b"\x02" + data[1:]):
        with pytest.raises(SecAggError):
            SumTranscript.decode(junk, recorded.plan)
    other = replace(recorded.plan, cohort=1)
    with pytest.raises(SecAggError, match="another plan"):
        SumTranscript.decode(data, other)


def with_input(transcript: SumTranscript, index: int, **changes) -> SumTranscript:
    item = replace(transcript.inputs[index], **changes)
    return replace(transcript, inputs={**transcript.inputs, index: item})


def test_whatever_was_not_signed_is_named():
    recorded = Recorded(deaths={2: 2})
    honest, member = recorded.transcript, recorded.plan.members[0].hex()
    first = honest.inputs[0]
    cases = {
        "not the one that it signed": [
            with_input(honest, 0, packed=bytes(len(first.packed))),
            with_input(honest, 0, self_check=bytes(16)),
            with_input(honest, 0, checks=(bytes(16), *first.checks[1:])),
        ],
        "is missing": [replace(honest, inputs={i: item for i, item in honest.inputs.items() if i != 0})],
        "was not opened": [replace(honest, seeds=())],
    }
    for words, lies in cases.items():
        for lie in lies:
            with pytest.raises(SecAggError, match=words) as refusal:
                recorded.again(lie)
            assert member in str(refusal.value)
    for lie in (
        replace(honest, nonces={**honest.nonces, 0: bytes(16)}),
        replace(honest, deposited=honest.deposited[1:]),
    ):
        with pytest.raises(SecAggError, match="is not what the survivors signed"):
            recorded.again(lie)


def test_a_device_that_is_not_reported_cannot_be_left_in_the_transcript_nor_out_of_the_sum():
    """Its own mask was opened, not those that it shares: without them the others' masks stay on."""
    recorded = Recorded()
    reported = {a: h for a, h in recorded.result.masked_hashes.items() if a != recorded.plan.members[3]}
    with pytest.raises(SecAggError, match="not reported as a survivor"):
        recorded.again(masked_hashes=reported)
    honest = recorded.transcript
    without = replace(honest, inputs={i: item for i, item in honest.inputs.items() if i != 3})
    with pytest.raises(SecAggError, match="was not opened"):
        recorded.again(without, masked_hashes=reported)


def determined(recorded: Recorded, late: dict[int, bytes]) -> np.ndarray:
    """Rows that span everything linear that the transcript, and late inputs besides, determine.

    Unknowns are each device's input, its own mask, and the mask of each pair. A masked input is a sum of these; a seed
    that can be read anywhere in the transcript gives its mask. Coefficients are rational here: more than a ring can do.
    """
    data, size = recorded.result.transcript, recorded.plan.size
    names = [("input", m, m) for m in range(size)] + sorted(set(recorded.seeds))
    column = {name: i for i, name in enumerate(names)}
    rows = []
    sent = {
        member: recorded.packed_of(member, message)
        for (stage, member), message in recorded.run.sent.items()
        if stage == MASKED_INPUT
    }
    shown = {member: packed for member, packed in sent.items() if packed in data}
    for member in (*shown, *late):
        row = np.zeros(len(names))
        row[column["input", member, member]] = row[column["own", member, member]] = 1
        for peer in recorded.plan.neighbours_among(member, recorded.deposited):
            row[column["pair", *sorted((member, peer))]] = 1 if member < peer else -1
        rows.append(row)
    for name, seed in recorded.seeds.items():
        if seed in data:
            row = np.zeros(len(names))
            row[column[name]] = 1
            rows.append(row)
    return np.array(rows)


def about_inputs(rows: np.ndarray, size: int) -> np.ndarray:
    """A basis of what is determined about inputs alone: combinations in which every mask cancels."""
    _, values, basis = np.linalg.svd(rows[:, size:].T)
    rank = int(np.sum(values > 1e-9))
    combined = basis[rank:] @ rows[:, :size]
    _, values, basis = np.linalg.svd(combined)
    return basis[: int(np.sum(values > 1e-9))]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("deaths", [{}, {2: 2}, {1: 2, 4: 2}, {0: 1, 3: 2}])
def test_everything_that_a_transcript_determines_is_the_sum_of_all_survivors(deaths, late):
    """Also with the masked input of a device that dropped out, which came too late and somebody kept."""
    recorded = Recorded(deaths=deaths)
    kept = {m: recorded.late_input(m) for m in recorded.dropped} if late else {}
    found = about_inputs(determined(recorded, kept), recorded.plan.size)
    assert len(found) == 1
    expected = np.isin(np.arange(recorded.plan.size), recorded.survivors) / np.sqrt(len(recorded.survivors))
    assert np.allclose(np.abs(found[0]), expected)


@pytest.mark.parametrize("late", [False, True])
def test_the_same_holds_over_a_neighbour_graph(late):
    recorded = Recorded(size=40, deaths={3: 2, 17: 1, 30: 2}, graph=True)
    assert recorded.plan.graph is not None
    assert recorded.again().tolist() == recorded.result.sum.tolist()
    kept = {m: recorded.late_input(m) for m in recorded.dropped} if late else {}
    found = about_inputs(determined(recorded, kept), recorded.plan.size)
    assert len(found) == 1
    assert (np.abs(found[0]) > 1e-6).tolist() == np.isin(np.arange(40), recorded.survivors).tolist()


def test_the_late_input_of_a_dropped_device_is_not_in_the_transcript():
    recorded = Recorded(deaths={2: 2})
    packed = recorded.late_input(2)
    assert packed not in recorded.result.transcript
    assert recorded.seeds["own", 2, 2] not in recorded.result.transcript


def test_the_argument_sees_a_leak_where_there_is_one():
    """Were both secrets of a dropped device in a transcript, its late input would be determined."""
    recorded = Recorded(deaths={2: 2})
    late = {2: recorded.late_input(2)}
    leaking = replace(recorded.transcript, seeds=(*recorded.transcript.seeds, recorded.seeds["own", 2, 2]))
    recorded.result = replace(recorded.result, transcript=leaking.encode(recorded.plan))
    assert len(about_inputs(determined(recorded, late), recorded.plan.size)) == 2


def test_a_transcript_takes_inputs_that_are_signed_and_sent_whole():
    world = World.of(6)
    with pytest.raises(SecAggError, match="sent whole"):
        SecAggServer(
            world.plan(dim=500, block_entries=128),
            world.roster,
            LocalVerifier(),
            DOMAIN,
            keeps_transcript=True,
        )
