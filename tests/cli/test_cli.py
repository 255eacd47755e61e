from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec
import pytest

from proxy import __version__, cli
from proxy.cli import main
from proxy.settings import Loaded, Log, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

SECTIONS = "listen, admin, upstream, patience, retry, limits, providers, windows, redis, identity, bodies, log"
COMMANDS = "serve, check-config, explain, routes, simulate, demo, status, healthcheck"


@pytest.fixture(autouse=True)
def _no_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("NYLAS_PROXY")]:
        monkeypatch.delenv(name)


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Callable[..., int]) -> None:
    """Put functions in the place of a part that a command runs."""
    part = ModuleType(module)
    vars(part).update(functions)
    monkeypatch.setitem(sys.modules, module, part)


def exit_status(words: list[str]) -> int:
    """The status with which a process of these words would end."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(str(ended.code))


def process(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("NYLAS_PROXY")}
    return subprocess.run([sys.executable, *words], env={**outside, **environ}, capture_output=True, text=True, check=False)


def test_serve_runs_the_app_with_the_settings_and_returns_its_status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served = []

    def serve(loaded: Loaded, reread: Callable[[], Loaded]) -> int:
        assert reread() == loaded
        served.append(loaded.settings)
        return 7

    stand_in(monkeypatch, "proxy.app", serve=serve)
    config = tmp_path / "p.toml"
    config.write_text("log.level = 'error'")
    assert main(["serve", "--config", str(config)]) == 7
    assert main(["serve"]) == 7
    assert served == [Settings(log=Log(level="error")), Settings()]


def test_simulate_hands_over_host_port_and_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = []

    def run(host: str, port: int, scenario: Path | None, *, limits: bool, speed: float | None) -> int:
        simulated.append((host, port, scenario, limits, speed))
        return 0

    stand_in(monkeypatch, "proxy.simulator.main", run=run)
    assert main(["simulate"]) == 0
    assert main(["simulate", "--host", "::1", "--port", "0", "--scenario", "s.toml", "--limits", "--speed", "60"]) == 0
    assert simulated == [("127.0.0.1", 8702, None, False, None), ("::1", 0, Path("s.toml"), True, 60.0)]


def test_demo_runs_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "proxy.demo", run=lambda: 3)
    assert main(["demo"]) == 3


def test_check_config_prints_what_is_in_force(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NYLAS_PROXY__LOG__LEVEL", "error")
    assert main(["check-config"]) == 0
    printed = capsys.readouterr()
    assert tomllib.loads(printed.out) == msgspec.to_builtins(Settings(log=Log(level="error")))
    assert 'level = "error"  # NYLAS_PROXY__LOG__LEVEL\n' in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(("mode", "heading"), [("enforce", "# limits in force, less the reserve"), ("observe", "# limits that are only observed (")])
def test_check_config_says_whether_the_limits_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mode: str, heading: str
) -> None:
    monkeypatch.setenv("NYLAS_PROXY__LIMITS__MODE", mode)
    assert main(["check-config"]) == 0
    assert f"\n{heading}" in capsys.readouterr().out


def test_check_config_warns_on_standard_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NYLAS_PROXY__ADMIN__HOST", "0.0.0.0")
    assert main(["check-config"]) == 0
    assert capsys.readouterr().err == "warning: admin.host: 0.0.0.0 is reachable from other machines without admin.token\n"


@pytest.mark.parametrize("command", ["serve", "check-config", "status", "healthcheck"])
def test_wrong_settings_end_a_command_with_all_mistakes_and_status_2(command: str, tmp_path: Path) -> None:
    config = tmp_path / "p.toml"
    config.write_text("[log]\nlevel = 1\n[lug]")
    ended = process("-m", "proxy", command, "--config", str(config), NYLAS_PROXY__X="1")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        f'{config}:2: log.level: got 1; allowed "debug", "info", "warning", "error"',
        f"{config}:3: lug: unknown section; allowed {SECTIONS}; did you mean 'log'?",
        f"NYLAS_PROXY__X: unknown variable; allowed NYLAS_PROXY__SECTION__KEY, sections {SECTIONS.upper()}",
    ]


def test_without_a_command_the_help_is_printed_and_the_status_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status([]) == 2
    printed = capsys.readouterr().err
    assert [command for command in COMMANDS.split(", ") if command not in printed] == []


def test_asking_for_help_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(["--help"]) == 0
    assert "healthcheck" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("serv", f"no command 'serv'; commands are {COMMANDS}; did you mean 'serve'?"),
        ("checkconfig", f"no command 'checkconfig'; commands are {COMMANDS}; did you mean 'check-config'?"),
        ("xyz", f"no command 'xyz'; commands are {COMMANDS}"),
        ("", f"no command ''; commands are {COMMANDS}"),
    ],
)
def test_an_unknown_command_names_the_nearest_one(word: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status([word]) == 2
    assert capsys.readouterr().err == f"nylas-proxy: {complaint}\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["simulate", "--port", "65536"], "argument --port: '65536' is no port; allowed 0 (any free port) to 65535"),
        (["simulate", "--port", "-1"], "argument --port: '-1' is no port; allowed 0 (any free port) to 65535"),
        (["simulate", "--port", "9" * 5000], f"argument --port: '{'9' * 5000}' is no port; allowed 0 (any free port) to 65535"),
        (["simulate", "--port", "٣"], "argument --port: '٣' is no port; allowed 0 (any free port) to 65535"),
        (["healthcheck", "--wait", "soon"], "argument --wait: 'soon' is no time; allowed a number of seconds from 0"),
        (["healthcheck", "--wait", "nan"], "argument --wait: 'nan' is no time; allowed a number of seconds from 0"),
        (["healthcheck", "--wait", "inf"], "argument --wait: 'inf' is no time; allowed a number of seconds from 0"),
        (["healthcheck", "--url", "file:///etc/passwd"], "argument --url: the URL must begin with http:// or https://"),
        (["serve", "--conf", "p.toml"], "unrecognized arguments: --conf p.toml"),
    ],
)
def test_a_wrong_argument_is_named(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(words) == 2
    assert capsys.readouterr().err.endswith(f"error: {complaint}\n")


def test_the_version_is_that_of_the_package() -> None:
    ended = process("-m", "proxy", "--version")
    assert (ended.returncode, ended.stdout) == (0, f"nylas-proxy {__version__}\n")


def test_ctrl_c_ends_with_130_and_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    stand_in(monkeypatch, "proxy.demo", run=interrupted)
    assert main(["demo"]) == 130


@pytest.mark.parametrize("word", ["check-config", "--help", "--version"])
def test_a_reader_that_has_gone_is_no_reason_to_complain(word: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # the usual case, and the one where Python itself complains at exit
    ended = subprocess.run([sys.executable, "-m", "proxy", word], env=buffered, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_serving_imports_neither_the_simulator_nor_the_demo_nor_aiohttp_by_itself() -> None:
    program = f"""
import sys, types
app = types.ModuleType("proxy.app")
app.serve = lambda loaded, reread: print(*sys.modules) or 0
sys.modules["proxy.app"] = app
from {cli.__name__} import main
sys.exit(main(["serve"]))"""
    loaded = process("-c", program).stdout.split()
    assert "proxy.settings" in loaded
    assert [name for name in loaded if name.startswith(("proxy.simulator", "proxy.demo", "proxy.healthcheck", "aiohttp", "pydantic"))] == []
