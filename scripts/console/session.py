"""What a command works with: the node it talks to, the deployment there, the keys, the run.

Queries of the chain need neither keys nor runs: what those import (torch, above all) is imported in use.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chain.connect import LOCAL_CHAIN_IDS, chain_id_of, connect, connect_lightly, genesis_hash
from chain.contracts import Contracts, open_contracts
from chain.daemon import daemon_status
from chain.deployments import Deployment, check_present, load_deployment
from chain.outbox import Outbox
from scripts.console.errors import CommandError

if TYPE_CHECKING:
    from web3 import Web3

    from fl_core.stores import RunStore
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


def open_run_contracts(state: RunState, home: Path, url: str | None, expected: int | None) -> Contracts:
    """The deployment that a run was recorded on.

    Raises:
        CommandError: the run was not recorded on a chain.
        NodeError: no node answers, or it is on another chain.
        NotDeployed: the node does not have the run's contracts.
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
    check_present(deployment, w3)
    return open_contracts(w3, deployment)


def rounds_elsewhere(runs: Path, state: RunState, url: str | None = None) -> set[int]:
    """Rounds of a run's ledger whose bundles are there, but in other runs under the same folder or URL."""
    return {
        number
        for store, other in runs_at_hand(runs, url)
        if other.run != state.run and other.deployment is not None and other.deployment == state.deployment
        for number in store.bundles()
    }
