"""A local EVM node and the contracts' test harnesses."""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_abi import decode, encode
from eth_hash.auto import keccak

ROOT = Path(__file__).resolve().parents[2]


def find_anvil() -> Path | None:
    """Anvil's own binary, not the Node shim, so that a signal reaches it."""
    return next(iter(sorted(ROOT.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))), None)


class RevertError(Exception):
    """The call reverted."""


@contextmanager
def running_node(binary: Path) -> Iterator[int]:
    """Run Anvil on a free port; yields the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(binary), "--port", str(port), "--hardfork", "prague", "--chain-id", "31337", "--silent"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=10)


class Harness:
    """One harness contract: pure functions, so that its code alone is put in place."""

    def __init__(self, port: int, name: str) -> None:
        artifact = json.loads((ROOT / "tests" / "artifacts" / f"{name}.json").read_text())
        self._address = "0x" + keccak(name.encode())[-20:].hex()
        self._functions = {item["name"]: item for item in artifact["abi"] if item["type"] == "function"}
        self._port = port
        code = "0x" + artifact["deployedBytecode"].removeprefix("0x")
        self._post([_request("anvil_setCode", self._address, code)])

    def call(self, function: str, *arguments: object) -> Any:
        """The first value that a function returns.

        Raises:
            RevertError: if it reverts.
        """
        outcome = self.call_each(function, [arguments])[0]
        if isinstance(outcome, RevertError):
            raise outcome
        return outcome[0]

    def call_each(self, function: str, calls: Sequence[Sequence[object]]) -> list[Any]:
        """Many calls in one request: a tuple of what each returns, or RevertError."""
        definition = self._functions[function]
        inputs = [_type_of(item) for item in definition["inputs"]]
        outputs = [_type_of(item) for item in definition["outputs"]]
        selector = keccak(f"{function}({','.join(inputs)})".encode())[:4]
        body = [
            _request(
                "eth_call",
                {"to": self._address, "data": "0x" + (selector + encode(inputs, arguments)).hex()},
                "latest",
                number=number,
            )
            for number, arguments in enumerate(calls)
        ]
        answers = sorted(self._post(body), key=lambda answer: answer["id"])
        return [
            decode(outputs, bytes.fromhex(answer["result"][2:]))
            if "result" in answer
            else RevertError(answer["error"]["message"])
            for answer in answers
        ]

    def _post(self, body: object) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
            answer: list[dict[str, Any]] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()


def _request(method: str, *params: object, number: int = 0) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _type_of(item: dict[str, Any]) -> str:
    """The canonical ABI type, structs spelt out."""
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    return "(" + ",".join(_type_of(part) for part in item["components"]) + ")" + item["type"][len("tuple") :]
