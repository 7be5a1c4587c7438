"""A run recorded on a real node: queries, claims, redemption and audit agree with each other."""

from __future__ import annotations

import json

import pytest
from command_line import assert_one_line_error, fediomt

from scripts.federation.run import RunState

pytestmark = pytest.mark.node


def test_the_ledger_shows_every_round_as_paid(recorded):
    rounds = recorded.ask("ledger", "rounds")
    assert [line["round"] for line in rounds] == [1, 2, 3]
    assert all(line["paid"] and line["phase"] == "closed" for line in rounds)
    assert all(0 < line["allocated"] <= line["budget"] for line in rounds)


def test_a_round_shows_what_each_hospital_entered_and_got(recorded):
    shown = recorded.ask("ledger", "show", "2")
    assert [line["hospital"] for line in shown["hospitals"]] == [1, 2, 3, 4]
    assert all(line["state"] == "attested" for line in shown["hospitals"])
    assert sum(line["allocated"] for line in shown["hospitals"]) <= shown["budget"]


def test_a_hospital_shows_its_part_in_each_round(recorded):
    shown = recorded.ask("ledger", "hospital", "3")
    assert [line["round"] for line in shown["rounds"]] == [1, 2, 3]
    assert shown["capacity"] == 0.25


def test_an_unknown_round_and_an_unknown_hospital_are_named(recorded):
    assert_one_line_error(fediomt("ledger", "show", "99", cwd=recorded.folder), "99")
    assert_one_line_error(fediomt("ledger", "hospital", "60", cwd=recorded.folder), "60")
    assert_one_line_error(fediomt("ledger", "device", "0x12", cwd=recorded.folder), "0x12")
    stranger = "0x000000000000000000000000000000000000dEaD"
    assert_one_line_error(fediomt("ledger", "device", stranger, cwd=recorded.folder), stranger)


def test_claims_mint_what_was_allocated_and_a_second_claim_mints_nothing(recorded):
    first = recorded.ask("claim")
    second = recorded.ask("claim")
    supply = recorded.ask("tokens", "supply")
    allocated, minted = int(supply["exact"]["allocated"]), int(supply["exact"]["minted"])
    assert first["device_claims"] > 0
    assert first["treasury_claims"] == 12
    assert second["minted"] == 0
    assert second["device_claims"] == second["treasury_claims"] == 0
    assert int(first["exact"]["minted"]) == minted == int(supply["exact"]["supply"])
    assert allocated - 1_000 < minted <= allocated  # rounding stays unminted, a unit a claim at most


def test_a_claim_for_a_device_that_took_no_part_is_refused(recorded):
    stranger = "0x000000000000000000000000000000000000dEaD"
    assert_one_line_error(fediomt("claim", "--device", stranger, cwd=recorded.folder), stranger)


def test_a_device_sees_its_leaves_hold_against_the_chain(recorded):
    recorded.ask("claim")
    state = RunState.read(recorded.run_folder)
    for address in list(state.devices())[:4]:
        shown = recorded.ask("ledger", "device", "0x" + address.hex())
        assert shown["rounds"]
        assert all(line["root_on_chain"] == "holds" and line["claimed"] for line in shown["rounds"])
        own = [line for line in shown["rounds"] if line["paid_to"] == "itself"]
        assert len(shown["claims"]) == len(own)
        assert sum(c["amount"] for c in shown["claims"]) == pytest.approx(sum(line["due"] for line in own))


def test_a_service_is_bought_fulfilled_and_paid(recorded):
    recorded.ask("claim")

    def balance(hospital: int) -> int:
        return int(recorded.ask("tokens", "balance", str(hospital))[0]["exact"])

    before = balance(1), balance(2)
    service = recorded.ask("redeem", "offer", "second opinion", "12.5", "--hospital", "2")["service"]
    order = recorded.ask("redeem", "order", str(service), "--hospital", "1")["order"]
    assert balance(1) == before[0] - 12_500_000_000_000_000_000
    assert recorded.ask("redeem", "fulfil", str(order), "--hospital", "2")["status"] == "fulfilled"
    refused = fediomt("redeem", "settle", str(order), "--hospital", "2", cwd=recorded.folder)
    assert_one_line_error(refused)
    assert recorded.ask("redeem", "accept", str(order), "--hospital", "1")["status"] == "paid"
    assert balance(2) == before[1] + 12_500_000_000_000_000_000
    assert {line["order"] for line in recorded.ask("redeem", "orders")} >= {order}
    assert {line["service"] for line in recorded.ask("redeem", "services")} >= {service}


def test_who_is_not_the_provider_cannot_fulfil(recorded):
    recorded.ask("claim")
    service = recorded.ask("redeem", "offer", "reading", "1", "--hospital", "2")["service"]
    order = recorded.ask("redeem", "order", str(service), "--hospital", "1")["order"]
    assert_one_line_error(fediomt("redeem", "fulfil", str(order), "--hospital", "3", cwd=recorded.folder))


@pytest.mark.parametrize("price", ["0", "-1", "much", "nan", "inf", "1e40", "0.0000000000000000001"])
def test_an_impossible_price_is_refused(recorded, price):
    outcome = fediomt("redeem", "offer", "x", "--hospital", "2", "--", price, cwd=recorded.folder)
    assert_one_line_error(outcome, price)


def subjects(audit):
    return list(dict.fromkeys(line["subject"] for line in audit["lines"]))


def test_the_audit_finds_nothing_and_the_doctor_is_content(recorded):
    audit = recorded.ask("audit")
    assert audit["audit_ok"]
    assert subjects(audit) == ["round 1", "round 2", "round 3", "ledger"]
    of_round = [line["check"] for line in audit["lines"] if line["round"] == 2]
    assert of_round == [
        *("bundle", "spec", "model chain", "draw", "cohorts", "participation"),
        *("form", "releases", "transcripts"),
        *("model", "utilities", "scores", "quarantine", "leaves", "entries", "allocations", "claims"),
    ]
    skipped = {line["check"] for line in audit["lines"] if line["verdict"] == "skipped"}
    assert skipped == {"transcripts"}
    assert subjects(recorded.ask("audit", "--round", "2")) == ["round 2"]
    assert_one_line_error(fediomt("audit", "--round", "9", cwd=recorded.folder), "does not have round 9")
    doctor = recorded.ask("doctor")
    assert doctor["healthy"], doctor
    assert {check["what"]: check["state"] for check in doctor["checks"]}["contracts"] == "ok"


def test_a_run_whose_chain_is_gone_is_audited_from_its_bundles(recorded):
    outcome = fediomt("audit", "--no-chain", "--json", cwd=recorded.folder)
    assert outcome.code == 0, outcome
    assert subjects(json.loads(outcome.out)) == ["round 1", "round 2", "round 3"]


@pytest.mark.parametrize("hospital", ["0", "9", "-1", str(10**40)])
def test_a_hospital_that_is_not_there_is_named(recorded, hospital):
    outcome = fediomt("redeem", "order", "1", f"--hospital={hospital}", cwd=recorded.folder)
    assert_one_line_error(outcome, f"no hospital {hospital}")


def test_more_hospitals_than_are_deployed_need_a_fresh_deployment(recorded):
    assert_one_line_error(fediomt("deploy", "--hospitals", "5", cwd=recorded.folder), "--fresh")


def test_another_chain_id_is_refused(recorded):
    outcome = fediomt("ledger", "rounds", "--chain-id", "5", cwd=recorded.folder)
    assert_one_line_error(outcome, "5", "31337")


def test_a_second_run_on_the_same_ledger_says_how_to_go_on(recorded):
    outcome = fediomt("train", "--rounds", "1", cwd=recorded.folder)
    assert_one_line_error(outcome, "epoch 0", "fediomt deploy --fresh")


def test_more_hospitals_than_were_admitted_are_refused(recorded):
    assert_one_line_error(
        fediomt("train", "--hospitals", "5", cwd=recorded.folder), "5 hospitals", "4 are admitted"
    )


def test_deploying_again_changes_nothing(recorded):
    again = recorded.ask("deploy")
    assert again["new"] is False
    assert (
        again["ledger"] == json.loads((recorded.run_folder / "run.json").read_text())["deployment"]["ledger"]
    )


def test_contracts_that_are_not_deployed_are_named(recorded, tmp_path):
    url = recorded.ask("chain", "status")["url"]
    for command in (("train",), ("ledger", "rounds"), ("tokens", "supply")):
        assert_one_line_error(fediomt(*command, "--url", url, cwd=tmp_path), "fediomt deploy")
