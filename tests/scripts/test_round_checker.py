"""What a hospital recomputes before it attests finds every lie that a bundle can tell, consistent ones included."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from told_records import facts_of_honest, with_cohort, with_part, with_release

from fl_core.bundle import MANIFEST, bundle_manifest
from fl_core.errors import BundleError
from fl_core.stores import FolderStore
from incentives import CohortKey
from scripts.federation.auditing import audit_run
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.run_state import RunState
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker
from scripts.train import offline_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two rounds, four hospitals of eight devices."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = RunSettings(devices=8, rounds=2, cohort_size=4, k_min=3, dropout=0.02, seed=5)
    offline_run(settings, "checked", folder).train()
    return folder


def files_of(folder, number: int) -> dict[str, bytes]:
    return FolderStore(folder).read_bundle(number)


@pytest.fixture
def first(folder) -> RoundRecord:
    return RoundRecord.from_files(files_of(folder, 1))


@pytest.fixture
def second(folder) -> RoundRecord:
    return RoundRecord.from_files(files_of(folder, 2))


def test_an_honest_bundle_has_no_findings_with_and_without_a_ledger(first, second):
    offline, on_chain = RoundChecker(), RoundChecker()
    for record in (first, second):
        assert offline.check(record) == []
        assert on_chain.check(record, facts_of_honest(record)) == []


def test_a_round_that_cannot_be_recomputed_is_not_held_against_the_model_of_the_next(first, second):
    checker = RoundChecker()
    survivors = first.hospitals[1].cohorts[0].survivors
    stranger = with_cohort(first, 1, 0, survivors=(*survivors, bytes(20)))
    assert any(finding.check == "record" for finding in checker.check(stranger))
    checks = {finding.check for finding in checker.check(second)}
    assert not checks & {"model", "model chain", "spec", "record"}


def without_hospital(record: RoundRecord) -> RoundRecord:
    return replace(record, hospitals={h: part for h, part in record.hospitals.items() if h != 4})


def test_a_hospital_that_is_left_out_of_the_bundle_is_missed(first):
    facts = facts_of_honest(first)
    findings = RoundChecker().check(without_hospital(first), facts)
    assert any("hospitals with a ready list" in finding.subject for finding in findings)


def stolen_signatures(record: RoundRecord) -> RoundRecord:
    return with_cohort(record, 1, 0, signatures={})


def swapped_signatures(record: RoundRecord) -> RoundRecord:
    signatures = record.hospitals[1].cohorts[0].signatures
    owners = list(signatures)
    turned = dict(zip(owners, [signatures[a] for a in owners[1:] + owners[:1]], strict=True))
    return with_cohort(record, 1, 0, signatures=turned)


def other_run(record: RoundRecord) -> RoundRecord:
    return replace(record, run="another run")


def survivor_that_never_masked(record: RoundRecord) -> RoundRecord:
    cohort = record.hospitals[1].cohorts[0]
    missing = sorted(set(cohort.members) - set(cohort.survivors)) or [bytes(20)]
    survivors = tuple(sorted((*cohort.survivors, missing[0])))
    return with_cohort(record, 1, 0, survivors=survivors)


def same_index_twice(record: RoundRecord) -> RoundRecord:
    return with_cohort(record, 1, 1, cohort=0)


def hidden_failure(record: RoundRecord) -> RoundRecord:
    return with_cohort(record, 1, 0, survivors=(), failure="", rows=10**9)


def unbounded_sum(record: RoundRecord) -> RoundRecord:
    return with_release(record, 1, 0, total=np.full(record.spec.dim, 1 << 60))


def withheld_sum(record: RoundRecord) -> RoundRecord:
    return with_part(record, 1, releases=record.hospitals[1].releases[1:])


def inflated_weight(record: RoundRecord) -> RoundRecord:
    return with_release(record, 1, 0, rows=(10**9,))


def foreign_keys(record: RoundRecord) -> RoundRecord:
    return with_part(record, 1, keys=record.hospitals[2].advertisements[0])


def device_at_two_hospitals(record: RoundRecord) -> RoundRecord:
    line = record.hospitals[2].ready[0]
    return with_part(record, 1, ready=(*record.hospitals[1].ready, line))


def invented_device(record: RoundRecord) -> RoundRecord:
    line = replace(record.hospitals[1].ready[0], address=b"\x07" * 20)
    return with_part(record, 1, ready=(*record.hospitals[1].ready, line))


def forged_roster(record: RoundRecord) -> RoundRecord:
    return with_part(record, 1, advertisements=record.hospitals[1].advertisements[:-1])


def no_receipts(record: RoundRecord) -> RoundRecord:
    return with_part(record, 1, receipts={})


def beyond_cap(record: RoundRecord) -> RoundRecord:
    first, *rest = record.hospitals[1].contributions
    return with_part(record, 1, contributions=(replace(first, volume=9_999), *rest))


def unvalued_cohort(record: RoundRecord) -> RoundRecord:
    said = record.validators[2]
    kept = {key: value for key, value in said.utilities.items() if key != CohortKey(1, 0)}
    return replace(record, validators={**record.validators, 2: replace(said, utilities=kept)})


LIES: dict[str, tuple[Callable[[RoundRecord], RoundRecord], str]] = {
    "signatures stripped": (stolen_signatures, "participation"),
    "signatures swapped": (swapped_signatures, "participation"),
    "another run": (other_run, "record"),
    "a survivor that never masked": (survivor_that_never_masked, "cohort"),
    "one cohort counted twice": (same_index_twice, "draw"),
    "a cohort declared failed": (hidden_failure, "cohort"),
    "a sum beyond all clips": (unbounded_sum, "release"),
    "a sum that is not shown": (withheld_sum, "release"),
    "a sum over more rows": (inflated_weight, "release"),
    "a device at two hospitals": (device_at_two_hospitals, "draw"),
    "an invented device": (invented_device, "draw"),
    "a roster cut short": (forged_roster, "participation"),
    "receipts withheld": (no_receipts, "receipts"),
    "a score above its cap": (beyond_cap, "leaves"),
    "a cohort not valued": (unvalued_cohort, "utilities"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found_even_where_the_ledger_was_told_the_same(first, lie):
    tell, check = LIES[lie]
    told = tell(first)
    findings = RoundChecker().check(told)
    assert check in {finding.check for finding in findings}, findings
    try:
        facts = facts_of_honest(told)
    except Exception:
        return
    assert check in {finding.check for finding in RoundChecker().check(told, facts)}


def test_the_spec_of_a_run_does_not_change_from_round_to_round(first, second):
    checker = RoundChecker()
    assert checker.check(first) == []
    loosened = replace(second, spec=replace(second.spec, clip_norm=second.spec.clip_norm / 2))
    assert any("the same in all rounds" in finding.subject for finding in checker.check(loosened))


def test_cohorts_below_the_ledgers_k_min_are_found(first):
    facts = replace(facts_of_honest(first), k_min=first.spec.k_min + 1)
    assert any("k_min" in finding.subject for finding in RoundChecker().check(first, facts))


def test_a_hospital_cannot_change_its_keys_or_its_noise_seed_within_an_epoch(first):
    facts = facts_of_honest(first)
    for changed in (foreign_keys(first), with_part(first, 1, seed_digest=bytes(32))):
        findings = RoundChecker().check(changed, facts)
        assert any("commitment to its keys and noise seed" in finding.subject for finding in findings)


def test_a_hospitals_digest_covers_its_sums(first):
    negated = with_release(first, 1, 0, total=-first.hospitals[1].releases[0].total)
    assert isinstance(negated.hospitals[1], HospitalRecord)
    assert negated.hospitals[1].digest != first.hospitals[1].digest


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.update({"medical-records.csv": b"name,diagnosis\n"}),
        lambda files: files.update({"round.json": files["round.json"] + b"\n"}),
        lambda files: files.update({"hospital-1.json": files["hospital-1.json"].replace(b'{"', b'{ "', 1)}),
    ],
    ids=["a file besides", "a line break", "a space"],
)
def test_files_have_one_form_only(folder, change):
    files = files_of(folder, 1)
    RoundRecord.from_files(files).require_own_form(files)
    change(files)
    with pytest.raises(BundleError, match="form"):
        RoundRecord.from_files(files).require_own_form(files)


@pytest.mark.parametrize("junk", [b"[" * 200_000, b"\xff\xfe", b"{}", b"null", b'{"run": 1}', b""])
@pytest.mark.parametrize("name", ["round.json", "hospital-2.json", "tensors.safetensors"])
def test_junk_in_a_file_is_an_error_that_names_it(folder, name, junk):
    files = {**files_of(folder, 1), name: junk}
    with pytest.raises(BundleError, match=r"malformed|lacks") as error:
        RoundRecord.from_files(files)
    assert name in str(error.value)


NUMBERS = {
    "a utility": ("round.json", rb'"utilities":\[\[\d+,\d+,(-?\d+)\]'),
    "a model's score": ("round.json", rb'"model_score":(\d+)'),
    "a device's volume": ("hospital-2.json", rb'"contributions":\[\["\w+",\d+,\d+,(?:null|"\w+"),(\d+)'),
    "a cohort's rows": ("hospital-2.json", rb'"rows":(\d+)'),
}


def with_number(files: dict[str, bytes], place: str, number: bytes) -> dict[str, bytes]:
    """A whole bundle in which one number of one file is another, and nothing else."""
    name, where = NUMBERS[place]
    found = re.search(where, files[name])
    assert found is not None
    altered = files[name][: found.start(1)] + number + files[name][found.end(1) :]
    return {**files, name: altered}


@pytest.mark.parametrize("place", NUMBERS)
@pytest.mark.parametrize(
    ("number", "why"),
    [
        (b"NaN", "NaN is no JSON number"),
        (b"Infinity", "Infinity is no JSON number"),
        (b"-Infinity", "-Infinity is no JSON number"),
        (b"1e400", "the number 1e400 is out of range"),
        (b"1" + b"0" * 400, "a number of 401 digits is out of range"),
    ],
    ids=["NaN", "Infinity", "-Infinity", "1e400", "401 digits"],
)
def test_one_number_that_is_none_makes_its_file_unreadable_and_the_error_says_why(folder, place, number, why):
    honest = files_of(folder, 1)
    RoundRecord.from_files(honest)
    with pytest.raises(BundleError) as error:
        RoundRecord.from_files(with_number(honest, place, number))
    assert str(error.value) == f"bundle file {NUMBERS[place][0]} is malformed: not JSON: {why}"


@pytest.mark.parametrize("place", NUMBERS)
@pytest.mark.parametrize("number", [2**53, 2**53 + 1, -(2**53) - 1, 10**300])
def test_a_number_beyond_what_a_double_counts_is_read_and_is_in_no_bundles_form(folder, place, number):
    files = with_number(files_of(folder, 1), place, str(number).encode())
    record = RoundRecord.from_files(files)
    with pytest.raises(BundleError, match=r"^the bundle says what no bundle can: not canonical JSON: "):
        record.require_own_form(files)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9007199254740993"])
def test_an_audit_has_a_finding_for_each_such_number_and_goes_on(folder, tmp_path, number):
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    files = with_number(files_of(folder, 1), "a utility", number)
    for name, data in {**files, MANIFEST: bundle_manifest(files)}.items():
        (run / "rounds" / "000001" / name).write_bytes(data)
    lines = audit_run(FolderStore(run), RunState.read(run), None)
    found = {line.round_number for line in lines for finding in line.findings if finding.check == "bundle"}
    assert found == {1}


def test_no_altered_byte_goes_unnoticed_or_crashes_the_checker(folder):
    honest = files_of(folder, 1)
    chance = random.Random(3)
    names = sorted(name for name in honest if name != MANIFEST)
    for _ in range(400):
        files, name = dict(honest), chance.choice(names)
        data = bytearray(files[name])
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        files[name] = bytes(data)
        if files == honest:
            continue
        try:
            record = RoundRecord.from_files(files)
            record.require_own_form(files)
        except BundleError:
            continue
        # What is left changed a value without changing the form: what the checker cannot recompute (salts, receipts,
        # the run's name) is bound by the digests on the ledger.
        findings = RoundChecker().check(record, facts_of_honest(RoundRecord.from_files(honest)))
        assert findings, name
