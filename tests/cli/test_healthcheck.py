from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from proxy.cli import main
from proxy.healthcheck import await_ready, ready_url, unreadiness
from proxy.settings import Admin

if TYPE_CHECKING:
    from collections.abc import Iterator


class Probed(ThreadingHTTPServer):
    """An admin listener that answers GET /STATUS with that status, /readyz with 200, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Probed

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200 if self.path == "/readyz" else int(self.path.strip("/")))
        self.send_header("Location", "/readyz")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
        """Say nothing."""


@pytest.fixture
def probed() -> Iterator[Probed]:
    with Probed() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Clock:
    """Seconds that pass only while somebody sleeps or asks."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


def test_a_proxy_that_answers_200_is_ready(probed: Probed, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["healthcheck", "--url", f"{probed.url}/readyz"]) == 0
    assert capsys.readouterr().out == "ready\n"
    assert probed.asked == ["/readyz"]


@pytest.mark.parametrize("status", [503, 404, 204])
def test_any_other_status_is_not_ready(probed: Probed, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["healthcheck", "--url", f"{probed.url}/{status}"]) == 1
    assert capsys.readouterr().err == f"not ready: answered {status}\n"


def test_a_redirect_is_not_followed(probed: Probed) -> None:
    assert unreadiness(f"{probed.url}/302", 5) == "answered 302"
    assert probed.asked == ["/302"]


def test_proxies_of_the_environment_are_not_used(probed: Probed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert unreadiness(f"{probed.url}/readyz", 5) is None


def test_the_address_comes_from_the_settings(probed: Probed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NYLAS_PROXY__ADMIN__PORT", str(probed.server_port))
    assert main(["healthcheck"]) == 0
    assert probed.asked == ["/readyz"]


@pytest.mark.parametrize(
    ("admin", "url"),
    [
        (Admin(), "http://127.0.0.1:8701/readyz"),
        (Admin(host="0.0.0.0", port=1), "http://127.0.0.1:1/readyz"),
        (Admin(host="::"), "http://[::1]:8701/readyz"),
        (Admin(host="fd00::1"), "http://[fd00::1]:8701/readyz"),
        (Admin(host="admin.internal"), "http://admin.internal:8701/readyz"),
    ],
)
def test_a_listener_on_every_address_is_asked_on_loopback(admin: Admin, url: str) -> None:
    assert ready_url(admin) == url


def test_a_port_that_only_the_kernel_knows_cannot_be_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NYLAS_PROXY__ADMIN__PORT", "0")
    assert main(["healthcheck"]) == 2
    assert capsys.readouterr().err == "nylas-proxy healthcheck: admin.port is 0, any free port: name the right one by --url\n"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/readyz", "https://127.0.0.1:1/", "http://[::1/", "http://127.0.0.1:99999999/", "http:///", "http://127.0.0.1:1/a b"]
)
def test_no_answer_is_not_ready_whatever_the_reason(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["healthcheck", "--url", url]) == 1
    assert capsys.readouterr().err.startswith("not ready: no answer (")


def test_without_waiting_it_asks_once() -> None:
    clock, asked = Clock(), []

    def unready(timeout_s: float) -> str:
        asked.append(timeout_s)
        return "answered 503"

    assert await_ready(unready, 0, clock, clock.sleep) == "answered 503"
    assert asked == [5.0]


def test_while_waiting_it_asks_until_the_proxy_is_ready() -> None:
    clock, answers = Clock(), iter(["no answer", "answered 503", None])
    assert await_ready(lambda _: next(answers), 10, clock, clock.sleep) is None
    assert clock.now_s == pytest.approx(100.4)


def test_the_last_attempt_is_at_the_end_of_the_waiting_and_still_gets_time() -> None:
    clock, timeouts_s = Clock(), []

    def unready(timeout_s: float) -> str:
        timeouts_s.append(timeout_s)
        return "answered 503"

    assert await_ready(unready, 0.1, clock, clock.sleep) == "answered 503"
    assert clock.now_s == pytest.approx(100.1)
    assert timeouts_s == [5.0, pytest.approx(0.2)]


def test_waiting_ends_with_the_time_that_was_given_and_the_last_reason() -> None:
    clock, timeouts_s = Clock(), []

    def hanging(timeout_s: float) -> str:
        timeouts_s.append(timeout_s)
        clock.now_s += timeout_s
        return f"no answer {len(timeouts_s)}"

    assert await_ready(hanging, 7, clock, clock.sleep) == "no answer 2"
    assert timeouts_s == [5.0, pytest.approx(1.8)]
    assert clock.now_s == pytest.approx(107)
