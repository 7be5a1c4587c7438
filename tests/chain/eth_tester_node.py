"""py-evm in this process, behind the JSON-RPC that the package's connections speak: a node without a process.

It answers what `chain.rpc` asks for and nothing else; every other method is refused as a node refuses one that it
does not have. A block a transaction, as development nodes do it; time moves when it is told to.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Callable, Sequence
from typing import Any, cast

from eth.abc import SignedTransactionAPI, StateAPI
from eth.exceptions import VMError
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed
from web3 import Web3

from chain.connect import NOBODY
from chain.keys import DEVELOPMENT_MNEMONIC
from chain.light import LightConnection

CHAIN_ID = 31337
_FUNDED = 10
_LATEST = ("latest", "pending")


class EthTesterProvider:
    """Answers one request or a batch, as web3's HTTP provider does."""

    endpoint_uri = "eth-tester in this process"

    def __init__(self) -> None:
        accounts = {"mnemonic": DEVELOPMENT_MNEMONIC, "hd_path": "m/44'/60'/0'/0"}
        state = PyEVMBackend.generate_genesis_state(num_accounts=_FUNDED, **accounts)
        rich = next(iter(state.values()))  # who calls a view pays for its gas here, and that is nobody
        backend = PyEVMBackend(genesis_state={**state, bytes(20): rich}, **accounts)
        assert isinstance(backend.chain.get_vm(), PragueVM)  # the fork of the other engines
        type(backend.chain).chain_id = CHAIN_ID  # its own is no local chain's
        backend.chain.gas_estimator = _estimate
        self._tester = EthereumTester(backend)
        self._mined: dict[str, dict[str, Any]] = {}  # receipts, in the order of the chain
        self._skipped_s = 0
        self._methods: dict[str, Callable[..., object]] = {
            "eth_chainId": lambda: CHAIN_ID,
            "eth_blockNumber": lambda: self._block("latest")["number"],
            "eth_gasPrice": lambda: self._block("latest")["base_fee_per_gas"] + 10**9,
            "eth_getBlockByNumber": lambda block, _: self._block(block),
            "eth_getTransactionCount": lambda address, _: self._tester.get_nonce(address),
            "eth_getCode": lambda address, _: self._tester.get_code(address),
            "eth_call": lambda call, block: self._tester.call(_call(call), _number(block)),
            "eth_estimateGas": lambda call: self._tester.estimate_gas(_call(call)),
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionReceipt": self._mined.get,
            "eth_getLogs": self._logs,
            "evm_increaseTime": self._skip,
            "evm_mine": self._mine,
        }

    def make_request(self, method: str, params: Sequence[object]) -> dict[str, Any]:
        """The answer to one request."""
        if method not in self._methods:
            return {"error": {"code": -32601, "message": f"there is no method {method}"}}
        try:
            return {"result": _as_json(self._methods[method](*params))}
        except (TransactionFailed, VMError) as error:
            return {"error": {"code": 3, "message": "execution reverted", "data": _revert_data(error)}}

    def make_batch_request(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[dict[str, Any]]:
        """The answers to a batch, in its order."""
        return [self.make_request(method, params) for method, params in calls]

    def _block(self, block: str) -> dict[str, Any]:
        return self._tester.get_block_by_number(_number(block))

    def _send(self, raw: str) -> str:
        digest = self._tester.send_raw_transaction(raw)
        self._mined[digest] = self._tester.get_transaction_receipt(digest)
        return digest

    def _logs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        return [
            log
            for receipt in self._mined.values()
            if first <= receipt["block_number"] <= last
            for log in receipt["logs"]
            if log["address"] == query["address"] and _matches(log["topics"], query["topics"])
        ]

    def _skip(self, seconds: int) -> int:
        self._skipped_s += seconds
        return self._skipped_s

    def _mine(self) -> None:
        wanted = self._block("latest")["timestamp"] + self._skipped_s
        self._skipped_s = 0
        if wanted > self._tester.get_block_by_number("pending")["timestamp"]:
            self._tester.time_travel(wanted + 1)  # mines a block of the second before
        else:
            self._tester.mine_block()


def connect_in_process() -> Web3:
    """A connection to a new chain, with the funded accounts and the chain id of the other development nodes."""
    return cast("Web3", LightConnection(EthTesterProvider()))


def _estimate(state: StateAPI, transaction: SignedTransactionAPI) -> int:
    """One run in place of py-evm's search, which takes ten: what it used and an eighth, for calls pass on 63/64."""
    before = state.snapshot()
    limit = cast("SignedTransactionAPI", SpoofTransaction(transaction, gas=state.gas_limit, gas_price=0))
    computation = state.apply_transaction(limit)
    state.revert(before)
    computation.raise_if_error()
    used = transaction.intrinsic_gas + computation.get_gas_used()
    return used + used // 8


def _call(fields: dict[str, str]) -> dict[str, Any]:
    numbers = {name: int(fields[name], 16) for name in ("value", "gas") if name in fields}
    return {"from": NOBODY, **fields, **numbers}


def _number(block: str) -> str | int:
    return "latest" if block in _LATEST else int(block, 16)


def _matches(topics: Sequence[str], asked: Sequence[Any]) -> bool:
    """Whether a log has the topics of a query: each None for any, a topic, or a list of which one must be there."""
    if len(asked) > len(topics):
        return False
    return all(
        want is None or topic in (want if isinstance(want, list) else [want])
        for topic, want in zip(topics, asked, strict=False)
    )


def _revert_data(error: Exception) -> str:
    """What a contract said when it refused; eth-tester tells a call's as the text of a bytes literal."""
    told: Any = error
    while isinstance(told, Exception):  # an estimate's is wrapped
        told = told.args[0] if told.args else b""
    if isinstance(told, str):
        told = literal_eval(told) if told.startswith(("b'", 'b"')) else b""
    return "0x" + told.hex()


def _as_json(value: object) -> object:
    """What eth-tester answers, as JSON-RPC has it: hexadecimal numbers, camelCase names."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {_camel(name): _as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
