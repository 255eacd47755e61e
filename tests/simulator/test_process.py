"""The simulator as a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from proxy.simulator.main import run

if TYPE_CHECKING:
    from pathlib import Path

STARTING = [sys.executable, "-c", "import sys; from proxy.simulator.main import run; sys.exit(run('127.0.0.1', 0, None))"]
PATIENCE_S = 30


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_where_it_listens_and_ends_with_0_on_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(STARTING, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("simulator listening on ").strip()
        with urllib.request.urlopen(f"{url}/__simulator/arrivals", timeout=PATIENCE_S) as response:
            assert response.status == 200
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")


def test_it_keeps_limits_on_a_faster_clock_when_told() -> None:
    starting = [*STARTING[:2], STARTING[2].replace("0, None)", "0, None, limits=True, speed=60.0)")]
    with subprocess.Popen(starting, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("simulator listening on ").strip()
        with urllib.request.urlopen(f"{url}/__simulator/limits", timeout=PATIENCE_S) as response:
            report = json.load(response)
        process.terminate()
    assert (report["enforced"], report["speed"], report["limits"]["v2_ip_addresses"]["per_s"]) == (True, 60.0, 60.0)


def test_a_delta_stream_does_not_hold_up_the_end() -> None:
    with subprocess.Popen(STARTING, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("simulator listening on ").strip()
        request = urllib.request.Request(f"{url}/delta/streaming?cursor=cursor-00000000", headers={"Authorization": "Bearer t"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S):
            process.terminate()
            assert process.wait(PATIENCE_S) == 0


def test_a_malformed_request_leaves_no_trace_on_stderr() -> None:
    with subprocess.Popen(STARTING, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(b"GET  /  HTTP/9.9\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.0 400 ")
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert errors == ""


def test_a_mistaken_scenario_ends_with_2_and_a_line_for_each_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text("[[rule]]\nstats = 500\n[[rule]]\ncount = -1\n")
    assert run("127.0.0.1", 0, file) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"simulator: {file}: rule 1: unknown key 'stats'")
    assert second.startswith(f"simulator: {file}: rule 2: key 'count'")


def test_an_address_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run("127.0.0.1", port, None) == 1
    assert f"simulator: cannot listen on 127.0.0.1 port {port}: " in capsys.readouterr().err
