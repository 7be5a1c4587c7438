"""How fast the index answers with a million rows: a made-up chain read through the same ingestion as a real one."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from benchmarks.tables import FigureTable
from chain.abi import abi_of
from chain.connect import to_address
from chain.index.database import Database
from chain.index.node_source import BlockId, BlockLog, NodeSource
from chain.index.queries import IndexRecord
from chain.index.store import Identity, Store
from chain.index.sync import Keys, Reader, View, synchronise
from chain.receipts import Log

Say = Callable[[str], None]

POSTGRES_VARIABLE = "FEDIOMT_BENCH_POSTGRES_URL"
_HOSPITALS, _DEVICES = 40, 100
_CHUNK_BLOCKS = 4
_TOKEN = 10**18
_LEDGER, _DISTRIBUTOR = "0x" + "1e" * 20, "0x" + "d1" * 20


@dataclass(frozen=True)
class IndexFigures:
    """Milliseconds and seconds of wall clock, and of this process's CPU where the name says so.

    Attributes:
        database: "sqlite" or "postgresql".
        rows: claims that were indexed; a hospital has a line a round, a device a claim a round.
        rounds: rounds of the chain.
        ingest_s: reading, decoding and writing all of it.
        rows_a_second: of that, claims and allocations.
        size_mb: of the database; None where it was not asked.
        ingest_cpu_s: CPU seconds of this process for that.
        hospital_p50_ms: a hospital's history, median.
        hospital_p95_ms: and 95th percentile.
        device_p50_ms: a device's claims that opted in, median.
        device_p95_ms: and 95th percentile.
        hospital_cpu_p95_ms: 95th percentile of the CPU time of a hospital's history; a server's is not in it.
        device_cpu_p95_ms: and of a device's.
        load: the machine's load average over the last minute when the questions were asked.
        queries: of each kind.
    """

    database: str
    rows: int
    rounds: int
    ingest_s: float
    rows_a_second: float
    size_mb: float | None
    ingest_cpu_s: float
    hospital_p50_ms: float
    hospital_p95_ms: float
    device_p50_ms: float
    device_p95_ms: float
    hospital_cpu_p95_ms: float
    device_cpu_p95_ms: float
    load: float
    queries: int

    def to_json(self) -> dict[str, Any]:
        """For the page of figures."""
        return asdict(self)


def measure_index(
    *, rows: int = 1_000_000, queries: int = 200, seed: int = 0, say: Say = lambda _: None
) -> list[IndexFigures]:
    """Index a made-up chain in SQLite, and in PostgreSQL where FEDIOMT_BENCH_POSTGRES_URL names one, and ask it.

    Args:
        rows: claims, rounded to whole rounds of 40 hospitals with 100 devices each.
        queries: of each kind, on hospitals and devices drawn at random.
        seed: of the draw.
        say: told what is being done.
    """
    found = []
    for name in ("sqlite", "postgresql"):
        with _database(name) as database:
            if database is not None:
                found.append(_measure(name, database, rows, queries, np.random.default_rng(seed), say))
    return found


def index_table(figures: list[IndexFigures]) -> FigureTable:
    """A line a database."""
    return FigureTable(
        title=f"Index with {figures[0].rows:,} claims of {figures[0].rounds} rounds",
        columns=(
            "database",
            "rows/s in",
            "hospital p50",
            "hospital p95",
            "device p50",
            "device p95",
            "p95 of CPU time",
            "load",
        ),
        rows=tuple(
            (
                item.database,
                f"{item.rows_a_second:,.0f}",
                f"{item.hospital_p50_ms:.1f} ms",
                f"{item.hospital_p95_ms:.1f} ms",
                f"{item.device_p50_ms:.1f} ms",
                f"{item.device_p95_ms:.1f} ms",
                f"{item.hospital_cpu_p95_ms:.1f}, {item.device_cpu_p95_ms:.1f} ms",
                f"{item.load:.1f}",
            )
            for item in figures
        ),
        notes=(
            "Logs are made up, then decoded and written as a node's are. A hospital's history is a line a round with "
            "what it entered, was allocated and was paid; a device's is every claim that it opted in to. Both are "
            f"timed as Python objects, on {figures[0].queries} drawn at random. The goal is a p95 below 20 ms. CPU "
            "time is this process's, without a database server's; the load average stretches all else.",
        ),
    )


@contextmanager
def _database(name: str) -> Iterator[Database | None]:
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="fediomt-index-") as folder:
            database = Database(Path(folder) / "index.sqlite")
            yield database
            database.close()
        return
    url = os.environ.get(POSTGRES_VARIABLE) or os.environ.get("FEDIOMT_TEST_POSTGRES_URL")
    if not url:
        yield None
        return
    schema = f"bench_{os.getpid()}"
    server = Database(url)
    with server.writing() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    database = Database(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}")
    try:
        yield database
    finally:
        database.close()
        with server.writing() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        server.close()


def _measure(  # noqa: PLR0917
    name: str, database: Database, rows: int, queries: int, rng: np.random.Generator, say: Say
) -> IndexFigures:
    rounds = max(1, rows // (_HOSPITALS * _DEVICES))
    store, reader = Store(database), _MadeUpReader(rounds)
    started, cpu = time.perf_counter(), time.process_time()
    synchronise(
        store,
        reader,
        chunk_blocks=_CHUNK_BLOCKS,
        progress=lambda done, of: say(f"{name}: {done} of {of} rounds indexed"),
    )
    ingest_s, ingest_cpu_s = time.perf_counter() - started, time.process_time() - cpu
    if name == "postgresql":
        with database.writing() as connection:
            connection.execute(text("ANALYZE"))
    record = IndexRecord(store)
    say(f"{name}: {queries} queries of each kind")
    hospitals = rng.integers(1, _HOSPITALS + 1, queries)
    devices = rng.integers(0, _HOSPITALS * _DEVICES, queries)
    of_hospital = np.array([_timed(partial(record.hospital_lines, int(h)), rounds) for h in hospitals])
    of_device = np.array([_timed(partial(record.claims_of, _account(int(d))), rounds) for d in devices])
    size = Path(str(database.url.database)).stat().st_size / 1e6 if database.sqlite else None
    claims = rounds * _HOSPITALS * _DEVICES
    return IndexFigures(
        database=name,
        rows=claims,
        rounds=rounds,
        ingest_s=ingest_s,
        rows_a_second=(claims + rounds * _HOSPITALS) / ingest_s,
        size_mb=size,
        ingest_cpu_s=ingest_cpu_s,
        hospital_p50_ms=float(np.percentile(of_hospital[:, 0], 50)),
        hospital_p95_ms=float(np.percentile(of_hospital[:, 0], 95)),
        device_p50_ms=float(np.percentile(of_device[:, 0], 50)),
        device_p95_ms=float(np.percentile(of_device[:, 0], 95)),
        hospital_cpu_p95_ms=float(np.percentile(of_hospital[:, 1], 95)),
        device_cpu_p95_ms=float(np.percentile(of_device[:, 1], 95)),
        load=os.getloadavg()[0],
        queries=queries,
    )


def _timed(ask: Callable[[], list[Any]], expected: int) -> tuple[float, float]:
    """Milliseconds of wall clock and of CPU that a question took; its answer has a line a round."""
    started, cpu = time.perf_counter(), time.process_time()
    answer = ask()
    took = 1e3 * (time.perf_counter() - started), 1e3 * (time.process_time() - cpu)
    if len(answer) != expected:
        raise AssertionError(f"{len(answer)} lines where {expected} were indexed")
    return took


class _MadeUpReader(Reader):
    """A chain with a block a round: each hospital's allocation, and a claim of each of its devices."""

    def __init__(self, rounds: int) -> None:
        self._sources = {_LEDGER: "ledger", _DISTRIBUTOR: "distributor"}
        self._sources = {to_address(address): name for address, name in self._sources.items()}
        self.node = _MadeUpNode(rounds)

    def identity(self) -> Identity:
        return Identity(31337, _hash(0), {name: at for at, name in self._sources.items()}, 1)

    def views(self, stale: frozenset[tuple[str, int]], block: int) -> list[View]:
        found: list[View] = []
        for number in sorted(key for name, key in stale if name == "round"):
            found.append(("round", (number,), _round_view(number)))
            found += [("entry", _entry_key(number, h), _entry_view()) for h in range(1, _HOSPITALS + 1)]
        return found


@dataclass
class _MadeUpNode(NodeSource):
    """Blocks and logs as a node would give them."""

    rounds: int
    allocated: bytes = field(default_factory=lambda: _topic("ContributionLedger", "Allocated"))
    claimed: bytes = field(default_factory=lambda: _topic("RewardDistributor", "Claimed"))

    def head(self) -> BlockId:
        return BlockId(self.rounds, _hash(self.rounds))

    def block(self, number: int) -> BlockId | None:
        return BlockId(number, _hash(number)) if number <= self.rounds else None

    def logs(self, first: int, last: int) -> list[BlockLog]:
        return [
            BlockLog(log, _hash(number)) for number in range(first, last + 1) for log in self._logs(number)
        ]

    def _logs(self, number: int) -> Iterator[Log]:
        ledger, distributor = to_address(_LEDGER), to_address(_DISTRIBUTOR)
        index = 0
        for hospital in range(1, _HOSPITALS + 1):
            about = (_word(number), _word(hospital))
            amount = _word(9_000) + _word(_TOKEN // 50) + _word(700 * _TOKEN + hospital)
            yield Log(ledger, (self.allocated, *about), amount, number, index, "0x" + _hash(-index).hex())
            index += 1
            for device in range(_DEVICES):
                account = _account((hospital - 1) * _DEVICES + device)
                topics = (self.claimed, *about, bytes(12) + bytes.fromhex(account[2:]))
                data = _word(2 * device) + _word(7 * _TOKEN + device)
                yield Log(distributor, topics, data, number, index, "0x" + _hash(-index).hex())
                index += 1


def _round_view(number: int) -> dict[str, Any]:
    view = _zeros(abi_of("ContributionLedger").function("round").outputs[0].components)
    return view | {"active_set": (1 << (_HOSPITALS + 1)) - 2, "phase": 8, "paid": True, "rule_id": 1}


def _entry_view() -> dict[str, Any]:
    view = _zeros(abi_of("ContributionLedger").function("entry").outputs[0].components)
    return view | {"root": _hash(1), "attested": True, "quality": 9_000, "allocation": 700 * _TOKEN}


def _zeros(components: Any) -> dict[str, Any]:  # noqa: ANN401 - ABI parameters
    view: dict[str, Any] = {}
    for item in components:
        if item.components:
            view[item.name] = _zeros(item.components)
        elif item.type == "bool":
            view[item.name] = False
        else:
            view[item.name] = bytes(32) if item.type == "bytes32" else 0
    return view


def _entry_key(number: int, hospital: int) -> Keys:
    return number, hospital


@lru_cache(maxsize=_HOSPITALS * _DEVICES)
def _account(device: int) -> str:
    return to_address("0x" + hashlib.sha256(b"device %d" % device).hexdigest()[:40])


def _topic(contract: str, event: str) -> bytes:
    return abi_of(contract).event(event).id


def _hash(number: int) -> bytes:
    return hashlib.sha256(b"block %d" % number).digest()


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
