"""Bringing the index up to the chain's latest block: resumable, and the same whatever happened on the way.

A stretch of blocks is read first and written in one transaction, together with how far the index has read. What
was read is only written if the chain still has both ends of the stretch and no other process wrote meanwhile.
A block that the chain no longer has (a reorganisation, a node restarted from an older state) takes its rows with
it, in the transaction that puts the rows of the new blocks in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chain.connect import chain_identity
from chain.contract import DEFAULT_CHUNK_BLOCKS, Contract, Event
from chain.contracts import Contracts
from chain.errors import RecordError
from chain.index.errors import ChainMoves
from chain.index.node_source import BlockId, BlockLog, NodeSource
from chain.index.schema import SOURCES, StateTable, schema
from chain.index.store import Identity, Placed, Store, Stretch, touches
from chain.packing import ids_of

_ATTEMPTS = 8
_VIEWS_A_REQUEST = 500

Keys = tuple[int, ...]
View = tuple[str, Keys, dict[str, Any] | None]


@dataclass(frozen=True)
class Synced:
    """What a synchronisation did: rows added, rows' blocks given up, and the last block read."""

    events: int
    reorganised: int
    until: int


class Reader:
    """Reads a deployment's events and views off a node.

    Args:
        contracts: the deployment, over a connection.
    """

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        addresses = contracts.deployment.addresses()
        self._sources = {addresses[name]: name for name in SOURCES}
        self.node = NodeSource(contracts.w3, list(self._sources))

    def identity(self) -> Identity:
        """Which chain and contracts these are."""
        chain_id, genesis = chain_identity(self._contracts.w3)
        deployment = self._contracts.deployment
        contracts = {name: address for address, name in self._sources.items()}
        return Identity(chain_id, genesis, contracts, deployment.block)

    def events(self, first: int, last: int) -> list[Placed]:
        """All events of the contracts in a range of blocks, decoded, in order."""
        return [self.placed(item) for item in self.node.logs(first, last)]

    def placed(self, item: BlockLog) -> Placed:
        """One log, decoded.

        Raises:
            RecordError: the contract emitted what its interface does not have.
        """
        log = item.log
        source = self._sources[log.address]
        table = schema().events.get((source, log.topics[0] if log.topics else b""))
        if table is None:
            raise RecordError(
                f"the {source} at {log.address} emitted an unknown event in block {log.block}: "
                "the deployed contract is another version"
            )
        values = table.values(log.topics, log.data)
        event = Event(table.member.name, values, log.address, log.block, log.index, log.transaction)
        return Placed(table, event, item.block_hash)

    def views(self, stale: frozenset[tuple[str, int]], block: int) -> list[View]:
        """What the contracts say of states, as of a block."""
        keys: dict[str, list[int]] = {}
        for name, key in sorted(stale):
            keys.setdefault(name, []).append(key)
        last = self._current_round(block) if "round" in keys else 0
        found: list[View] = [
            (name, (number,), None) for number in keys.get("round", ()) for name in ("round", "entry")
        ]
        rounds = self._view("round", [(n,) for n in keys.get("round", ()) if n <= last], block)
        entries = [
            (number, hospital)
            for _, (number, *_), view in rounds
            if view is not None
            for hospital in sorted(ids_of(view["active_set"]))
        ]
        rules = set(keys.get("rule", ())) | {view["rule_id"] for _, _, view in rounds if view is not None}
        found += [*rounds, *self._view("entry", entries, block)]
        found += self._existing("rule", sorted(rules), "ledger", "latestRuleId", block)
        found += self._existing("hospital", keys.get("hospital", []), "consortium", "hospitalCount", block)
        found += self._existing("service", keys.get("service", []), "desk", "serviceCount", block)
        found += self._existing("order", keys.get("order", []), "desk", "orderCount", block)
        found += self._existing("proposal", keys.get("proposal", []), "council", "proposalCount", block)
        found += self._existing("case", keys.get("case", []), "court", "caseCount", block)
        for name in ("challenge", "demand"):
            found += self._existing(name, keys.get(name, []), "court", "challengeCount", block)
        return found

    @cached_property
    def _clients(self) -> dict[str, Contract]:
        return {state.source: getattr(self._contracts, state.source) for state in schema().states.values()}

    def _current_round(self, block: int) -> int:
        return int(self._clients["ledger"].call("currentRound", block=block))

    def _existing(self, name: str, keys: Sequence[int], source: str, counter: str, block: int) -> list[View]:
        """Views of what is numbered from 1; what a reorganisation took away has none."""
        if not keys:
            return []
        count = int(self._clients[source].call(counter, block=block))
        present = self._view(name, [(key,) for key in keys if key <= count], block)
        return [*present, *((name, (key,), None) for key in keys if key > count)]

    def _view(self, name: str, keys: Sequence[Keys], block: int) -> list[View]:
        state = schema().states[name]
        client = self._clients[state.source]
        found: list[View] = []
        for start in range(0, len(keys), _VIEWS_A_REQUEST):
            part = keys[start : start + _VIEWS_A_REQUEST]
            answers = client.call_many([(state.function, list(key)) for key in part], block=block)
            for key, answer in zip(part, answers, strict=True):
                view = answer if isinstance(answer, dict) else self._named(state, answer)
                found.append((name, key, view))
        return found

    @staticmethod
    def _named(state: StateTable, values: Sequence[Any]) -> dict[str, Any]:
        """What a view without a struct returned, by name."""
        return {field.path[0]: value for field, value in zip(state.fields, values, strict=True)}


def synchronise(
    store: Store,
    reader: Reader,
    *,
    chunk_blocks: int = DEFAULT_CHUNK_BLOCKS,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Synced:
    """Bring the index up to the chain's latest block.

    Args:
        store: the index.
        reader: the deployment that it is the index of.
        chunk_blocks: most blocks a request; a node that refuses gets fewer.
        progress: told the last block read and the chain's latest.

    Raises:
        IndexMismatch: it is the index of something else.
        IndexFault: the database cannot be written; what was written before is kept.
        ChainMoves: the chain changes faster than it can be read.
        NodeError: the node does not answer; what was written before is kept.
    """
    since = store.open(reader.identity())
    added = reorganised = failures = 0
    while failures < _ATTEMPTS:
        head = reader.node.head()
        stretch = _prepare(store, reader, since, head, chunk_blocks)
        if stretch is None and since == head:
            return Synced(added, reorganised, since.number)
        if stretch is None or not store.write(stretch):
            failures += 1
            since = store.read_until()
            continue
        failures = 0
        added += len(stretch.events)
        reorganised += max(0, since.number - stretch.keep)
        since = stretch.until
        progress(since.number, head.number)
        if stretch.current:
            return Synced(added, reorganised, since.number)
    raise ChainMoves(
        "the chain, or another command that indexes it, keeps changing what is being indexed: run this again later"
    )


def _prepare(store: Store, reader: Reader, since: BlockId, head: BlockId, chunk: int) -> Stretch | None:
    """The next stretch to write, or None if there is none or the chain changed while it was read."""
    keep = _last_common(store, reader, since, head)
    kept_stale = store.stale()
    if keep == since.number == head.number and not kept_stale:
        return None
    last = min(head.number, max(keep + chunk, since.number))
    until = head if last == head.number else reader.node.block(last)
    if until is None:
        return None
    events = [
        event
        for start in range(keep + 1, last + 1, chunk)
        for event in reader.events(start, min(start + chunk - 1, last))
    ]
    stale = frozenset(
        (state, int(placed.event.values[column]))
        for placed in events
        for state, column in touches(placed.table)
    )
    if keep < since.number:
        stale |= store.touched_after(keep)
    current = last == head.number
    viewed = stale | kept_stale
    states = reader.views(viewed | store.moving(viewed), last) if current else []
    hashes = {placed.event.block: placed.block_hash for placed in events}
    consistent = all(hashes[placed.event.block] == placed.block_hash for placed in events)
    if not consistent or reader.node.block(last) != until or hashes.get(last, until.hash) != until.hash:
        return None
    return Stretch(since, keep, until, events, stale, states, current)


def _last_common(store: Store, reader: Reader, since: BlockId, head: BlockId) -> int:
    """The last block read that the chain still has."""
    if not since.hash:  # nothing was read so far
        return since.number
    if since == head or (since.number <= head.number and reader.node.block(since.number) == since):
        return since.number
    known = store.known_blocks()
    low, high = 0, len(known)  # known[:low] are on the chain, known[high:] are not
    while low < high:
        middle = (low + high) // 2
        if known[middle].number <= head.number and reader.node.block(known[middle].number) == known[middle]:
            low = middle + 1
        else:
            high = middle
    return known[low - 1].number if low else reader.identity().first_block - 1
