"""Transcripts of secure sums: kept sealed where asked for, opened by the auditor alone, deleted in time."""

from __future__ import annotations

import json
import shutil
import stat
from dataclasses import replace

import numpy as np
import pytest
from command_line import assert_one_line_error, fediomt
from lying_world import SETTINGS, LyingWorld, MemoryTranscripts
from told_records import facts_of_honest, with_release

from fl_core.canonical import sha256
from fl_core.secagg.sum_transcript import SumTranscript
from fl_core.tiers import JOINT_HOSPITAL, OpenedTranscript, TranscriptPlace, edge
from scripts.federation.participation import hospital_roster_of, plan_over_hospitals
from scripts.federation.run_state import RunState
from scripts.federation.signing import session_of
from scripts.federation.verify import RoundChecker

SMALL = ("--no-chain", "--rounds", "2", "--devices", "8", "--cohort-size", "8", "--k-min", "5", "--seed", "3")


def world_of(tmp_path_factory, profile: str) -> LyingWorld:
    settings = replace(SETTINGS, profile=profile, edge_epsilon=None, rounds=1, dropout=0.04)
    return LyingWorld.of(tmp_path_factory.mktemp("runs") / "told", settings)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory) -> LyingWorld:
    return world_of(tmp_path_factory, "hospital")


@pytest.fixture(scope="module")
def private(tmp_path_factory) -> LyingWorld:
    return world_of(tmp_path_factory, "private")


def findings(world: LyingWorld, record, sealed=None) -> list:
    held = MemoryTranscripts(world.auditor, {**world.sealed, **(sealed or {})})
    return [
        f for line in RoundChecker(held).lines(record) if line.check == "transcripts" for f in line.findings
    ]


def test_sums_of_every_profile_are_done_again_from_their_transcripts(hospital, private):
    for world in (hospital, private):
        record = world.records[0]
        held = MemoryTranscripts(world.auditor, world.sealed)
        assert RoundChecker(held).check(record) == []
        assert RoundChecker(held).check(record, facts_of_honest(record)) == []


def test_a_hospitals_misreported_sum_is_named(hospital):
    record = hospital.records[0]
    total = record.hospitals[3].releases[0].total.copy()
    total[5] -= 2
    found = findings(hospital, with_release(record, 3, 0, total=total))
    assert [(f.check, f.subject) for f in found] == [
        ("transcript", "hospital 3, released sum, entry 5 (1 of 62 differ)")
    ]
    assert (int(found[0].expected) - int(found[0].found)) == 2


def test_a_total_that_the_cloud_misreports_is_named_by_its_transcript(private):
    record = private.records[0]
    total = record.total.total.copy()
    total[0] += 1
    found = findings(private, replace(record, total=replace(record.total, total=total)))
    assert [f.subject.split(",")[0:2] for f in found] == [
        ["sum over hospitals", " as the cloud saw it"],
        ["sum over hospitals", " of what each had to put in"],
    ]


def joint_transcript_told(world: LyingWorld, change):
    """The cloud's transcript changed, sealed again, its hash in the record."""
    record = world.records[0]
    plan = plan_over_hospitals(record, hospital_roster_of(record))
    place = TranscriptPlace(session_of(record.run), record.number, JOINT_HOSPITAL, 0)
    opened = OpenedTranscript.open(world.auditor, world.sealed[record.joint.transcript_hash], place)
    told = change(SumTranscript.decode(opened.evidence, plan)).encode(plan)
    sealed = OpenedTranscript(told).seal(world.auditor.public_key().public_bytes_raw(), place)
    joint = replace(record.joint, transcript_hash=sha256(sealed))
    return replace(record, joint=joint), {sha256(sealed): sealed}


def test_a_masked_sum_that_no_hospital_signed_is_named(private):
    def other_input(transcript):
        index = min(transcript.inputs)
        packed = bytes(len(transcript.inputs[index].packed))
        inputs = {**transcript.inputs, index: replace(transcript.inputs[index], packed=packed)}
        return replace(transcript, inputs=inputs)

    found = findings(private, *joint_transcript_told(private, other_input))
    assert [f.subject for f in found] == ["sum over hospitals, secure sum"]
    assert "is not the one that it signed" in found[0].found


def test_what_a_hospital_puts_into_the_sum_over_hospitals_is_held_against_its_cohorts(
    tmp_path_factory, monkeypatch
):
    """The cloud's own sum is right, over a vector that one hospital made up: that of its cohorts shows it."""
    honest = edge.summed_up

    def more(spec, hospital, sums):
        whole = honest(spec, hospital, sums)
        return replace(whole, total=whole.total + 1) if hospital == 2 else whole

    monkeypatch.setattr(edge, "summed_up", more)
    world = world_of(tmp_path_factory, "private")
    assert RoundChecker().check(world.records[0]) == []
    found = findings(world, world.records[0])
    assert [f.subject.split(", released")[0] for f in found] == [
        "sum over hospitals, of what each had to put in"
    ]


def test_only_the_auditors_key_opens_a_transcript_and_only_in_its_place(hospital):
    record = hospital.records[0]
    digest = record.hospitals[1].cohorts[0].transcript_hash
    place = TranscriptPlace(session_of(record.run), record.number, 1, 0)
    held = MemoryTranscripts(hospital.auditor, hospital.sealed)
    assert held.open(digest, place).noise_seed == hospital.noise_seeds[1]
    for other in (
        replace(place, cohort=1),
        replace(place, hospital=2),
        replace(place, round_number=9),
        replace(place, session=bytes(32)),
    ):
        with pytest.raises(Exception, match="does not open"):
            held.open(digest, other)


def test_a_transcript_holds_no_noise_seed_of_the_cloud_and_no_plain_sum(private):
    record = private.records[0]
    place = TranscriptPlace(session_of(record.run), record.number, JOINT_HOSPITAL, 0)
    opened = OpenedTranscript.open(private.auditor, private.sealed[record.joint.transcript_hash], place)
    assert opened.noise_seed == b""
    plain = record.total.total.astype(np.int64).tobytes()
    assert plain not in opened.evidence


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with an auditor's key and a run that kept transcripts for it."""
    folder = tmp_path_factory.mktemp("kept")
    assert fediomt("audit", "--new-key", "auditor.key", cwd=folder).code == 0
    outcome = fediomt("train", *SMALL, "--transcripts", "auditor.key.pub", cwd=folder)
    assert outcome.code == 0, outcome
    assert "kB a round is kept" in outcome.out
    return folder


def verdict(folder, *arguments: str) -> dict[int, tuple[str, str | None]]:
    outcome = fediomt("audit", "--json", *arguments, cwd=folder)
    lines = json.loads(outcome.out)["lines"]
    return {
        line["round"]: (line["verdict"], line["skipped"]) for line in lines if line["check"] == "transcripts"
    }


def test_transcripts_are_audited_with_the_key_and_skipped_without(kept):
    with_key = verdict(kept, "--transcript", "--key", "auditor.key")
    assert with_key == {1: ("ok", None), 2: ("ok", None)}
    assert {found for found, _ in verdict(kept).values()} == {"skipped"}
    assert_one_line_error(fediomt("audit", "--transcript", cwd=kept), "--key")


def test_another_key_opens_nothing_and_the_audit_says_so(kept):
    assert fediomt("audit", "--new-key", "other.key", cwd=kept).code == 0
    outcome = fediomt("audit", "--transcript", "--key", "other.key", cwd=kept)
    assert outcome.code == 1
    assert "does not open" in outcome.out


def test_a_run_without_transcripts_keeps_none_and_says_why_they_are_skipped(tmp_path):
    assert fediomt("train", *SMALL, "--rounds", "1", cwd=tmp_path).code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert not (run / "transcripts").exists()
    assert "keeps no transcripts" in verdict(tmp_path)[1][1]
    assert b"transcript_hash" not in (run / "rounds" / "000001" / "hospital-1.json").read_bytes()
    assert "auditor" not in json.loads((run / "rounds" / "000001" / "round.json").read_bytes())["spec"]


def test_deleted_transcripts_are_gone_noted_and_skipped(kept, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(kept, folder)
    (run,) = (folder / "runs").iterdir()
    assert len(list((run / "transcripts").iterdir())) == 8
    one = json.loads(fediomt("audit", "--delete-transcripts", "--round", "1", "--json", cwd=folder).out)
    assert (one["rounds"], one["deleted"]) == ([1], 4)
    assert verdict(folder, "--transcript", "--key", "auditor.key") == {
        1: ("skipped", "its transcripts are noted as deleted after the dispute window"),
        2: ("ok", None),
    }
    assert json.loads(fediomt("audit", "--delete-transcripts", "--json", cwd=folder).out)["deleted"] == 4
    assert list((run / "transcripts").iterdir()) == []
    assert_one_line_error(
        fediomt("audit", "--delete-transcripts", "--round", "9", cwd=folder), "does not have round 9"
    )


def test_a_lost_transcript_is_a_finding_where_nobody_deleted_it(kept, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(kept, folder)
    (run,) = (folder / "runs").iterdir()
    next((run / "transcripts").iterdir()).unlink()
    assert "differs" in {
        found for found, _ in verdict(folder, "--transcript", "--key", "auditor.key").values()
    }


def test_the_key_pair_is_made_once_and_its_private_half_is_its_owners(tmp_path):
    assert fediomt("audit", "--new-key", "a.key", cwd=tmp_path).code == 0
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert_one_line_error(fediomt("audit", "--new-key", "a.key", cwd=tmp_path), "is there already")


def test_an_encrypted_key_takes_its_password_from_a_file_or_the_environment(kept, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(kept, folder)
    (folder / "word").write_text("a long password\n")
    made = fediomt("audit", "--new-key", "e.key", "--password-file", "word", "--json", cwd=folder)
    assert json.loads(made.out)["encrypted"] is True
    assert b"ENCRYPTED" in (folder / "e.key").read_bytes()
    opens = ("audit", "--transcript", "--key", "e.key")
    assert_one_line_error(fediomt(*opens, cwd=folder), "is encrypted")
    assert_one_line_error(fediomt(*opens, cwd=folder, FEDIOMT_PASSWORD="another"), "password")
    with_password = fediomt(*opens, "--password-file", "word", cwd=folder)
    assert "does not open" in with_password.out  # the key opens; what was sealed to the other one does not


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_a_file_that_is_no_key_is_named(tmp_path, content):
    (tmp_path / "k").write_bytes(content)
    train = fediomt("train", *SMALL, "--transcripts", "k", cwd=tmp_path)
    assert_one_line_error(train, "k is no auditor's public key")
    assert_one_line_error(fediomt("train", *SMALL, "--transcripts", "none", cwd=tmp_path), "none")


def test_a_run_kept_behind_a_url_is_audited_from_there_alone(tmp_path):
    url = "memory://audited"
    trained = fediomt("train", *SMALL, "--store", url, "--json", cwd=tmp_path)
    assert trained.code == 0, trained
    (run,) = (tmp_path / "runs").iterdir()
    assert not (run / "rounds").exists()
    assert RunState.read(run).settings.store == url
    for where in (tmp_path, tmp_path / "elsewhere"):
        where.mkdir(exist_ok=True)
        outcome = fediomt("audit", "--store", url, "--json", cwd=where)
        assert outcome.code == 0, outcome
        assert json.loads(outcome.out)["run"] == run.name
    assert_one_line_error(fediomt("audit", cwd=tmp_path), f"are at {url}: name that place with --store")
    assert_one_line_error(fediomt("audit", "--store", "memory://nothing", cwd=tmp_path), "no runs under")
    assert_one_line_error(fediomt("audit", "--store", url, "--run", "x", cwd=tmp_path), "run x")
