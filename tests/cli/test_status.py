from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from cli.told import HEALTH, a_busy_status, a_listener, a_status
from proxy.cli import main
from proxy.settings import Admin
from proxy.terminal.asking import Unanswered, ask, listener_at, listener_of
from proxy.terminal.reading import read_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.told import Listener

TOKEN = "tökén-of-the-listener"
SET_TOKEN = "set NYLAS_PROXY__ADMIN__TOKEN, or admin.token in the file of --config, to the admin.token of that proxy"
WRONG_LISTENER = "this is no admin listener of a nylas-proxy; name the right one with --admin URL"


@pytest.fixture(autouse=True)
def _no_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("NYLAS_PROXY")]:
        monkeypatch.delenv(name)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with a_listener() as listening:
        yield listening


def process(*words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("NYLAS_PROXY", "COLUMNS", "PYTHONIOENCODING"))}
    return subprocess.run([sys.executable, *words], env={**outside, **environ}, capture_output=True, check=False)


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that fails says, without the name that it begins with."""
    assert main(["status", *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("nylas-proxy status: ")
    assert printed.err.count("\n") == 1
    return printed.err.removeprefix("nylas-proxy status: ").rstrip("\n")


def test_where_nobody_looks_live_it_prints_once_as_wide_as_asked(listener: Listener) -> None:
    listener.tell(a_busy_status())
    ended = process("-m", "proxy", "status", "--admin", listener.url, COLUMNS="160", PYTHONIOENCODING="utf-8")
    assert (ended.returncode, ended.stderr) == (0, b"")
    printed = ended.stdout.decode()
    assert "\x1b" not in printed
    assert printed.startswith(f"nylas-proxy 0.1.0   {listener.url}   ready   ledger local   limits enforce   up 3 h 12 min\n")
    assert [line for line in printed.splitlines() if len(line) > 160] == []
    assert [name for name in ("WINDOWS", "WAITING", "ERRORS", "LIMITS", "GRANTS", "REFUSED") if f"\n{name}" not in printed] == []
    assert listener.asked == [("/status.json", None)]


def test_an_encoding_without_drawings_is_no_mistake(listener: Listener) -> None:
    listener.tell(a_status(health=msgspec.structs.replace(HEALTH, state="degraded", ledger_why="größer")))
    ended = process("-m", "proxy", "status", "--admin", listener.url, PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"   _.-#_.-#" in ended.stdout
    assert b"gr??er" in ended.stdout


def test_a_reader_that_has_gone_ends_it_as_it_ends_the_other_commands(listener: Listener) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    words = [sys.executable, "-m", "proxy", "status", "--admin", listener.url]
    ended = subprocess.run(words, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_json_is_the_document_byte_for_byte_even_of_another_version(listener: Listener) -> None:
    listener.body = b' {"version" : "9.9", "new":[1.50,"\xc3\xa4\\u009b"]}\r\n '
    ended = process("-m", "proxy", "status", "--json", "--admin", listener.url)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, listener.body, b"")


WITHOUT_RICH = "import sys; sys.modules['rich'] = None; from proxy.cli import main; sys.exit(main(sys.argv[1:]))"


def test_without_the_library_that_draws_it_names_the_extra(listener: Listener) -> None:
    ended = process("-c", WITHOUT_RICH, "status", "--admin", listener.url)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr == b"nylas-proxy status: drawing needs the package rich: pip install 'nylas-proxy[status]'; --json works without it\n"
    assert process("-c", WITHOUT_RICH, "status", "--json", "--admin", listener.url).stdout == listener.body


def test_the_listener_and_its_token_come_from_the_settings(listener: Listener, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "p.toml"
    config.write_text(f"admin = {{ host = '0.0.0.0', port = {listener.server_port}, token = '{TOKEN}' }}", encoding="utf-8")
    assert main(["status", "--once", "--config", str(config)]) == 0
    [(path, credentials)] = listener.asked
    assert path == "/status.json"
    assert credentials is not None
    assert credentials.encode("latin-1").decode() == f"Bearer {TOKEN}"
    assert TOKEN not in capsys.readouterr().out


def test_a_listener_that_is_named_gets_the_token_of_the_settings_too(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NYLAS_PROXY__ADMIN__TOKEN", "ascii")
    assert main(["status", "--once", "--admin", listener.url]) == 0
    assert listener.asked == [("/status.json", "Bearer ascii")]


def test_a_listener_that_is_named_is_asked_though_the_settings_here_are_wrong(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NYLAS_PROXY__LOG__LEVEL", "loud")
    assert main(["status", "--once", "--admin", listener.url]) == 0
    assert listener.asked == [("/status.json", None)]


@pytest.mark.parametrize("named", [[], ["--admin", "http://127.0.0.1:1"]])
def test_a_wrong_file_that_is_named_ends_it_with_all_mistakes(named: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "p.toml"
    config.write_text("log.level = 1")
    with pytest.raises(SystemExit) as ended:
        main(["status", "--config", str(config), *named])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"{config}:1: log.level: ")


def test_a_port_that_only_the_kernel_knows_cannot_be_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NYLAS_PROXY__ADMIN__PORT", "0")
    assert main(["status"]) == 2
    assert capsys.readouterr().err == "nylas-proxy status: admin.port is 0, any free port: name the right one by --admin\n"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://h:1", "http://h:1"),
        ("HTTPS://h/", "https://h"),
        ("http://user:secret@h:1/ops/status.json?x=secret#secret", "http://h:1/ops"),
        ("http://[::1]:1/", "http://[::1]:1"),
        ("http://u:secret@[::1", "[::1"),
        ("http://h\x1b31m/", "http://h\\x1b31m"),
    ],
)
def test_a_url_is_told_and_asked_without_user_and_query(url: str, asked: str) -> None:
    assert listener_at(url, "").url == asked


def test_the_listener_of_the_settings_is_asked_on_loopback() -> None:
    assert listener_of(Admin(host="0.0.0.0", port=1)).url == "http://127.0.0.1:1"
    assert "secret" not in repr(listener_of(Admin(token="secret")))


@pytest.mark.parametrize(
    "url", ["http://u:secret@127.0.0.1:1", "https://127.0.0.1:1", "http://[::1", "http://127.0.0.1:99999999", "http://", "http://a b"]
)
def test_a_listener_that_cannot_be_asked_is_named_with_what_to_do(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NYLAS_PROXY__ADMIN__TOKEN", TOKEN)
    said = complaint(["--admin", url], capsys)
    assert said.startswith(f"{listener_at(url, '').url} does not answer (")
    assert said.endswith("): see that the proxy runs, or name its admin listener with --admin URL")
    assert [secret for secret in ("secret", TOKEN) if secret in said] == []


@pytest.mark.parametrize(
    ("status", "token", "advice"),
    [
        (401, "", f"it wants a token; {SET_TOKEN}"),
        (401, TOKEN, f"it does not take this token; {SET_TOKEN}"),
        (403, TOKEN, f"it does not take this token; {SET_TOKEN}"),
        (404, "", "this is no admin listener of a nylas-proxy, or of an older one; name the right one with --admin URL"),
        (302, "", "this is not how the admin listener of a nylas-proxy answers; name the right one with --admin URL"),
        (503, "", "this is not how the admin listener of a nylas-proxy answers; name the right one with --admin URL"),
    ],
)
def test_any_other_status_is_told_with_what_to_do(
    listener: Listener, status: int, token: str, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listener.status = status
    monkeypatch.setenv("NYLAS_PROXY__ADMIN__TOKEN", token)
    assert complaint(["--admin", listener.url], capsys) == f"{listener.url} answered {status}: {advice}"
    assert len(listener.asked) == 1


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b'"ready"', b"{", b"[" * 100_000, b'{"a": 1e999}'])
def test_what_is_no_status_document_is_named_so(listener: Listener, flags: list[str], body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    listener.body = body
    assert complaint([*flags, "--admin", listener.url], capsys) == f"{listener.url} answered something else than a status document: {WRONG_LISTENER}"


def test_a_listener_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        answer = ask(listener_at(f"http://127.0.0.1:{mute.getsockname()[1]}", ""), 0.05)
    assert isinstance(answer, Unanswered)
    assert answer.reason == "does not answer (timed out)"


def test_a_document_too_large_to_be_one_is_not_read(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.terminal.asking._DOCUMENT_MAX_BYTES", 1 << 20)
    listener.body = b" " * ((1 << 20) + 1)
    answer = ask(listener_at(listener.url, ""), 5)
    assert isinstance(answer, Unanswered)
    assert answer.reason == "answered more than 1 MiB"


def test_what_a_newer_version_adds_is_passed_over() -> None:
    document = json.loads(msgspec.json.encode(a_busy_status()))
    document["brand_new"] = [1]
    document["windows"][0]["colour"] = "red"
    assert read_status(json.dumps(document).encode()) == a_busy_status()


@pytest.mark.parametrize("part", ["health", "uptime_s"])
def test_a_document_that_lacks_something_is_of_another_version(listener: Listener, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(msgspec.json.encode(msgspec.structs.replace(a_status(), version="9.9\x1b")))
    del document[part]
    listener.body = json.dumps(document).encode()
    said = complaint(["--admin", listener.url], capsys)
    assert said.startswith(f"{listener.url} answered a status document of version 9.9\\x1b, which this command (version 0.1.0) cannot read: use the")
    del document["version"]
    answer = read_status(json.dumps(document).encode())
    assert isinstance(answer, Unanswered)
    assert answer.advice == WRONG_LISTENER
