"""`fediomt ledger index`: the index that queries of the ledger answer from, brought up to date or built again."""

from __future__ import annotations

from scripts.console.index import Index, Rebuild, open_index, rebuild_index
from scripts.console.options import HOME, ChainId, Home, Json, Url
from scripts.console.output import print_json, print_table
from scripts.console.session import open_record_of


def bring_up_to_date(
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    index: Index = None,
    rebuild: Rebuild = False,
    as_json: Json = False,
) -> None:
    """Bring the index that the queries above answer from up to the chain's latest block."""
    contracts = open_record_of(home, url, expected_chain)
    if rebuild:
        rebuild_index(contracts, home, index)
    with open_index(contracts, home, index, quiet=as_json) as (store, synced):
        facts = {
            "index": str(store.database),
            "block": synced.until,
            "events_added": synced.events,
            "blocks_given_up": synced.reorganised,
        }
    if as_json:
        print_json(facts)
        return
    print_table("index", ("what", "value"), list(facts.items()))
