"""A simulated Nylas and proxies before it, each a process of its own; callers on connections that they keep, and an operator."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from secrecy.collected import keep_error
from secrecy.startup.witness import note
from wire.process import ROOT, ProxyProcess, as_toml

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wire.process import Event, Settings

TOKEN = "nyk_of_the_operator"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HEADERS = {"Authorization": "Bearer nyk_operating"}
AT_ONCE = {"X-Nylas-Proxy-Patience": "0"}
DEADLINE_S = 15.0
_POLL_S = 0.01
_ARRIVALS = "/__simulator/arrivals"
_SHOWN = ("/metrics", "/status.json", "/")


def until(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Ask again and again until the answer is true; returns it. TimeoutError where it never is."""
    ends_at = time.monotonic() + deadline_s
    while not (answer := condition()):
        if time.monotonic() > ends_at:
            raise TimeoutError("it has not come to this")
        time.sleep(_POLL_S)
    return answer


class Answer(NamedTuple):
    """What was answered."""

    status: int
    fields: http.client.HTTPMessage
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def proxy(self) -> dict[str, Any]:
        """Of an error in the one shape, what the proxy says of it."""
        told: dict[str, Any] = self.json["proxy"]
        return told


class Caller:
    """One connection, kept for all its requests: where it is dropped, the next one fails."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE_S, context=tls) if tls else connection
        self._connection.connect()
        self._connection.auto_open = False

    def ask(self, path: str, *, method: str = "GET", cue: str = "", fields: Mapping[str, str] | None = None, body: object = None) -> Answer:
        """Send a request and read its answer."""
        cues = {"X-Simulator": cue} if cue else {}
        payload = None if body is None else json.dumps(body).encode()
        json_type = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, payload, {**HEADERS, **cues, **json_type, **(fields or {})})
        with self._connection.getresponse() as response:
            answer = Answer(response.status, response.headers, response.read())
        if answer.status >= 400:
            keep_error(answer.fields.get("X-Nylas-Proxy-Origin"), answer.raw)
        return answer

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def caller(port: int, tls: ssl.SSLContext | None = None) -> Iterator[Caller]:
    made = Caller(port, tls)
    with contextlib.closing(made):
        yield made


class Nylas:
    """A simulator."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "proxy", "simulate", "--port", "0", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().split()[-1]
        self._port = int(self.url.rpartition(":")[2])

    def arrivals(self, text: str) -> list[dict[str, Any]]:
        """The requests in whose target this stands."""
        with caller(self._port) as asking:
            return [arrival for arrival in asking.ask(_ARRIVALS).json["arrivals"] if text in arrival["target"]]

    def close(self) -> None:
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        self._process.stdout.close()


class Sidecar:
    """A proxy, and whoever operates it.

    Attributes:
        process: It.
        port: Where it listens for callers.
        admin_port: Where it listens for operators.
        file: Its settings.
    """

    def __init__(self, nylas: str, directory: Path, settings: Settings | None = None) -> None:
        self._settings: Settings = {
            "listen": {"port": 0, "write_timeout_s": 0.8},  # looks after everything five times a second
            "admin": {"port": 0, "token": TOKEN},
            "log": {"format": "json", "level": "info"},
            "upstream": {"v3_url": nylas, "v2_url": nylas},
        }
        self._settings = self.with_changes(settings or {})
        self.file = directory / "proxy.toml"
        self.process = ProxyProcess(self._settings, directory)
        listening = self.process.wait_for(lambda event: event["event"] == "proxy.listening")
        self.port, self.admin_port = listening["port"], listening["admin_port"]
        self._callers: list[Caller] = []
        self._marks = itertools.count()

    def with_changes(self, changes: Settings) -> Settings:
        """The settings that it was started with, but for these."""
        return {section: {**self._settings.get(section, {}), **changes.get(section, {})} for section in {**self._settings, **changes}}

    def write(self, changes: Settings, more: str = "") -> None:
        """Have the file say this from now on; `more` is TOML."""
        self.file.write_text(as_toml(self.with_changes(changes)) + more)

    def caller(self, tls: ssl.SSLContext | None = None) -> Caller:
        """Somebody new, whose connection is closed at the end."""
        self._callers.append(Caller(self.port, tls))
        return self._callers[-1]

    def ask(self, path: str, **more: Any) -> Answer:
        """Ask the proxy as somebody who comes for one request."""
        with caller(self.port) as asking:
            return asking.ask(path, **more)

    def look(self, path: str, fields: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Read what the admin listener shows; it is searched for secrets."""
        with caller(self.admin_port) as asking:
            shown = asking.ask(path, method=method, fields={**BEARER, **(fields or {})})
        note("operating.shown", shown.raw + b"\n")
        return shown

    def order(self, path: str, order: object = None) -> Answer:
        """Have something done."""
        with caller(self.admin_port) as asking:
            return asking.ask(path, method="POST", fields=BEARER, body=order)

    def status(self) -> Any:
        return self.look("/status.json").json

    def metrics(self) -> dict[str, float]:
        """Every sample of `/metrics`, by its name and labels as written there."""
        lines = self.look("/metrics").raw.decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def lines(self, name: str, *, at_least: int = 0, **facts: object) -> list[Event]:
        """The lines of the log so far that have this name and these facts, once there are so many."""

        def found() -> list[Event]:
            wanted = {"event": name, **facts}
            return [event for event in list(self.process._events) if wanted.items() <= event.items()]

        until(lambda: len(found()) >= at_least)
        return found()

    def wait_for_lines(self) -> None:
        """Return when everything that was told before this call stands in the log."""
        mark = f"mark-{next(self._marks)}"
        assert self.ask("/messages/1", method="PUT", fields={"X-Request-Id": mark}).status == 400  # an empty PUT of v2 is refused here
        self.lines("request", at_least=1, request_id=mark)

    def everything_told(self) -> str:
        """The whole log, and all that the admin listener shows."""
        log = "".join(f"{json.dumps(event)}\n" for event in list(self.process._events))
        return log + "".join(self.look(path).raw.decode() for path in _SHOWN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """End it; it must have been well until then."""
        for one in self._callers:
            one.close()
        self.process.stop()
        if failed is None:
            assert self.process.noise == []
            assert self.lines("proxy.bug") == []


class Load:
    """Callers who ask without a pause, each of other mailboxes, on connections that they keep; some of them always wait for Nylas."""

    def __init__(self, sidecar: Sidecar, callers: int, at_least: int) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: list[BaseException] = []
        self._numbers = itertools.count()
        self._at_least = at_least
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(sidecar.caller(), number % 2)) for number in range(callers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        until(lambda: self.failures or sum(self.answers.values()) >= len(self._threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)
        assert self.failures == []

    def _go_on(self, asking: Caller, is_slow: int) -> None:
        try:
            while not self._enough.is_set() or sum(self.answers.values()) < self._at_least:
                path = f"/v3/grants/nylas-{next(self._numbers)}/calendars"
                self.answers[asking.ask(path, cue="delay_s=0.05" if is_slow else "").status] += 1
        except BaseException as failure:  # noqa: BLE001 - told by the test
            self.failures.append(failure)
