"""Alerts are written once, posted where asked, and never stop a round."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from told_records import with_part

from fl_core.errors import SpecError
from incentives.suspicion_standing import Status
from incentives.suspicion_watch import Decision
from scripts.federation.alerts import ALERTS_FILE, Alerts, Webhook, read_alerts
from scripts.federation.offline import offline_run
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings


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

    def __init__(self, status: int) -> None:
        self.posted: list[dict] = []
        posted = self.posted

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posted.append({"path": self.path, "type": self.headers["Content-Type"], **json.loads(body)})
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                """Nothing on the screen."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?token=hidden"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


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


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///etc/passwd", "example.org/hook", "http://", ""])
def test_what_cannot_be_posted_to_is_refused_at_once(url):
    with pytest.raises(SpecError, match="http"):
        Webhook(url)
