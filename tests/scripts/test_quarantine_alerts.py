"""Alerts are written once, posted where asked, and never stop a round."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from told_records import with_part

from fl_core.errors import SpecError
from incentives.suspicion_standing import Status
from incentives.suspicion_watch import Decision
from scripts.federation.alerts import ALERTS_FILE, Alerts, read_alerts
from scripts.federation.offline import offline_run
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings
from scripts.federation.webhook import Webhook


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> RoundRecord:
    """A round of three small hospitals."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = RunSettings(hospitals=3, devices=3, cohort_size=3, k_min=3, rounds=1, epochs=1, seed=1)
    run = offline_run(settings, "alerts", folder)
    run.train()
    return run.state.read_round(run.folder, 1)[0]


@pytest.fixture
def record(plain) -> RoundRecord:
    """The same, with a device of hospital 2 in quarantine after it."""
    device = min(plain.hospitals[2].slots)
    decision = Decision(device, Status.QUARANTINE, until=10, evidence=9_500, limit=9_210)
    return with_part(plain, 2, decisions=(decision,))


class Receiver:
    """A server on this machine that keeps what is posted to it."""

    def __init__(self, status: int, **headers: str) -> None:
        self.posted: list[dict] = []
        posted = self.posted

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posted.append({"path": self.path, "type": self.headers["Content-Type"], **json.loads(body)})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def do_GET(self):
                posted.append({"path": self.path, "got": True})
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                """Nothing on the screen."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?token=hidden"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Raw:
    """A server on this machine that answers with these bytes, and then with a byte at a time if it drips."""

    def __init__(self, answer: bytes, *, drips: bool = False) -> None:
        self._answer, self._drips, self._over = answer, drips, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self._thread = threading.Thread(target=self._serve)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/hook?token=hidden"

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            with peer:
                request = b""
                while b'"alerts"' not in request:
                    request += peer.recv(65_536)
                peer.sendall(self._answer)
                with suppress(ConnectionError):  # the client has what it wants
                    while self._drips and not self._over.wait(0.02):
                        peer.sendall(b"x")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self._listener.close()


def test_a_decision_is_a_line_of_the_log_and_one_post(tmp_path, record):
    with Receiver(200) as receiver:
        told = Alerts("run-1", tmp_path, Webhook(receiver.url)).tell(record)
    assert read_alerts(tmp_path) == told
    assert [post["alerts"] for post in receiver.posted] == [told]
    assert receiver.posted[0]["type"] == "application/json"
    assert told[0] == {
        "event": "decision",
        "run": "run-1",
        "round": 1,
        "hospital": 2,
        "device": min(record.hospitals[2].slots).hex(),
        "status": "quarantine",
        "until_round": 10,
        "evidence_nats": 9.5,
        "limit_nats": 9.21,
    }


def test_a_round_that_is_told_again_adds_nothing(tmp_path, record):
    alerts = Alerts("run-1", tmp_path)
    assert len(alerts.tell(record)) == 1
    assert alerts.tell(record) == []
    assert len(read_alerts(tmp_path)) == 1


def test_a_quiet_round_writes_no_log(tmp_path, plain):
    assert Alerts("run-1", tmp_path).tell(plain) == []
    assert not (tmp_path / ALERTS_FILE).exists()


def test_a_webhook_that_refuses_is_noted_and_stops_nothing(tmp_path, record):
    with Receiver(500) as receiver:
        assert len(Alerts("run-1", tmp_path, Webhook(receiver.url)).tell(record)) == 1
    _, note = read_alerts(tmp_path)
    assert note["event"] == "webhook failed"
    assert "500" in note["reason"]


def test_a_webhook_that_is_not_there_is_noted_without_what_its_url_holds(tmp_path, record):
    with Receiver(200) as receiver:
        gone = receiver.url
    assert len(Alerts("run-1", tmp_path, Webhook(gone)).tell(record)) == 1
    text = (tmp_path / ALERTS_FILE).read_text()
    assert '"webhook failed"' in text
    assert "hidden" not in text
    assert "hook" not in text.replace("webhook", "")


def test_a_line_cut_short_is_passed_over(tmp_path, record):
    alerts = Alerts("run-1", tmp_path)
    alerts.tell(record)
    with (tmp_path / ALERTS_FILE).open("a") as log:
        log.write('{"event": "deci')
    assert len(read_alerts(tmp_path)) == 1
    assert alerts.tell(record) == []


def test_an_alert_names_nothing_but_the_account_of_the_epoch(tmp_path, record):
    told = Alerts("run-1", tmp_path).tell(record)
    secrets = [salt.hex() for part in record.hospitals.values() for salt in part.salts]
    text = json.dumps(told)
    assert not any(secret in text for secret in secrets)
    assert set(told[0]) == {
        "event",
        "run",
        "round",
        "hospital",
        "device",
        "status",
        "until_round",
        "evidence_nats",
        "limit_nats",
    }


def test_a_probation_has_no_end_in_an_alert(tmp_path, record):
    (decision,) = record.hospitals[2].decisions
    freed = with_part(record, 2, decisions=(replace(decision, status=Status.PROBATION, until=0),))
    assert Alerts("run-1", tmp_path).tell(freed)[0]["until_round"] is None


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_counts_as_not_delivered(tmp_path, record, code):
    with Receiver(200) as elsewhere, Receiver(code, Location=elsewhere.url) as receiver:
        Alerts("run-1", tmp_path, Webhook(receiver.url)).tell(record)
    _, note = read_alerts(tmp_path)
    assert note["reason"] == f"it answered {code}, and redirects are not followed"
    assert len(receiver.posted) == 1
    assert elsewhere.posted == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 403 no hidden at /hook\r\n\r\nhidden", "it answered 403"),
        (b"HTTP/1.1 302 hidden\r\nLocation: gopher://hidden/hook\r\n\r\n", "it answered 302, and redirects"),
        (b"hidden is no status of /hook\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 hidden\r\n\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected"),
    ],
)
def test_a_servers_own_words_are_kept_out_of_the_log(tmp_path, record, answer, reason):
    with Raw(answer) as server:
        Alerts("run-1", tmp_path, Webhook(server.url)).tell(record)
    _, note = read_alerts(tmp_path)
    assert note["host"] == "127.0.0.1"
    assert note["reason"].startswith(reason)
    text = (tmp_path / ALERTS_FILE).read_text()
    assert "hidden" not in text
    assert "hook" not in text.replace("webhook", "")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_drips_holds_a_round_no_longer_than_the_deadline(tmp_path, record, answer):
    with Raw(answer, drips=True) as server:
        webhook = Webhook(server.url, deadline_s=0.2)
        begun = time.monotonic()
        Alerts("run-1", tmp_path, webhook).tell(record)
        took = time.monotonic() - begun
        assert webhook.post([]) == "an earlier post has not ended yet"
    assert 0.2 <= took < 1.5
    _, note = read_alerts(tmp_path)
    assert note["reason"] == "no answer within 0.2 s"


def test_an_endless_answer_is_not_read():
    with Raw(b"HTTP/1.1 200 OK\r\n\r\n", drips=True) as server:
        webhook = Webhook(server.url)
        assert [webhook.post([]), webhook.post([])] == [None, None]


def test_whatever_fails_while_posting_is_a_reason_and_no_exception():
    with Receiver(200) as receiver:
        assert Webhook(receiver.url).post([{"not": b"JSON"}]) == "TypeError"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_is_posted_to_this_machine_goes_through_no_proxy(monkeypatch, host):
    with Receiver(200) as receiver, Receiver(200) as proxy:
        _through(monkeypatch, proxy)
        assert Webhook(receiver.url.replace("127.0.0.1", host)).post([]) is None
    assert len(receiver.posted) == 1
    assert proxy.posted == []


def test_what_is_posted_elsewhere_goes_through_the_proxy_of_the_environment(monkeypatch):
    with Receiver(200) as proxy:
        _through(monkeypatch, proxy)
        assert Webhook("http://alerts.example/hook").post([]) is None
    assert [post["path"] for post in proxy.posted] == ["http://alerts.example/hook"]


def test_a_proxy_of_an_unknown_kind_is_not_taken_for_an_answer(monkeypatch):
    _through(monkeypatch, None)
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    assert Webhook("http://alerts.example/hook").post([]) == "URLError"


def _through(monkeypatch: pytest.MonkeyPatch, proxy: Receiver | None) -> None:
    for name in ("http_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if proxy is not None:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/hook?token=hidden"))


def test_the_log_is_for_its_owner_alone(tmp_path, record):
    Alerts("run-1", tmp_path).tell(record)
    assert os.stat(tmp_path / ALERTS_FILE).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("half", [b'{"event": "deci', b"{", b"\0\0", b"\xe2\x98"])
def test_a_half_line_takes_no_alert_with_it(tmp_path, record, half):
    (tmp_path / ALERTS_FILE).write_bytes(half)
    alerts = Alerts("run-1", tmp_path)
    told = alerts.tell(record)
    assert len(told) == 1
    assert read_alerts(tmp_path) == told
    assert alerts.tell(record) == []


def test_a_line_that_lacks_only_its_end_still_counts(tmp_path, record):
    alerts = Alerts("run-1", tmp_path)
    first = alerts.tell(record)
    log = tmp_path / ALERTS_FILE
    log.write_text(log.read_text().removesuffix("\n"))
    assert alerts.tell(record) == []
    later = alerts.tell(replace(record, number=2))
    assert read_alerts(tmp_path) == [*first, *later]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/hidden",
        "ftp://host/hidden",
        "file:///etc/hidden",
        "http://",
        "http:///hidden",
        "https://host/hidden\N{LATIN SMALL LETTER E WITH ACUTE}",
        "https://h\N{LATIN SMALL LETTER E WITH ACUTE}/hidden",
        "https://host/hidden path",
        " https://host/hidden",
        "https://host/hidden\n",
        "https://host/hid\tden",
        "https://host/hidden\x7f",
        "http://host..example/hidden",
        "http://./hidden",
        f"http://{'a' * 64}.example/hidden",
        "http://[::1/hidden",
        "http://[::1]x/hidden",
        "http://[1:2]/hidden",
        "http://ho%0d%0ast/hidden",
        "http://ho\\st/hidden",
        "https://user:hidden@host/hidden",
        "https://hidden@host/",
        "http://host:port/hidden",
        "http://host:0/hidden",
        "http://host:65536/hidden",
        "http://host:1:2/hidden",
    ],
)
def test_what_cannot_be_posted_to_is_refused_at_once_and_not_repeated(url):
    with pytest.raises(
        SpecError, match=r"--alert-webhook takes a URL such as https://host/path: "
    ) as refused:
        Webhook(url)
    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://alerts.example./hook?token=hidden", "alerts.example."),
        ("HTTP://Alerts:8080", "alerts"),
        ("http://[::1]:80/hidden", "::1"),
        ("https://xn--bcher-kva.example/%C3%A9", "xn--bcher-kva.example"),
        ("http://alert_sink:/hidden", "alert_sink"),
    ],
)
def test_a_webhook_shows_its_host_alone(url, host):
    webhook = Webhook(url)
    assert webhook.host == host
    assert "hidden" not in repr(webhook)
