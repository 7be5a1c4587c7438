"""A webhook: where alerts are posted, for no longer than a stated time and with nothing of its URL but the host shown.

The URL of a webhook is a secret: its path or query holds the token. Texts of errors and a server's own status line may
repeat it, so that a failure is told by numbers and names of exceptions alone.
"""

from __future__ import annotations

import ipaddress
import json
import queue
import re
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fl_core.errors import SpecError

DEADLINE_S = 5.0
_PRINTABLE = re.compile(r"[!-~]+")
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]*)?")


@dataclass(frozen=True)
class Webhook:
    """Where alerts are posted.

    Proxies are taken from the environment (http_proxy, https_proxy, no_proxy), as a hospital's network may let nothing
    out otherwise; what is posted to this machine itself never goes through one.

    Attributes:
        url: http or https; it may hold a token, so that it is kept nowhere and shown without path and query.
        deadline_s: how long a post may take, from the look-up of the host to the answer's head, in seconds.

    Raises:
        SpecError: it is no such URL; the message holds nothing of it.
    """

    url: str = field(repr=False)
    deadline_s: float = DEADLINE_S
    _free: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be posted to."""
        wrong = _what_is_wrong(self.url)
        if wrong is not None:
            raise SpecError(f"--alert-webhook takes a URL such as https://host/path: {wrong}")

    @property
    def host(self) -> str:
        """The host, which is all that may be shown."""
        return str(urlsplit(self.url).hostname)

    def post(self, alerts: list[dict[str, Any]]) -> str | None:
        """Post alerts in one request; why it failed, without the URL and without the server's words, or None.

        The answer's body is not read, and a redirect is not followed. A post that outlasts the deadline is left to
        itself, and no other is begun before it has ended.
        """
        if not self._free.acquire(blocking=False):
            return "an earlier post has not ended yet"
        answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                answer = self._send(json.dumps({"alerts": alerts}).encode())
            except Exception as error:  # whatever it is, it must not end the training
                answer = _name(error)
            self._free.release()
            answers.put(answer)

        # A socket's time-out starts anew with each byte: only another thread bounds the whole.
        worker = threading.Thread(target=work, name="alert webhook", daemon=True)
        try:
            worker.start()
        except RuntimeError as error:
            self._free.release()
            return _name(error)
        try:
            return answers.get(timeout=self.deadline_s)
        except queue.Empty:
            return f"no answer within {self.deadline_s:g} s"

    def _send(self, body: bytes) -> str | None:
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            self.url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with _opener(proxies=not _is_this_machine(self.host)).open(request, timeout=self.deadline_s):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            redirect = HTTPStatus.MULTIPLE_CHOICES <= error.code < HTTPStatus.BAD_REQUEST
            return f"it answered {error.code}" + (", and redirects are not followed" if redirect else "")
        except urllib.error.URLError as error:
            return _name(error.reason if isinstance(error.reason, Exception) else error)


def _what_is_wrong(url: str) -> str | None:
    """What keeps a URL from being posted to, without a word of it; None if nothing does."""
    if not _PRINTABLE.fullmatch(url):
        return "it is empty, or not all of it is ASCII without spaces (%C3%A9 in a path, xn-- in a host)"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its host or port cannot be read (a port is a number from 1 to 65535)"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it must begin with http:// or https:// and name a host"
    if "@" in parts.netloc:
        return "a user name or password in it would not be sent; leave them out"
    if not _AUTHORITY.fullmatch(parts.netloc) or port == 0 or not _is_host(parts.hostname):
        return (
            "its host or port is none (labels of 1 to 63 letters, digits and hyphens; a port from 1 to 65535)"
        )
    return None


def _is_host(host: str) -> bool:
    """Whether a host can be looked up: an address of version 6, or a name that IDNA takes."""
    try:
        if ":" in host:
            ipaddress.IPv6Address(host)
        else:
            host.encode("idna")
    except ValueError:
        return False
    return True


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost"


def _opener(*, proxies: bool) -> urllib.request.OpenerDirector:
    """What opens http and https alone, and hands a redirect back as the error that it is here."""
    opener = urllib.request.OpenerDirector()
    if proxies:
        opener.add_handler(urllib.request.ProxyHandler())
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),  # a proxy of another kind would else pass for an answer
    ):
        opener.add_handler(handler)
    return opener


def _name(error: Exception) -> str:
    return type(error).__name__
