"""JSON-RPC as the rest of the package needs it: plain requests and batches with readable failures.

web3's request manager formats every result through a stack of middleware (about 1 ms a call); here results
stay as the node sent them, which is what the codecs of `chain.abi` want.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import requests

from chain.errors import ChainError, NodeError

if TYPE_CHECKING:
    from web3 import HTTPProvider, Web3
    from web3.types import RPCEndpoint

_LONGEST_BATCH = 500
START_HINT = "start a local one with `fediomt chain up`"


class RpcError(ChainError):
    """The node answered with an error object.

    Attributes:
        code: JSON-RPC error code.
        message: the node's own text.
        data: revert data as 0x-hex, where the node gave any.
    """

    def __init__(self, method: str, code: int, message: str, data: str | None) -> None:
        message = " ".join(message.split())[:200]
        super().__init__(f"the node refused {method}: {message} (code {code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


def endpoint(w3: Web3) -> str:
    """The URL that a connection talks to."""
    return str(getattr(w3.provider, "endpoint_uri", w3.provider))


def request(w3: Web3, method: str, *params: object) -> Any:  # noqa: ANN401 - JSON
    """Send one request and return its `result`.

    Raises:
        NodeError: no node, a timeout, or something that is not JSON-RPC.
        RpcError: the node answered with an error.
    """
    try:
        response: Any = _provider(w3).make_request(cast("RPCEndpoint", method), list(params))
    except Exception as error:
        raise _unreachable(w3, error) from error
    result = _result(w3, method, response)
    if isinstance(result, RpcError):
        raise result
    return result


def batch(w3: Web3, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
    """Send (method, params) pairs as JSON-RPC batches; errors come back in place as `RpcError` values.

    Nodes refuse batches that are too long (by default geth those above 1,000).

    Raises:
        NodeError: no node, a timeout, or an answer that does not fit the batch.
    """
    return [
        value
        for start in range(0, len(calls), _LONGEST_BATCH)
        for value in _batch(w3, calls[start : start + _LONGEST_BATCH])
    ]


def _batch(w3: Web3, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
    payload = [(cast("RPCEndpoint", method), list(params)) for method, params in calls]
    try:
        responses: Any = _provider(w3).make_batch_request(payload)
    except Exception as error:
        raise _unreachable(w3, error) from error
    if not isinstance(responses, list) or len(responses) != len(calls):
        raise NodeError(
            f"{endpoint(w3)} does not answer batches of {len(calls)} requests: is it an Ethereum node?"
        )
    return [_result(w3, method, response) for (method, _), response in zip(calls, responses, strict=True)]


def unwrap(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A batch's value, raised if it is an error."""
    if isinstance(value, RpcError):
        raise value
    return value


def _provider(w3: Web3) -> HTTPProvider:
    return cast("HTTPProvider", w3.provider)


def _result(w3: Web3, method: str, response: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(response, dict):
        error = response.get("error")
        if isinstance(error, dict):
            data = error.get("data")
            if isinstance(data, dict):  # Hardhat and some gateways nest the revert data
                data = data.get("data")
            return RpcError(
                method,
                int(error.get("code", 0)),
                str(error.get("message", "no message")),
                data if isinstance(data, str) else None,
            )
        if "result" in response:
            return response["result"]
    raise NodeError(f"{endpoint(w3)} did not answer {method} as an Ethereum node does: check the URL")


def _unreachable(w3: Web3, error: Exception) -> NodeError:
    """What a provider's failure means; everything that it raises is about the transport or a malformed answer."""
    if isinstance(error, requests.Timeout):
        return NodeError(
            f"the node at {endpoint(w3)} did not answer in time: check it with `fediomt chain status`"
        )
    if isinstance(error, requests.ConnectionError):
        return NodeError(f"no node answers at {endpoint(w3)}: {START_HINT}")
    if isinstance(error, requests.HTTPError):
        return NodeError(f"{endpoint(w3)} answered {_status(error)}: is it an Ethereum node?")
    return NodeError(f"{endpoint(w3)} does not speak JSON-RPC: check the URL")


def _status(error: requests.HTTPError) -> str:
    return "with an HTTP error" if error.response is None else f"HTTP {error.response.status_code}"
