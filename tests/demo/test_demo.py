from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from proxy.demo import children, main, table
from proxy.demo.cases import CASES, Case
from proxy.demo.evidence import Sent
from proxy.demo.scenes import SCENES, Scene

if TYPE_CHECKING:
    from proxy.demo.sdk import Application

LIMIT_S = 60
KEPT = Sent(mails=3, dropped=1, cut=1, arrived=3, duplicates=0)


def refuses_connections(url: str) -> bool:
    try:
        urlopen(url, timeout=LIMIT_S).close()
    except URLError as failed:
        return isinstance(failed.reason, ConnectionRefusedError)
    return False


@pytest.fixture(autouse=True)
def environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo sets this variable, for a process of its own."""
    monkeypatch.setenv("no_proxy", "")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("somewhere")
    (folder / "proxy.py").write_text("raise SystemExit('a program of the user, and not the one that the demo means')")
    command = [str(Path(sys.executable).parent / "nylas-proxy"), "demo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def test_the_demo_ends_well_and_prints_a_row_for_every_case(shown: subprocess.CompletedProcess[str]) -> None:
    lines = shown.stdout.splitlines()

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stderr == ""
    assert [case.title for case in CASES if not any(line.startswith(case.title) for line in lines)] == []
    assert f"{len(CASES)} cases, {len(CASES)} as promised." in lines
    assert f"With the proxy 0 of {len(CASES) - 1} calls crashed the SDK and 0 raised an error without" in shown.stdout
    assert max(len(line) for line in lines) <= 120
    assert "\x1b" not in shown.stdout


def test_the_demo_shows_a_crash_and_what_becomes_of_it(shown: subprocess.CompletedProcess[str]) -> None:
    (row,) = [line for line in shown.stdout.splitlines() if line.startswith("502, HTML page")]

    assert "CRASH JSONDecodeError" in row
    assert "NylasApiError 502" in row


def test_the_demo_plays_every_scene_and_ends_with_a_conclusion_for_each(shown: subprocess.CompletedProcess[str]) -> None:
    lines = shown.stdout.splitlines()

    assert [scene.title for scene in SCENES if scene.title not in lines] == []
    assert [line.partition(":")[0] for line in lines[-1 - len(SCENES) : -1]] == [scene.name for scene in SCENES]
    assert lines[-1] == f"{len(SCENES)} scenes, {len(SCENES)} as promised."


@pytest.mark.parametrize(
    ("name", "through"),
    [
        ("served", "600 of 600"),
        ("refused with 429", "0"),
        ("requests while it was closed", "0"),
        ("usable again after", "4.0 s"),
        ("mails that arrived", "40 of 40"),
        ("second copies that arrived", "0"),
    ],
)
def test_the_demo_shows_what_the_proxy_prevents(shown: subprocess.CompletedProcess[str], name: str, through: str) -> None:
    (row,) = [line for line in shown.stdout.splitlines() if line.startswith(f"- {name} ")]
    without, seen = row[table.WIDTHS[0] + 2 : sum(table.WIDTHS[:2]) + 4].rstrip(), row[sum(table.WIDTHS[:2]) + 4 :]

    assert seen == through
    assert (without == through) == (name == "mails that arrived"), "the scene must show a difference"


def test_an_interrupted_demo_leaves_no_child_behind() -> None:
    with pytest.raises(KeyboardInterrupt), children.simulator(LIMIT_S) as url:
        raise KeyboardInterrupt

    assert refuses_connections(url)


def test_a_demo_that_is_told_to_end_ends_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = []

    def note_url(application: Application) -> str:
        urls.append(application.client.api_uri)
        return "noted"

    def end(_: Application) -> str:
        signal.raise_signal(signal.SIGTERM)
        return "never seen"

    monkeypatch.setattr(main, "CASES", (Case("note", note_url), Case("end", end)))
    with pytest.raises(KeyboardInterrupt):
        main.run()

    assert [refuses_connections(url) for url in urls] == [True, True]


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(main, "CASES", CASES[:1])
    monkeypatch.setattr(main, "SCENES", SCENES[-1:])

    assert main.run() == 0


def test_a_case_that_is_not_as_promised_fails_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(main, "CASES", (replace(CASES[0], status=418), CASES[1]))
    monkeypatch.setattr(main, "SCENES", ())

    assert main.run() == 1
    assert "2 cases, 1 as promised." in capsys.readouterr().out


def test_a_scene_that_is_not_as_promised_fails_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen = iter((KEPT, replace(KEPT, duplicates=1), KEPT, KEPT))
    monkeypatch.setattr(main, "CASES", CASES[:1])
    monkeypatch.setattr(main, "SCENES", [Scene(name, "title", lambda _: None, lambda _: next(seen)) for name in ("Bad", "Good")])

    assert main.run() == 1
    out = capsys.readouterr().out
    assert "! second copies that arrived" in out
    assert "Bad: without the proxy all 3 arrived, each once; with it 3 mails arrived with 1 second copies." in out
    assert "1 cases, 1 as promised." in out
    assert "2 scenes, 1 as promised." in out


def test_a_demo_that_is_told_to_end_does_not_wait_for_calls_of_a_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    urls, waited, released, first, main_thread = [], [], threading.Event(), iter([True]), threading.main_thread().ident
    assert main_thread is not None

    def hang(base_url: str) -> None:
        urls.append(base_url)
        if next(first, False):
            signal.pthread_kill(main_thread, signal.SIGTERM)
        released.wait(LIMIT_S)
        waited.append(base_url)

    monkeypatch.setattr(main, "CASES", CASES[:1])
    monkeypatch.setattr(main, "SCENES", [Scene("Scene", "title", hang, lambda _: KEPT, side_by_side=True)])
    with pytest.raises(KeyboardInterrupt):
        main.run()

    assert waited == []
    assert urls != []
    assert [url for url in urls if not refuses_connections(url)] == []
    released.set()


def test_a_child_is_killed_when_its_time_is_over() -> None:
    with children._child(["simulate", "--port", "0"], {}, limit_s=0) as lines:
        assert lines.get(timeout=LIMIT_S) is None


def test_a_child_that_does_not_start_is_named_with_what_it_said() -> None:
    with pytest.raises(children.ChildFailedError, match="serve did not start") as failed, children.proxy("nonsense", LIMIT_S):
        pass

    assert "NYLAS_PROXY__UPSTREAM__V3_URL" in str(failed.value)


def test_a_configuration_of_the_users_own_does_not_reach_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NYLAS_PROXY__BODIES__REQUEST_MAX_BYTES", "not a number")
    with children.proxy("http://127.0.0.1:9", LIMIT_S) as url:
        assert url.startswith("http://127.0.0.1:")


def test_without_the_sdk_the_demo_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "nylas._client_sdk_version", None)

    assert main.run() == 1
    assert "pip install 'nylas-proxy[demo]'" in capsys.readouterr().out
