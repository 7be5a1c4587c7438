"""Connecting fails in one line that says what to do; no Python traceback of a library comes through."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from web3 import Web3
from web3.exceptions import ExtraDataLengthError

from chain.anvil import free_port
from chain.besu.extra_data import rlp_encode
from chain.connect import connect, genesis_hash, is_local, to_address
from chain.errors import ChainError, NodeError, WrongChain
from chain.rpc import RpcError, batch, request


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    """Something that speaks HTTP, but not as a node does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}"
        listener.shutdown()
        thread.join()


def refused(url: str, **options) -> str:
    with pytest.raises(NodeError) as error:
        connect(url, **options)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 200
    return text


@pytest.mark.node
def test_chain_behind_a_connection_is_known(session_w3: Web3):
    assert is_local(session_w3)
    assert len(genesis_hash(session_w3)) == 32


@pytest.mark.node
def test_other_chain_is_refused(session_w3: Web3):
    url = session_w3.provider.endpoint_uri
    with pytest.raises(WrongChain, match="serves chain 31337, expected 1337"):
        connect(url, chain_id=1337)


def test_no_node_is_said_with_the_command_that_starts_one():
    port = free_port()
    assert refused(f"http://127.0.0.1:{port}") == (
        f"no node answers at http://127.0.0.1:{port}: start a local one with `fediomt chain up`"
    )


@pytest.mark.parametrize("url", ["", "localhost:8545", "ftp://x", "http://", "/tmp/geth.ipc"])
def test_what_is_no_url_is_said(url: str):
    assert "is not an HTTP URL" in refused(url)


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (404, b"", "HTTP 404"),
        (200, b"<html>hello</html>", "does not speak JSON-RPC"),
        (200, b"{}", "as an Ethereum node does"),
        (200, b'"text"', "as an Ethereum node does"),
        (200, b'{"jsonrpc":"2.0","id":0,"result":"nonsense"}', "as an Ethereum node does"),
        (200, b'{"jsonrpc":"2.0","id":0,"result":null}', "as an Ethereum node does"),
    ],
)
def test_servers_that_are_no_node_are_said(status: int, body: bytes, text: str):
    with server(status, body) as url:
        assert text in refused(url)


def test_silent_server_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "did not answer in time" in refused(
            f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1
        )


@pytest.mark.node
def test_refused_requests_carry_the_node_s_words(session_w3: Web3):
    with pytest.raises(RpcError, match="the node refused eth_nonsense") as error:
        request(session_w3, "eth_nonsense")
    assert error.value.code == -32601
    good, bad = batch(session_w3, [("eth_chainId", []), ("eth_nonsense", [])])
    assert good == "0x7a69"
    assert isinstance(bad, RpcError)
    assert batch(session_w3, []) == []


def test_batches_that_come_back_short_are_refused():
    body = json.dumps({"jsonrpc": "2.0", "id": 0, "result": "0x7a69"}).encode()
    with server(200, body) as url:
        w3 = connect(url)
        with pytest.raises(NodeError, match="does not answer batches"):
            genesis_hash(w3)


def test_addresses_are_checked():
    assert to_address(b"\x11" * 20) == to_address("0x" + "11" * 20)
    for wrong in ("0x12", b"\1", "hospital"):
        with pytest.raises(ChainError, match="is not an address"):
            to_address(wrong)


def test_a_connection_reads_headers_with_the_extra_data_of_a_qbft_block(monkeypatch: pytest.MonkeyPatch):
    seals = [bytes([index]) * 65 for index in range(1, 4)]
    validators = [bytes([index]) * 20 for index in range(1, 5)]
    extra = rlp_encode([bytes(32), validators, [], b"", seals])
    assert len(extra) > 300
    number = {"jsonrpc": "2.0", "id": 0, "result": "0x17"}
    header = {"jsonrpc": "2.0", "id": 0, "result": {"number": "0x1", "extraData": "0x" + extra.hex()}}
    with server(200, json.dumps(number).encode()) as url:
        w3 = connect(url)
        monkeypatch.setattr(w3.provider, "make_request", lambda method, params: header)
        assert w3.eth.get_block(1)["proofOfAuthorityData"] == extra
        assert request(w3, "eth_getBlockByNumber", "0x1", False) == header["result"]
        plain = Web3(w3.provider)
        with pytest.raises(ExtraDataLengthError):
            plain.eth.get_block(1)
