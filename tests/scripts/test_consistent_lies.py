"""A hospital that recomputes everything of its own after a lie is found out all the same, by check and subject."""

from __future__ import annotations

import pytest
from consistent_lies import LIES
from lying_world import LyingWorld, Told
from telling_lies import survivor_left_out
from told_records import facts_of_honest


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> LyingWorld:
    """Two rounds of four hospitals with noise and transcripts; at the liar a device fell silent in the second."""
    return LyingWorld.of(tmp_path_factory.mktemp("runs") / "told")


def test_the_honest_record_has_no_findings_its_transcripts_included(world):
    assert world.honest.spec.noise.global_variance > 0
    honest = Told(world.honest, facts_of_honest(world.honest), world.sealed)
    assert world.findings(honest, transcripts=True) == []
    anew = world.recorded(world.made_anew(world.recounted(world.honest)))
    assert world.findings(anew, transcripts=True) == []


@pytest.mark.parametrize("what", LIES)
def test_a_lie_that_fits_together_is_named_first(world, what):
    lie = LIES[what]
    told = lie.tell(world)
    findings = world.findings(told, transcripts=True)
    assert findings
    assert (findings[0].check, lie.subject in findings[0].subject) == (lie.check, True), findings[:3]


@pytest.mark.parametrize("what", [what for what, lie in LIES.items() if lie.transcript])
def test_what_only_a_transcript_shows_passes_without_one(world, what):
    """What docs/privacy.md and docs/audit.md say cannot be seen without a transcript is not seen without one."""
    assert world.findings(LIES[what].tell(world), transcripts=False) == []


def test_a_survivor_that_was_left_out_is_named_by_the_transcript(world):
    told = survivor_left_out(world)
    honest = {a for c in world.honest.hospitals[1].cohorts for a in c.survivors}
    told_of = {a for c in told.record.hospitals[1].cohorts for a in c.survivors}
    (gone,) = honest - told_of
    assert gone.hex() in world.findings(told, transcripts=True)[0].found
