"""Connecting to a node, and what identifies the chain behind it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from eth_utils.address import is_address, to_checksum_address

from chain.errors import ChainError, NodeError, WrongChain
from chain.light import LightConnection, LightProvider
from chain.rpc import batch, endpoint, request, unwrap

if TYPE_CHECKING:
    from web3 import Web3

DEFAULT_URL = "http://127.0.0.1:8545"
NOBODY = "0x" + "00" * 20
"""The zero address."""

LOCAL_CHAIN_IDS = frozenset({31337, 1337})


def connect(url: str = DEFAULT_URL, *, chain_id: int | None = None, timeout_s: float = 30.0) -> Web3:
    """Connect to the node at `url` and make sure that it answers.

    Args:
        url: HTTP(S) endpoint.
        chain_id: the chain that is expected there, or None for any.
        timeout_s: longest wait for one answer.

    Raises:
        NodeError: not an HTTP URL, or nothing that speaks JSON-RPC answers there.
        WrongChain: the node serves another chain id.
    """
    from web3 import HTTPProvider, Web3  # noqa: PLC0415 - slow to import: `connect_lightly` does without
    from web3.middleware import ExtraDataToPOAMiddleware  # noqa: PLC0415

    _require_http(url)
    w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": timeout_s}, exception_retry_configuration=None))
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)  # QBFT's extraData is longer than 32 bytes
    return _serving(w3, url, chain_id)


def connect_lightly(url: str = DEFAULT_URL, *, chain_id: int | None = None, timeout_s: float = 30.0) -> Web3:
    """The same as `connect`, without web3: for `chain.rpc` and all that goes through it; it has no `eth`."""
    _require_http(url)
    light = LightConnection(LightProvider(url, timeout_s=timeout_s))
    return _serving(cast("Web3", light), url, chain_id)


def _require_http(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise NodeError(f"{url!r} is not an HTTP URL: use one like {DEFAULT_URL}")


def _serving(w3: Web3, url: str, chain_id: int | None) -> Web3:
    found = chain_id_of(w3)
    if chain_id is not None and found != chain_id:
        raise WrongChain(
            f"the node at {url} serves chain {found}, expected {chain_id}: give the URL of the right node"
        )
    return w3


def chain_id_of(w3: Web3) -> int:
    """The node's chain id, asked anew (a restarted node may serve another)."""
    return _quantity(w3, request(w3, "eth_chainId"))


def genesis_hash(w3: Web3) -> bytes:
    """Hash of block 0 (32 bytes): tells a fresh node from the one that contracts were deployed to."""
    return chain_identity(w3)[1]


def chain_identity(w3: Web3) -> tuple[int, bytes]:
    """(chain id, genesis hash), in one request."""
    number, block = batch(w3, [("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])])
    block = unwrap(block)
    if not isinstance(block, dict) or "hash" not in block:
        raise NodeError(f"the node at {endpoint(w3)} does not know its first block: let it finish syncing")
    return _quantity(w3, unwrap(number)), bytes.fromhex(str(block["hash"])[2:])


def is_local(w3: Web3) -> bool:
    """Whether this is a chain for development: its accounts are public and its clock may be moved."""
    return chain_id_of(w3) in LOCAL_CHAIN_IDS


@lru_cache(maxsize=65_536)
def to_address(value: str | bytes) -> str:
    """Checksum form of an address given as text or as 20 bytes.

    Raises:
        ChainError: not an address.
    """
    if not is_address(value):
        shown = value.hex() if isinstance(value, bytes) else value
        raise ChainError(f"{shown!r} is not an address: expected 0x and 40 hexadecimal digits")
    return str(to_checksum_address(value))


def _quantity(w3: Web3, value: object) -> int:
    try:
        return int(str(value), 16)
    except ValueError:
        raise NodeError(f"{endpoint(w3)} did not answer as an Ethereum node does: check the URL") from None
