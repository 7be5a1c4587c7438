"""A connection that only reads: web3's HTTP provider without web3, whose import takes longer than most queries.

`chain.rpc` asks a connection for `provider.make_request` and `make_batch_request`, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests


class LightProvider:
    """JSON-RPC over HTTP, with the methods of web3's provider that `chain.rpc` uses.

    Args:
        url: HTTP(S) endpoint.
        timeout_s: longest wait for one answer.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.endpoint_uri = url
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._ids = count(1)

    def make_request(self, method: str, params: Sequence[object]) -> Any:  # noqa: ANN401 - JSON
        """One request's answer.

        Raises:
            requests.RequestException: no answer, or an HTTP error.
            ValueError: the answer is not JSON.
        """
        return self._post(self._request(method, params))

    def make_batch_request(self, calls: Sequence[tuple[str, Sequence[object]]]) -> Any:  # noqa: ANN401 - JSON
        """The answers to a batch, in the order of the calls; raises as `make_request` does."""
        asked = [self._request(method, params) for method, params in calls]
        answers = self._post(asked)
        if not isinstance(answers, list):
            return answers
        places = {item["id"]: place for place, item in enumerate(asked)}
        return sorted(answers, key=lambda item: places[item["id"]])

    def _request(self, method: str, params: Sequence[object]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, body: Any) -> Any:  # noqa: ANN401 - JSON
        response = self._session.post(self.endpoint_uri, json=body, timeout=self._timeout_s)
        response.raise_for_status()
        return response.json()


@dataclass(frozen=True)
class LightConnection:
    """Stands where a `Web3` does for everything that goes through `chain.rpc`."""

    provider: LightProvider = field(repr=False)
