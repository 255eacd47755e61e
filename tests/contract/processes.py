"""The processes of a contract run: simulators, proxies, and the drivers in the SDKs' own environments."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.cases import ROOT, Case, Sdk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DRIVERS = Path(__file__).resolve().parent / "drivers"
START_LIMIT_S = 30
STOP_LIMIT_S = 20
DRIVER_LIMIT_S = 50  # both drivers of a way within the time-out of a test, whatever hangs


@contextlib.contextmanager
def started(command: Sequence[str], environment: dict[str, str]) -> Iterator[queue.SimpleQueue[str]]:
    """Run a command of the project; give the lines that it prints, and end it by SIGTERM, at the latest by SIGKILL."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NYLAS_")}
    with subprocess.Popen(
        [sys.executable, "-m", "proxy", *command], cwd=ROOT, env={**inherited, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        reader = threading.Thread(target=_read_lines, args=(process, lines), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join(STOP_LIMIT_S)


def _read_lines(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Keep the pipe empty, so that the process never waits for its reader; an empty line marks the end."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


@contextlib.contextmanager
def simulator(scenario: Path) -> Iterator[str]:
    """Run a simulator and give its base URL."""
    with started(["simulate", "--port", "0", "--scenario", str(scenario)], {}) as lines:
        first_line = lines.get(timeout=START_LIMIT_S)
        assert first_line.startswith("simulator listening on "), f"the simulator said {first_line!r}"
        yield first_line.split()[-1]


@contextlib.contextmanager
def proxy(v3_url: str, v2_url: str, **settings: str) -> Iterator[str]:
    """Run a proxy before these upstreams and give its base URL; a setting is written `section__key="value"`."""
    environment = {
        "LISTEN__PORT": "0",
        "ADMIN__PORT": "0",
        "LOG__FORMAT": "json",
        # What is compared is one answer: nothing is held behind an earlier one, nothing repeated.
        "LIMITS__MODE": "observe",
        "RETRY__MAX_ATTEMPTS": "1",
        "RETRY__IDEMPOTENCY_KEYS": "false",
        "UPSTREAM__V3_URL": v3_url,
        "UPSTREAM__V2_URL": v2_url,
        **{name.upper(): value for name, value in settings.items()},
    }
    scheme = "https" if "listen__tls_certificate" in settings else "http"
    with started(["serve"], {f"NYLAS_PROXY__{name}": value for name, value in environment.items()}) as lines:
        yield f"{scheme}://127.0.0.1:{_listening_port(lines)}"


def _listening_port(lines: queue.SimpleQueue[str]) -> int:
    while line := lines.get(timeout=START_LIMIT_S):
        event = json.loads(line)
        if event["event"] == "proxy.listening":
            return int(event["port"])
    raise AssertionError("the proxy ended before it listened")


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    """Give a base URL where connections are refused: its port is bound, so that nobody else gets it, but does not listen."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def driven(sdk: Sdk, cases: Sequence[Case], base_urls: dict[str, str], certificate_authority: Path) -> dict[str, dict[str, Any]]:
    """Run the driver of an SDK once for all cases whose target has a base URL; give what it saw, by the case's name."""
    python = ROOT / f".venv-nylas{sdk[1:]}" / "bin" / "python"
    assert python.exists(), f"{python.relative_to(ROOT)} is missing: `python3 dev.py test` makes it"
    asked = [
        {"case": case.name, "call": case.call, "headers": case.headers, "base_url": base_urls[case.target]}
        for case in cases
        if case.target in base_urls
    ]
    finished = subprocess.run(
        [python, DRIVERS / f"{sdk}.py", base_urls["main"]],
        input=json.dumps(asked),
        env={"REQUESTS_CA_BUNDLE": str(certificate_authority), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=DRIVER_LIMIT_S,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2_000:]
    seen = [json.loads(line) for line in finished.stdout.splitlines()]
    return {outcome["case"]: outcome for outcome in seen}


def arrivals_by_case(simulator_url: str) -> dict[str, list[dict[str, Any]]]:
    """Ask a simulator what arrived, cut at the driver's marks."""
    with urllib.request.urlopen(f"{simulator_url}/__simulator/arrivals", timeout=START_LIMIT_S) as answer:
        arrivals = json.load(answer)["arrivals"]
    by_case: dict[str, list[dict[str, Any]]] = {"": []}
    case = ""
    for arrival in arrivals:
        _, mark, marked = arrival["target"].partition("/contract-mark/")
        if mark:
            case = marked
            by_case[case] = []
        else:
            by_case[case].append(arrival)
    return by_case
