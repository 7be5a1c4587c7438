"""`fediomt ledger index`: the index that queries of the ledger answer from, brought up to date or built again."""

from __future__ import annotations

from scripts.console.index import Index, Rebuild, open_index, rebuild_index
from scripts.console.on_chain import OnChain, with_options
from scripts.console.output import print_json, print_table


@with_options
def bring_up_to_date(of: OnChain, index: Index = None, rebuild: Rebuild = False) -> None:
    """Bring the index that the queries above answer from up to the chain's latest block."""
    if rebuild:
        rebuild_index(of.contracts, of.home, index)
    with open_index(of.contracts, of.home, index, quiet=of.as_json) as (store, synced):
        facts = {
            "index": str(store.database),
            "block": synced.until,
            "events_added": synced.events,
            "blocks_given_up": synced.reorganised,
        }
    if of.as_json:
        print_json(facts)
        return
    print_table("index", ("what", "value"), list(facts.items()))
