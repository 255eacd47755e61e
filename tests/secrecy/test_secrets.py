"""The search through all that was collected; that it would find something; and that everything is collected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from proxy.telemetry.logs import Log
from secrecy import collected as collecting
from secrecy.startup.witness import FOLDER
from secrecy.used import SECRETS, TEXTS, TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The word "serve" makes it be listened to; it is no proxy, so that it can say anything.
SPEAKING = "import os, sys; print('by print'); os.write(1, b'by os'); print('by error', file=sys.stderr); raise OSError('at the end')"
LISTENING = "import time; print('\"admin_port\":%d', flush=True); time.sleep(60)"
EXAMPLES = {
    "an e-mail address": ["ada@example.com", "ada%40example.com", "redis://:pass@10.0.0.1:6379"],
    "a token of the marked form": ["nyk_v0_any", "a-s3cret", "s3cr3t"],
    "a query string": ["GET /v3/messages?limit=5", "/x?page_token=abc"],
    "the query string of a list": ["limit=50"],
    "the path of a grant": ["/v3/grants/me/messages"],
    "a grant of the end-to-end tests": ["nylas-proxy:{0a}:window:grant:ews-a", "nylas-7"],
    "a subject of the end-to-end tests": ["mail 12"],
    "client secret of the v2 contract": ["app-secret", "Basic YXBwLXNlY3JldDo="],
    "code of the v2 contract": ["one-time/+code", "one-time%2F%2Bcode", "one-time/%2Bcode"],
    "subject of the contract": ["Grüße, contract", r"Gr\u00fc\u00dfe, contract", "Gr%C3%BC%C3%9Fe%2C%20contract", "Gr%C3%BC%C3%9Fe%2C+contract"],
    "body of the contract": ["%3Cp%3E1%20%3C%202%20%26%20%C3%BC%3C%2Fp%3E"],
}


@pytest.mark.of_all_tests
def test_nothing_that_the_suite_has_started_told_a_secret(collected: collecting.Collected, request: pytest.FixtureRequest) -> None:
    assert request.session.items[-1] is request.node
    collecting.look_at_all(collected.folder)
    assert collected.untold() == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of this test's own to collect in."""
    made = tmp_path / "collected"
    made.mkdir()
    monkeypatch.setenv(FOLDER, str(made))
    return made


def test_what_was_found_is_told_once(tmp_path: Path, folder: Path) -> None:
    collected = collecting.Collected(folder, tmp_path)
    for name in ("1.output", "2.output"):
        (folder / name).write_text("nyk_v0_any")
        assert collected.untold() == [f"{name}:1: a token of the marked form"]


@pytest.mark.parametrize(("name", "told"), [*((name, told) for name, ways in EXAMPLES.items() for told in ways), *{**TOKENS, **TEXTS}.items()])
def test_a_secret_is_found_in_every_spelling_and_told_by_its_name_alone(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "1.output").write_text(f'{{"event":"request"}}\n{{"event":"request","detail":"{told}"}}\n')
    assert f"1.output:2: {name}" in collecting.findings(tmp_path.iterdir())
    assert told not in str(collecting.findings(tmp_path.iterdir()))


def test_every_kind_of_secret_has_an_example() -> None:
    assert {secret.name for secret in SECRETS} == {*EXAMPLES, *TOKENS, *TEXTS}


def test_what_a_proxy_is_meant_to_say_is_no_secret(tmp_path: Path) -> None:
    told = {"v3": "https://api.us.nylas.com", "routes": ["/v3/grants/{}/messages", "/v3/grants/me"], "advice": "ask for limit=20 or lower"}
    (tmp_path / "1.output").write_text(json.dumps(told))
    assert collecting.findings(tmp_path.iterdir()) == []


def test_of_a_secret_told_again_and_again_the_first_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.output").write_text("fine\nnyk_v0_a nyk_v0_b\nfine\nnyk_v0_a\n")
    assert collecting.findings(tmp_path.iterdir()) == ["1.output:2: a token of the marked form (3 times)"]


def test_an_error_of_upstream_may_hold_its_addresses_and_no_token(folder: Path) -> None:
    for origin in ("nylas", "proxy"):
        collecting.keep_error(origin, b"bounced: ada@example.com")
    collecting.keep_error("provider", b"nyk_v0_any")
    assert collecting.findings(folder.iterdir()) == ["errors-of-the-proxy:1: an e-mail address", "errors-of-upstream:2: a token of the marked form"]


def test_whatever_a_proxy_says_is_kept_and_still_said(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SPEAKING, "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate()
    kept = (folder / f"{process.pid}.output").read_bytes()
    assert sorted(out + err) == sorted(kept)
    assert (b"by print" in out, b"by os" in out, b"by error" in err, b"OSError: at the end" in err) == (True, True, True, True)


def test_other_commands_are_not_listened_to(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", SPEAKING, "explain"], capture_output=True, check=False)
    assert list(folder.iterdir()) == []


def test_lines_of_a_log_within_a_test_are_kept(folder: Path) -> None:
    reader, writer = os.pipe()
    log = Log("json", "info", writer)
    log.event("mail", to="ada@example.com")
    log.writer.close()
    for end in (reader, writer):
        os.close(end)
    assert collecting.findings(folder.iterdir()) == ["log-lines:1: an e-mail address"]


def test_what_is_told_to_observers_is_kept(folder: Path) -> None:
    collecting.keep_told([("event", "fine"), ("event", "ada@example.com")])
    assert collecting.findings(folder.iterdir()) == ["told:2: an e-mail address"]


class Shows(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        shown = f"{self.path} of ada@example.com".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(shown)))
        self.end_headers()
        self.wfile.write(shown)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def admin_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shows) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_proxy_is_looked_at_before_it_is_told_to_end(folder: Path, admin_port: int) -> None:
    with subprocess.Popen([sys.executable, "-c", LISTENING % admin_port, "serve"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
    assert collecting.findings(folder.iterdir()) == [f"{process.pid}.metrics:1: an e-mail address", f"{process.pid}.status.json:1: an e-mail address"]


def test_a_journal_is_found_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    journal = tmp_path / "deep" / "windows"
    journal.write_text('{"version": 1, "windows": [{"scope": "ada@example.com"}]}')
    (tmp_path / "settings.toml").write_text('proxy = "ada@example.com"')
    found = collecting.findings(collecting.files_of(folder, tmp_path))
    journal.unlink()  # else the search through all finds it
    assert found == ["windows:1: an e-mail address"]
