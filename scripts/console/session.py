"""What a command works with: the node it talks to, the deployment there, the keys, the run.

Queries of the chain need neither keys nor runs: what those import (torch, above all) is imported in use.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chain.connect import LOCAL_CHAIN_IDS, chain_id_of, connect, connect_lightly, genesis_hash, to_address
from chain.contracts import Contracts, open_contracts
from chain.daemon import daemon_status
from chain.deployments import Deployment, check_present, load_deployment, read_deployment
from chain.errors import NotDeployed
from chain.outbox import Outbox
from scripts.console.errors import CommandError

if TYPE_CHECKING:
    from rich.console import Console
    from web3 import Web3

    from fl_core.stores import RunStore
    from scripts.federation.consortium import Consortium
    from scripts.federation.keyring import Keyring
    from scripts.federation.run_state import RunState

DEFAULT_URL = "http://127.0.0.1:8545"
PASSWORD_VARIABLE = "FEDIOMT_PASSWORD"  # noqa: S105 - the name of a variable


def node_folder(home: Path) -> Path:
    """Where the local node keeps its process id, log and state."""
    return home / "node"


def deployments_folder(home: Path) -> Path:
    """Where deployments are recorded, by chain id."""
    return home / "deployments"


def open_outbox(home: Path) -> Outbox:
    """Where transactions are kept until they are settled."""
    return Outbox(home / "outbox")


def node_url(home: Path, url: str | None) -> str:
    """The given address, else that of the local node, else the usual one."""
    if url is not None:
        return url
    status = daemon_status(node_folder(home))
    return status.url if status.running and status.url else DEFAULT_URL


def open_node(home: Path, url: str | None, expected: int | None) -> Web3:
    """Connect to the node.

    Raises:
        NodeError: no node answers, or it is on another chain.
    """
    return connect(node_url(home, url), chain_id=expected)


def open_record_of(home: Path, url: str | None, expected: int | None) -> Contracts:
    """The contracts that `open_deployment` opens, to be read only: over a connection without web3."""
    w3 = connect_lightly(node_url(home, url), chain_id=expected)
    return open_contracts(w3, load_deployment(deployments_folder(home), w3))


def open_deployment(home: Path, url: str | None, expected: int | None) -> Contracts:
    """Connect to the node and to the contracts deployed there.

    Raises:
        NodeError: no node answers, or it is on another chain.
        NotDeployed: there are no contracts.
    """
    w3 = open_node(home, url, expected)
    return open_contracts(w3, load_deployment(deployments_folder(home), w3))


def open_keyring(
    w3: Web3, keystore: Path | None, password_file: Path | None, *, creates: frozenset[str] = frozenset()
) -> Keyring:
    """Development keys on a local chain, keystores anywhere else or where asked for.

    Args:
        w3: the node.
        keystore: folder of keystores, or None.
        password_file: file with their password, or None for the environment's.
        creates: kinds of keys that are created where they are missing.

    Raises:
        CommandError: keystores are needed and not named.
    """
    from chain.keystore import read_password
    from scripts.federation.keyring import DevelopmentKeyring, KeystoreKeyring

    identity = chain_id_of(w3)
    if keystore is not None:
        password = read_password(file=password_file, env=PASSWORD_VARIABLE)
        return KeystoreKeyring(keystore, password, creates=creates)
    if identity not in LOCAL_CHAIN_IDS:
        raise CommandError(
            f"chain {identity} is not a local one, so development keys are refused: name keystores with --keystore"
        )
    return DevelopmentKeyring(identity)


def open_consortium(
    contracts: Contracts,
    home: Path,
    keystore: Path | None,
    password_file: Path | None,
    screen: Console,
    *,
    creates: frozenset[str] = frozenset(),
) -> Consortium:
    """A deployment with its keys, once what an interrupted command had sent is settled: else it would be sent twice.

    Args:
        contracts: the deployment.
        home: the user's folder.
        keystore: folder of keystores, or None.
        password_file: file with their password, or None for the environment's.
        screen: told what was settled.
        creates: kinds of keys that are created where they are missing.

    Raises:
        CommandError: keystores are needed and not named.
        TransactionFailed: what was sent is in no block.
    """
    from chain.gas import GasLedger
    from chain.unsettled import finish
    from scripts.federation.consortium import Consortium
    from scripts.federation.signing_journal import SIGNED_FOLDER

    keyring, outbox = open_keyring(contracts.w3, keystore, password_file, creates=creates), open_outbox(home)
    settled = finish(contracts.w3, outbox).alive
    if settled:
        screen.print(f"{len(settled)} transactions of an interrupted command are in blocks now")
    return Consortium(contracts, keyring, GasLedger(), outbox, home / SIGNED_FOLDER)


def find_run(runs: Path, run: str | None) -> tuple[Path, RunState]:
    """A run's folder and state: the one named, else the latest.

    Raises:
        CommandError: there is no such run, or the folder of that name holds another.
        BundleError: its state is malformed.
    """
    from scripts.federation.run_state import STATE_FILE, RunState

    if run is not None:
        folder = runs / run
        if not (folder / STATE_FILE).is_file():
            raise CommandError(
                f"no run {run} under {runs}: list that folder, or start one with `fediomt train`"
            )
    else:
        folders = sorted(path.parent for path in runs.glob(f"*/{STATE_FILE}"))
        if not folders:
            raise CommandError(f"no runs under {runs}: start one with `fediomt train` or `fediomt demo`")
        folder = folders[-1]
    state = RunState.read(folder)
    _require_name(state, folder.name, f"{folder}/{STATE_FILE}")
    return folder, state


def find_run_and_store(runs: Path, run: str | None, url: str | None) -> tuple[RunStore, RunState]:
    """A run's store and state: from the folder of runs, or all from the store that a URL names.

    Where a run says that its bundles are is not followed: the file may be somebody else's, and would choose what is
    asked with one's own credentials.

    Raises:
        CommandError: there is no such run, it is another one's under its name, or it is kept at a URL not given here.
        BundleError: its state is malformed, or the store cannot be opened.
    """
    from fl_core.stores import FolderStore, open_store, stored_runs
    from scripts.federation.run_state import STATE_FILE, RunState

    if url is None:
        folder, state = find_run(runs, run)
        if state.settings.store is not None:
            raise CommandError(
                f"run {state.run} says that its bundles are at {state.settings.store}: name that place with --store if "
                "you trust it"
            )
        return FolderStore(folder), state
    found = {name: open_store(url, name, runs / name) for name in stored_runs(url) if run in (None, name)}
    states = {name: data for name, store in found.items() if (data := store.document(STATE_FILE)) is not None}
    if not states:
        which = "runs" if run is None else f"run {run}"
        raise CommandError(f"no {which} under {url}: keep one there with `fediomt train --store {url}`")
    latest = max(states)
    where = f"{url}/{latest}/{STATE_FILE}"
    state = RunState.parse(states[latest], where)
    _require_name(state, latest, where)
    return found[latest], state


def runs_at_hand(runs: Path, url: str | None) -> list[tuple[RunStore, RunState]]:
    """Every run whose bundles are under a folder or in the store that a URL names, oldest first.

    Where a run says that its bundles are is not followed, and what is under another run's name is left out.

    Raises:
        BundleError: a state is malformed, or the store cannot be opened.
    """
    from fl_core.stores import FolderStore, open_store, stored_runs
    from scripts.federation.run_state import STATE_FILE, RunState

    found: list[tuple[RunStore, RunState]] = []
    for path in sorted(runs.glob(f"*/{STATE_FILE}")):
        state = RunState.read(path.parent)
        if state.run == path.parent.name and state.settings.store is None:
            found.append((FolderStore(path.parent), state))
    for name in [] if url is None else stored_runs(url):
        store = open_store(url, name, runs / name)
        data = store.document(STATE_FILE)
        if data is not None:
            state = RunState.parse(data, f"{url}/{name}/{STATE_FILE}")
            if state.run == name:
                found.append((store, state))
    return found


def _require_name(state: RunState, name: str, where: str) -> None:
    if state.run != name:
        raise CommandError(f"{where} is of run {state.run}: keep it in a folder of that name")


def open_run_contracts(
    state: RunState, home: Path, url: str | None, expected: int | None, *, ledger: str | None = None
) -> Contracts:
    """The deployment that a run was recorded on, provided that it is the user's own.

    A run's file may be somebody else's, and would choose the ledger that it is held against, or the contracts that
    are signed to: it has to name the deployment that the user's folder records, or the ledger that the user names.

    Args:
        state: the run's.
        home: the user's folder, which records deployments by chain id.
        url: the node's address, or None for the local one.
        expected: the chain's id, or None for the one that the run names.
        ledger: address of the ledger that the user knows; the folder is not asked then. For commands that sign nothing.

    Raises:
        CommandError: the run was not recorded on a chain, or on another deployment than the user's.
        NodeError: no node answers, or it is on another chain.
        NotDeployed: the node does not have the run's contracts.
        ChainError: `ledger` is no address.
    """
    if state.deployment is None:
        raise CommandError(
            f"run {state.run} was not recorded on a chain (--no-chain): there is nothing to claim"
        )
    deployment = Deployment(**state.deployment)
    w3 = open_node(home, url, deployment.chain_id if expected is None else expected)
    if "0x" + genesis_hash(w3).hex() != deployment.genesis:
        raise CommandError(
            f"run {state.run} was recorded on a chain that is gone: its bundles alone can still be audited with "
            "`fediomt audit --no-chain`; or name another run with --run"
        )
    if ledger is None:
        _require_recorded(state.run, deployment, home)
    elif to_address(ledger) != deployment.ledger:
        raise CommandError(
            f"run {state.run} says that it was recorded on the ledger {deployment.ledger}, not on {to_address(ledger)}"
        )
    check_present(deployment, w3)
    if ledger is None:
        return open_contracts(w3, deployment)
    # where events begin is the run's word as well: a late block would hide what came before it
    contracts = open_contracts(w3, replace(deployment, block=0))
    _require_around_ledger(state.run, contracts)
    return contracts


def _require_recorded(run: str, deployment: Deployment, home: Path) -> None:
    said = f"run {run} says that it was recorded on the ledger {deployment.ledger} of chain {deployment.chain_id}"
    way = (
        "name the folder that records that deployment with --home, or, where nothing is signed (audit, ledger "
        "receipt), the ledger that you know with --ledger ADDRESS"
    )
    try:
        recorded = read_deployment(deployments_folder(home), deployment.chain_id)
    except NotDeployed as error:
        raise CommandError(f"{said}, and {home} records none ({error}): {way}") from error
    if recorded != deployment:
        other = (
            f"records {recorded.ledger}"
            if recorded.ledger != deployment.ledger
            else "records other contracts around it"
        )
        raise CommandError(f"{said}, but {home} {other}: {way}")


def _require_around_ledger(run: str, contracts: Contracts) -> None:
    """The contracts that a run names around a ledger are those that name it, and each other."""
    named = (
        ("consortium", contracts.ledger.call("consortium"), contracts.consortium.address),
        ("ledger of the distributor", contracts.distributor.call("ledger"), contracts.ledger.address),
        ("token", contracts.distributor.call("token"), contracts.token.address),
        ("distributor", contracts.token.call("minter"), contracts.distributor.address),
    )
    for what, found, said in named:
        if to_address(found) != said:
            raise CommandError(f"run {run} names {said} as the {what}, and the contracts on chain {found}")


def kept_elsewhere(runs: Path, state: RunState, url: str | None = None) -> Callable[[int, bytes], bool]:
    """Whether another run of the same ledger, under the same folder or URL, has the bundle of a round and a digest.

    What another run's file says, and what its folders are called, counts for nothing: the bundle has to read.
    """
    from fl_core.errors import BundleError

    stores = [
        store
        for store, other in runs_at_hand(runs, url)
        if other.run != state.run and other.deployment is not None and other.deployment == state.deployment
    ]

    def kept(number: int, digest: bytes) -> bool:
        for store in stores:
            try:
                store.read_bundle(number, digest)
            except BundleError:
                continue
            return True
        return False

    return kept
