"""What a probe is answered, and what the log says, while Redis comes and goes and while the proxy ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from operating.rig import Sidecar, caller, until
from operating.test_windows import with_redis

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.conftest import Server

    from operating.rig import Answer, Nylas


def ready(sidecar: Sidecar, method: str = "GET") -> Answer:
    """Ask as a probe does: without a token."""
    return asked(sidecar, "/readyz", method)


def asked(sidecar: Sidecar, path: str, method: str = "GET") -> Answer:
    with caller(sidecar.admin_port) as asking:
        return asking.ask(path, method=method, fields={"Authorization": ""})


def test_readiness_says_that_redis_is_away_and_why_and_that_it_is_back(nylas: Nylas, own_server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with Sidecar(nylas.url, folder, with_redis(own_server, tmp_path)) as sidecar:
        assert sidecar.ask("/v3/grants/nylas-a/messages").status == 200
        assert (ready(sidecar).status, ready(sidecar).json) == (200, {"status": "ready", "ledger": "shared", "why": ""})
        own_server.kill()
        assert sidecar.ask("/v3/grants/nylas-a/messages").status == 200  # who asks next finds out, and is served all the same
        assert ready(sidecar).json["status"] == "degraded"
        away = ready(sidecar)
        assert (away.status, away.json["ledger"]) == (200, "local-safe")
        assert away.json["why"]
        assert asked(sidecar, "/healthz").json == {"status": "alive"}
        assert sidecar.ask("/v3/grants/nylas-a/messages").status == 200
        health = sidecar.status()["health"]
        assert (health["state"], health["ledger"], health["ledger_why"]) == ("degraded", "local-safe", away.json["why"])
        assert sidecar.metrics()['nylas_proxy_ledger_state{state="local-safe"}'] == 1
        own_server.start()
        until(lambda: ready(sidecar).json == {"status": "ready", "ledger": "shared", "why": ""})
        assert sidecar.metrics()['nylas_proxy_ledger_state{state="shared"}'] == 1
        sidecar.wait_for_lines()
        states = [(line["state"], line["why"]) for line in sidecar.lines("ledger.state")]
        assert states == [("local-safe", away.json["why"]), ("rejoining", ""), ("shared", "")]


@pytest.mark.parametrize("by", ["signal", "order"])
def test_while_it_drains_it_is_alive_and_not_ready(nylas: Nylas, tmp_path: Path, by: str) -> None:
    with Sidecar(nylas.url, tmp_path) as sidecar:
        assert ready(sidecar).json == {"status": "ready", "ledger": "local", "why": ""}
        answers: list[int] = []
        asking, mailbox = sidecar.caller(), f"nylas-{by}"
        slow = threading.Thread(target=lambda: answers.append(asking.ask(f"/v3/grants/{mailbox}/messages", cue="delay_s=2").status))
        slow.start()
        until(lambda: nylas.arrivals(f"/{mailbox}/"))
        if by == "order":
            ordered = sidecar.order("/drain")
            assert (ordered.status, ordered.json) == (202, {"status": "draining"})
        else:
            sidecar.process.terminate()
        until(lambda: ready(sidecar).status == 503)
        assert ready(sidecar).json == {"status": "draining"}
        assert (ready(sidecar, "HEAD").status, ready(sidecar, "HEAD").raw) == (503, b"")
        assert [asked(sidecar, "/healthz", method).status for method in ("GET", "HEAD")] == [200, 200]
        assert sidecar.status()["health"]["state"] == "draining"
        slow.join()
        assert (answers, sidecar.process.exit_status()) == ([200], 0)


def test_probes_can_ask_by_head(nylas: Nylas, tmp_path: Path) -> None:
    with Sidecar(nylas.url, tmp_path) as sidecar:
        for path in ("/healthz", "/readyz"):
            with caller(sidecar.admin_port) as asking:
                head, get = (asking.ask(path, method=method, fields={"Authorization": ""}) for method in ("HEAD", "GET"))
            assert (head.status, head.raw, head.fields["Content-Length"]) == (200, b"", str(len(get.raw)))
