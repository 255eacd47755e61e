from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from proxy.settings import Admin, Listen, Providers, Redis, Settings, Upstream, load
from proxy.settings.values import is_loopback

REFERENCE = Path(__file__).resolve().parents[2] / "config" / "proxy.toml"
OUTSIDE_TLS = "listen.host: {} is reachable from other machines without TLS: tokens and mail cross the network readable"
OPEN_TO_ALL = (
    "listen.host: {} is reachable from other machines without an access rule "
    "(listen.client_networks, listen.client_secret and listen.client_ca_file are empty): all can use it"
)

CONTRACT: dict[str, dict[str, object]] = {
    "listen": {
        "host": "127.0.0.1",
        "port": 8700,
        "tls_certificate": "",
        "tls_key": "",
        "client_networks": "",
        "client_secret": "",
        "client_ca_file": "",
        "event_loop": "auto",
        "max_connections": 4096,
        "requests_per_connection": 10000,
        "head_max_bytes": 65536,
        "header_max_count": 200,
        "head_timeout_s": 30,
        "idle_timeout_s": 75,
        "body_timeout_s": 60,
        "write_timeout_s": 60,
        "drain_grace_s": 0,
        "drain_timeout_s": 30,
    },
    "admin": {"host": "127.0.0.1", "port": 8701, "token": ""},
    "upstream": {
        "region": "us",
        "v3_url": "",
        "v2_url": "",
        "connect_timeout_s": 10,
        "response_timeout_s": 90,
        "stall_timeout_s": 90,
        "stream_timeout_s": 3700,
        "idle_timeout_s": 60,
        "max_connections": 1000,
        "max_connections_per_grant": 100,
        "head_max_bytes": 65536,
        "ca_file": "",
        "proxy_url": "",
    },
    "patience": {"default_s": 10, "max_s": 60, "client_timeout_s": 90, "max_waiting": 10000, "waiting_max_bytes": 67108864},
    "retry": {"max_attempts": 3, "initial_s": 0.5, "cap_s": 20, "budget_ratio": 0.1, "idempotency_keys": True},
    "limits": {
        "mode": "enforce",
        "headroom": 0.05,
        "reserve": 0,
        "application": "single",
        "gmail_profile": "classic",
        "gmail_recovery_s": 60,
        "gmail_recovery_spacing_s": 1,
        "gmail_recovery_list_limit": 20,
        "overrides": {},
    },
    "providers": {"known": {}, "discover": False, "aliases": {}},
    "windows": {"journal": "", "default_s": {}},
    "redis": {"url": "", "connect_timeout_ms": 30, "command_timeout_ms": 50, "on_loss": "local", "replicas": 1},
    "identity": {"key_file": ""},
    "bodies": {
        "request_max_bytes": 167772160,
        "error_max_bytes": 1048576,
        "replay_max_bytes": 4194304,
        "buffered_max_bytes": 268435456,
        "refuse_empty_put": True,
    },
    "log": {"format": "auto", "level": "info", "successes": 1.0},
}


def test_the_built_in_defaults_are_those_of_the_contract() -> None:
    assert msgspec.to_builtins(Settings()) == CONTRACT
    assert list(msgspec.to_builtins(Settings())) == list(CONTRACT)


def test_without_a_file_and_variables_the_defaults_are_in_force() -> None:
    assert load(None, {}) == Settings()


def test_the_reference_file_holds_every_setting_with_its_default() -> None:
    assert tomllib.loads(REFERENCE.read_text()) == msgspec.to_builtins(Settings())
    assert load(REFERENCE, {}) == Settings()


def test_the_reference_file_explains_every_setting_on_its_line() -> None:
    settings = [line for line in REFERENCE.read_text().splitlines() if re.match(r"\w+ =", line)]
    assert len(settings) == sum(map(len, CONTRACT.values()))
    assert [line for line in settings if not re.search(r"# \S.{9,}", line)] == []


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().listen.port = 1  # type: ignore[misc]  # that this is refused is the point


@pytest.mark.parametrize(
    ("upstream", "v3_base", "v2_base"),
    [
        (Upstream(), "https://api.us.nylas.com", "https://api.nylas.com"),
        (Upstream(region="eu"), "https://api.eu.nylas.com", "https://ireland.api.nylas.com"),
        (Upstream(region="eu", v3_url="http://127.0.0.1:9/"), "http://127.0.0.1:9", "https://ireland.api.nylas.com"),
        (Upstream(v2_url="http://127.0.0.1:9"), "https://api.us.nylas.com", "http://127.0.0.1:9"),
    ],
)
def test_a_url_of_its_own_goes_before_the_host_of_the_region(upstream: Upstream, v3_base: str, v2_base: str) -> None:
    assert (upstream.v3_base, upstream.v2_base) == (v3_base, v2_base)


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        (Settings(), []),
        (Settings(listen=Listen(host="::1"), admin=Admin(host="localhost")), []),
        (Settings(listen=Listen(host="0.0.0.0")), [OUTSIDE_TLS.format("0.0.0.0"), OPEN_TO_ALL.format("0.0.0.0")]),
        (Settings(listen=Listen(host="proxy.internal")), [OUTSIDE_TLS.format("proxy.internal"), OPEN_TO_ALL.format("proxy.internal")]),
        (Settings(listen=Listen(host="0.0.0.0", tls_certificate="c", tls_key="k")), [OPEN_TO_ALL.format("0.0.0.0")]),
        (Settings(listen=Listen(host="0.0.0.0", client_networks="10.0.0.0/8")), [OUTSIDE_TLS.format("0.0.0.0")]),
        (Settings(listen=Listen(host="::", client_secret="s3cret")), [OUTSIDE_TLS.format("::")]),
        (Settings(listen=Listen(host="::", tls_certificate="c", tls_key="k", client_ca_file="a")), []),
        (Settings(admin=Admin(host="::")), ["admin.host: :: is reachable from other machines without admin.token"]),
        (Settings(admin=Admin(host="::", token="t")), []),
        (Settings(upstream=Upstream(v3_url="http://127.0.0.1:9", v2_url="http://[::1]:9")), []),
        (
            Settings(upstream=Upstream(v3_url="http://nylas.internal")),
            ["upstream.v3_url: http:// to another machine: tokens and mail cross the network readable"],
        ),
        (
            Settings(upstream=Upstream(v2_url="HTTP://10.0.0.1:80")),
            ["upstream.v2_url: http:// to another machine: tokens and mail cross the network readable"],
        ),
        (
            Settings(redis=Redis(url="redis://:s3cret@cache:6379/1")),
            ["redis.url: redis:// to another machine: its password crosses the network readable"],
        ),
        (Settings(redis=Redis(url="redis://cache")), []),
        (Settings(redis=Redis(url="rediss://:s3cret@cache")), []),
        (Settings(redis=Redis(url="redis://:s3cret@[::1]")), []),
        (Settings(redis=Redis(url="unix://:s3cret@/run/redis.sock")), []),
    ],
)
def test_what_exposes_tokens_is_warned_about(settings: Settings, warnings: list[str]) -> None:
    assert settings.warnings == warnings


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost", True), ("0.0.0.0", False), ("::", False), ("localhost.example", False)],
)
def test_only_addresses_of_this_machine_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_settings_can_be_written_to_a_log_without_secrets_and_addresses() -> None:
    settings = Settings(
        listen=Listen(client_secret="s3cret"),
        admin=Admin(token="s3cret"),
        upstream=Upstream(proxy_url="http://user:s3cret@10.0.0.1:3128"),
        providers=Providers(known={"s3cret@example.com": "google"}, aliases={"s3cret@example.com": "s3cret"}),
        redis=Redis(url="rediss://:s3cret@cache"),
    )
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings)
    assert "client_secret=''" in repr(Settings())
    assert "token=''" in repr(Settings())
    assert "url=''" in repr(Settings())
    assert "known=1 grants" in repr(settings)


def test_reading_settings_loads_nothing_heavy_and_no_facts() -> None:
    program = "import sys, proxy.settings; proxy.settings.load(None, {}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "msgspec" in loaded
    assert {"pydantic", "pydantic_core", "aiohttp", "ssl", "asyncio", "tomlkit", "redis", "hashlib", "tempfile", "proxy.facts", "proxy.core"} & set(
        loaded
    ) == set()
