"""A recorded run is told the same by the index and by the contracts."""

from __future__ import annotations

import pytest
from command_line import assert_one_line_error, fediomt

from scripts.federation.run import RunState

pytestmark = pytest.mark.node


def test_every_query_answers_from_the_index_as_from_the_contracts(recorded):
    recorded.ask("claim")
    devices = ["0x" + address.hex() for address in list(RunState.read(recorded.run_folder).devices())[:3]]
    queries = [
        ("rounds",),
        *(("show", str(n)) for n in (1, 2, 3)),
        *(("hospital", str(h)) for h in (1, 2, 3, 4)),
    ]
    for query in [*queries, *(("device", address) for address in devices)]:
        assert recorded.ask("ledger", *query) == recorded.ask("ledger", *query, "--no-index")
    assert list((recorded.folder / ".fediomt" / "index").glob("31337-*.sqlite"))


def test_index_that_is_up_to_date_adds_nothing_and_a_rebuilt_one_adds_everything(recorded):
    recorded.ask("ledger", "index")
    assert recorded.ask("ledger", "index")["events_added"] == 0
    rebuilt = recorded.ask("ledger", "index", "--rebuild")
    assert rebuilt["events_added"] > 100
    assert recorded.ask("ledger", "rounds") == recorded.ask("ledger", "rounds", "--no-index")


def test_index_that_is_no_database_is_named(recorded):
    (recorded.folder / "notes.txt").write_text("not a database, but long enough to be taken for one" * 30)
    outcome = fediomt("ledger", "rounds", "--index", "notes.txt", cwd=recorded.folder)
    assert_one_line_error(outcome, "notes.txt", "damaged or no index")
