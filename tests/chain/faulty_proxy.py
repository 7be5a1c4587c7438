"""A small proxy in front of a real node that misbehaves on request, as networks and gateways do."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DROP_BEFORE = "the connection breaks before the node sees the request"
DROP_AFTER = "the node has the request, its answer is lost"
SILENT = "no answer comes"
HTML = "a gateway answers with a page"
TRUNCATED = "the answer is cut off"
BAD_GATEWAY = "HTTP 502"
NULL = "every result is null"
NONSENSE = "every result is of another type"

Fault = Callable[[dict[str, Any]], Any]


@dataclass
class FaultyProxy:
    """`fault` looks at a request and names one of the faults above, gives a JSON-RPC error as a dictionary, or None.

    Of a batch, its last request decides. `seen` counts methods. `on_drop` is called before a connection breaks.
    """

    node_url: str
    url: str = ""
    fault: Fault = lambda request: None
    on_drop: Callable[[], None] = lambda: None
    seen: Counter[str] = field(default_factory=Counter)
    released: threading.Event = field(default_factory=threading.Event)

    def forward(self, body: bytes) -> bytes:
        request = urllib.request.Request(self.node_url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.read()

    def answer(self, body: bytes) -> tuple[int, bytes] | None:  # noqa: PLR0911 - a fault, an answer
        """Status and body, or None for a broken connection."""
        asked = json.loads(body)
        requests = asked if isinstance(asked, list) else [asked]
        self.seen.update(item["method"] for item in requests)
        faults = [fault for item in requests if (fault := self.fault(item)) is not None]
        fault = faults[-1] if faults else None
        if fault == DROP_BEFORE:
            self.on_drop()
            return None
        if fault == SILENT:
            self.released.wait(20)
            return None
        if fault == HTML:
            return 200, b"<html>maintenance</html>"
        if fault == BAD_GATEWAY:
            return 502, b"bad gateway"
        if isinstance(fault, dict):
            answers = [{"jsonrpc": "2.0", "id": item["id"], "error": fault} for item in requests]
            return 200, json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
        answered = self.forward(body)
        if fault == DROP_AFTER:
            self.on_drop()
            return None
        if fault == TRUNCATED:
            return 200, answered[: len(answered) // 2]
        if fault in {NULL, NONSENSE}:
            result = None if fault == NULL else {"surprise": ["zz"]}
            answers = [{"jsonrpc": "2.0", "id": item["id"], "result": result} for item in requests]
            return 200, json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
        return 200, answered


@contextmanager
def faulty_proxy(node_url: str) -> Iterator[FaultyProxy]:
    """A proxy on a free loopback port, gone when the block ends."""
    proxy = FaultyProxy(node_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer goes out in one piece: two would wait for each other's acknowledgement

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = proxy.answer(body)
            if answer is None:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
