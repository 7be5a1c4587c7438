"""Every file of a QBFT network: planned as data, then written as a folder that appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chain.besu.containers import CONFIG_IN_CONTAINER, DATA_IN_CONTAINER, compose, prometheus
from chain.besu.documented import documented_besu, require_documented
from chain.besu.documents import Plain, toml
from chain.besu.genesis import genesis
from chain.besu.settings import QbftSettings
from chain.errors import ChainError
from chain.files import write_atomically
from chain.keys import Key

SECRET_MODE = 0o600
_PUBLIC_MODE = 0o644
_RPC_APIS = ("ETH", "NET", "WEB3", "QBFT")
_LOGS_RANGE = 5_000
"""Besu's default, said in so many words because our index reads in chunks no longer than that."""


@dataclass(frozen=True)
class NodeSite:
    """One validator, and where it runs.

    Attributes:
        name: of its folder and its service.
        key: its node key; its address is the validator's.
        host: IPv4 address that its peers reach it at.
        p2p_port: TCP port there.
        rpc_port: of JSON-RPC, on its loopback.
        metrics_port: of metrics, on its loopback.
    """

    name: str
    key: Key
    host: str
    p2p_port: int
    rpc_port: int
    metrics_port: int

    @property
    def enode(self) -> str:
        """Where and as whom its peers know it."""
        return f"enode://{self.key.public.hex()}@{self.host}:{self.p2p_port}"


@dataclass(frozen=True)
class NetworkFile:
    """A file to be written; its content is never shown, since it may be a key."""

    content: bytes = field(repr=False)
    mode: int = _PUBLIC_MODE


@dataclass(frozen=True)
class QbftNetwork:
    """A network as planned: its validators, and its files by path below the network's folder."""

    settings: QbftSettings
    sites: tuple[NodeSite, ...]
    files: Mapping[PurePosixPath, NetworkFile] = field(repr=False)


def plan_network(settings: QbftSettings, keys: Sequence[Key] | None = None) -> QbftNetwork:
    """All files of a network; nothing is written.

    Args:
        settings: the network's.
        keys: node keys; by default new ones from the operating system's generator.

    Raises:
        ChainError: the settings do not work, or Besu does not document what would be written.
    """
    settings.check()
    chosen = list(keys) if keys is not None else [Key.random() for _ in range(settings.validators)]
    if len(set(chosen)) != settings.validators:
        raise ChainError(
            f"{settings.validators} validators need as many different keys, not {len(set(chosen))}"
        )
    sites = tuple(_site(settings, index, key) for index, key in enumerate(chosen))
    start = genesis(settings, [site.key.address_bytes for site in sites])
    _check_genesis(start)
    files = {
        PurePosixPath("genesis.json"): _json(start),
        PurePosixPath("network.json"): _json(_facts(settings, sites)),
    }
    for site in sites:
        files |= _node_files(settings, site, sites, start)
    machines = (
        [(PurePosixPath(site.name), [site]) for site in sites]
        if settings.hosts
        else [(PurePosixPath(), sites)]
    )
    for folder, here in machines:
        places = {site.name: PurePosixPath(site.name).relative_to(folder) for site in here}
        ports = {site.name: site.metrics_port for site in here}
        files[folder / "compose.yaml"] = _text(compose(places, image=settings.besu_image))
        files[folder / "prometheus.yml"] = _text(prometheus(ports, chain_id=settings.chain_id))
    return QbftNetwork(settings, sites, dict(sorted(files.items())))


def write_network(network: QbftNetwork, directory: Path, *, replace: bool = False) -> Path | None:
    """Write a network's files into a folder of its own, readable by its owner only, whole or not at all.

    Args:
        network: what to write.
        directory: the folder; must not be there, or be empty.
        replace: whether a folder that is there is put aside first; its keys are never deleted.

    Returns:
        Where the old folder was put, or None.

    Raises:
        ChainError: there is something already, or it cannot be written.
    """
    occupied = directory.exists() and not (directory.is_dir() and not any(directory.iterdir()))
    if occupied and not replace:
        raise ChainError(f"{directory} is there already: name another folder, or put it aside with --replace")
    draft: Path | None = None
    aside: Path | None = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        for path, file in network.files.items():
            write_atomically(draft / path, file.content, mode=file.mode)
        if occupied:
            aside = _free_name(directory)
            directory.rename(aside)
        os.replace(draft, directory)
    except BaseException as error:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
        if aside is not None and not directory.exists() and aside.exists():
            aside.rename(directory)
        if isinstance(error, OSError):
            raise ChainError(f"cannot write {directory}: {error.strerror or error}") from error
        raise
    return aside


def _site(settings: QbftSettings, index: int, key: Key) -> NodeSite:
    shift = 0 if settings.hosts else index
    return NodeSite(
        name=f"validator-{index + 1}",
        key=key,
        host=settings.hosts[index] if settings.hosts else "127.0.0.1",
        p2p_port=settings.p2p_port + shift,
        rpc_port=settings.rpc_port + shift,
        metrics_port=settings.metrics_port + shift,
    )


def _node_files(
    settings: QbftSettings, site: NodeSite, sites: Sequence[NodeSite], start: Mapping[str, Plain]
) -> dict[PurePosixPath, NetworkFile]:
    folder = PurePosixPath(site.name)
    enodes = [other.enode for other in sites]
    permissions: dict[str, Plain] = {"nodes-allowlist": enodes}
    if settings.operators:
        permissions["accounts-allowlist"] = [address.lower() for _, address in settings.operators]
    known = documented_besu()
    options = _options(settings, site)
    require_documented("option", options, known.options)
    require_documented("item of a permissions file", permissions, known.permissions)
    require_documented("group of JSON-RPC methods", _RPC_APIS, known.rpc_apis)
    return {
        folder / "config.toml": _text(toml(options, note=f"{site.name}; written by fediomt chain init")),
        folder / "genesis.json": _json(start),
        folder / "data" / "key": NetworkFile(f"0x{site.key.private.hex()}\n".encode(), SECRET_MODE),
        folder / "data" / "static-nodes.json": _json([enode for enode in enodes if enode != site.enode]),
        folder / "data" / "permissions_config.toml": _text(
            toml(permissions, note="who may connect, and whose transactions are taken")
        ),
    }


def _options(settings: QbftSettings, site: NodeSite) -> dict[str, Plain]:
    """What Besu's configuration file says; the permissions file has to be in the data folder under its usual name."""
    return {
        "data-path": DATA_IN_CONTAINER,
        "genesis-file": f"{CONFIG_IN_CONTAINER}/genesis.json",
        "node-private-key-file": f"{DATA_IN_CONTAINER}/key",
        "static-nodes-file": f"{DATA_IN_CONTAINER}/static-nodes.json",
        "discovery-enabled": False,
        "sync-mode": "FULL",
        "sync-min-peers": 1,
        "p2p-host": site.host,
        "p2p-interface": site.host if not settings.hosts else "0.0.0.0",  # noqa: S104 - peers reach it from outside
        "p2p-port": site.p2p_port,
        "rpc-http-enabled": True,
        "rpc-http-host": "127.0.0.1",
        "rpc-http-port": site.rpc_port,
        "rpc-http-api": list(_RPC_APIS),
        "host-allowlist": ["localhost", "127.0.0.1"],
        "rpc-max-logs-range": _LOGS_RANGE,
        "min-gas-price": 0,
        "min-priority-fee": 0,
        "tx-pool": "sequenced",
        "tx-pool-limit-by-account-percentage": 1,
        "permissions-nodes-config-file-enabled": True,
        "permissions-accounts-config-file-enabled": bool(settings.operators),
        "metrics-enabled": True,
        "metrics-host": "127.0.0.1",
        "metrics-port": site.metrics_port,
    }


def _check_genesis(start: Mapping[str, Plain]) -> None:
    known, config = documented_besu(), start["config"]
    assert isinstance(config, Mapping)
    qbft = config["qbft"]
    assert isinstance(qbft, Mapping)
    require_documented("genesis item", start.keys() - {"config"}, known.genesis_block)
    require_documented("genesis item config", config, known.genesis_config)
    require_documented("genesis item config.qbft", qbft, known.qbft)


def _facts(settings: QbftSettings, sites: Sequence[NodeSite]) -> dict[str, object]:
    """What may be told about the network: no keys."""
    return {
        "consensus": "qbft",
        "chain_id": settings.chain_id,
        "tolerated_faults": settings.tolerated,
        "operators": dict(settings.operators),
        "validators": [
            {
                "name": site.name,
                "address": site.key.address,
                "enode": site.enode,
                "rpc": f"http://127.0.0.1:{site.rpc_port}",
                "metrics": f"http://127.0.0.1:{site.metrics_port}/metrics",
            }
            for site in sites
        ],
    }


def _json(value: object) -> NetworkFile:
    return _text(json.dumps(value, indent=2) + "\n")


def _text(value: str) -> NetworkFile:
    return NetworkFile(value.encode())


def _free_name(directory: Path) -> Path:
    number = 1
    while (aside := directory.with_name(f"{directory.name}.replaced-{number}")).exists():
        number += 1
    return aside
