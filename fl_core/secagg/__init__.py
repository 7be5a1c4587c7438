"""Secure aggregation: the sum of a cohort's integer vectors over Z_{2^b}, and of no smaller set."""

from __future__ import annotations

from fl_core.secagg.advertisement import Advertisement, Roster, verify_advertisements
from fl_core.secagg.client import ClientStage, SecAggClient
from fl_core.secagg.degree import Adversary, GraphChoice, choose_threshold, derive_graph
from fl_core.secagg.errors import SecAggAbort, SecAggError
from fl_core.secagg.file_journal import FileJournal
from fl_core.secagg.identity import EpochIdentity, PairKeys
from fl_core.secagg.journal import Journal, MemoryJournal, OpeningClaim
from fl_core.secagg.neighbours import NeighbourGraph
from fl_core.secagg.plan import CohortPlan, minimum_threshold
from fl_core.secagg.result import SecAggResult
from fl_core.secagg.sealed import open_sealed, seal
from fl_core.secagg.server import SecAggServer, ServerStage
from fl_core.secagg.source import VectorBlocks
from fl_core.secagg.spool import FileSpool, MemorySpool, Spool
from fl_core.secagg.transcript import masked_input_message

__all__ = [
    "Adversary",
    "Advertisement",
    "ClientStage",
    "CohortPlan",
    "EpochIdentity",
    "FileJournal",
    "FileSpool",
    "GraphChoice",
    "Journal",
    "MemoryJournal",
    "MemorySpool",
    "NeighbourGraph",
    "OpeningClaim",
    "PairKeys",
    "Roster",
    "SecAggAbort",
    "SecAggClient",
    "SecAggError",
    "SecAggResult",
    "SecAggServer",
    "ServerStage",
    "Spool",
    "VectorBlocks",
    "choose_threshold",
    "derive_graph",
    "masked_input_message",
    "minimum_threshold",
    "open_sealed",
    "seal",
    "verify_advertisements",
]
