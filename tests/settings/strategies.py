"""Any valid settings, and ways to write them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from proxy.settings.checks import same_address
from proxy.settings.fields import SECTIONS
from proxy.settings.values import Settings

if TYPE_CHECKING:
    from pathlib import Path

Values = dict[str, dict[str, object]]

PORTS = st.one_of(st.sampled_from([0, 1, 8700, 8701, 65535]), st.integers(0, 65535))
COUNTS = st.integers(1, 1_000_000)
BYTES = st.integers(1, 2**40)
SECONDS = st.one_of(st.integers(1, 86400), st.floats(0, 86400, exclude_min=True))
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,9}[a-z0-9](\.[a-z]{1,9}){0,2}", fullmatch=True)
HOSTS = st.one_of(st.ip_addresses().map(str), NAMES, st.sampled_from(["0.0.0.0", "localhost"]))
AUTHORITIES = st.tuples(
    st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map("[{}]".format), NAMES),
    st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format)),
).map("".join)
API_URLS = st.one_of(st.just(""), st.tuples(st.sampled_from(["http://", "https://"]), AUTHORITIES, st.sampled_from(["", "/"])).map("".join))
PROXY_URLS = st.one_of(st.just(""), st.tuples(st.sampled_from(["http://", "http://user:s3cret@"]), AUTHORITIES).map("".join))
REDIS_URLS = st.one_of(
    st.sampled_from(["", "unix:///run/redis.sock", "unix://user:s3cret@/run/redis.sock?db=1"]),
    st.tuples(st.sampled_from(["redis://", "rediss://:s3cret@"]), AUTHORITIES, st.sampled_from(["", "/", "/1"])).map("".join),
)
SHARES = st.one_of(st.sampled_from([0, 1, 0.9]), st.floats(0, 1))
PROVIDERS = st.sampled_from(["google", "microsoft", "ews", "eas", "icloud", "yahoo", "imap", "nylas"])
GRANTS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="%"), min_size=1).filter(lambda name: name.lower() != "me")
FINGERPRINTS = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
APPLICATIONS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)
OVERRIDES = st.fixed_dictionaries({"count": st.integers(1, 10**9)}, optional={"per_s": SECONDS})


def _names_differ(table: dict[str, str]) -> bool:
    """No name is another spelling of another one, or of what it means."""
    return len({name.lower() for name in table}) == len(table) and all(name.lower() != meant.lower() for name, meant in table.items())


TABLES: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("limits", "overrides"): st.dictionaries(st.sampled_from(["v3_send", "v3_messages", "google_user", "gmail_project_day"]), OVERRIDES),
    ("providers", "known"): st.dictionaries(GRANTS, PROVIDERS, max_size=5).filter(_names_differ),
    ("providers", "aliases"): st.dictionaries(GRANTS, GRANTS, max_size=5).filter(_names_differ),
    ("windows", "default_s"): st.dictionaries(st.sampled_from(["blocked", "exchange_throttle", "rate_limit_nylas", "server_error"]), SECONDS),
}
TOKENS = st.text(st.characters(exclude_categories=["C", "Z"]))
SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E))
NETWORKS = st.tuples(
    st.lists(st.one_of(st.ip_addresses().map(str), st.sampled_from(["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::ffff:10.0.0.0/104"])), max_size=4),
    st.sampled_from([" ", ",", ", "]),
).map(lambda written: written[1].join(written[0]))

SETTINGS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "listen": {
        "host": HOSTS,
        "port": PORTS,
        "client_networks": NETWORKS,
        "client_secret": SECRETS,
        "event_loop": st.sampled_from(["auto", "uvloop", "asyncio"]),
        "max_connections": COUNTS,
        "requests_per_connection": COUNTS,
        "head_max_bytes": BYTES,
        "header_max_count": COUNTS,
        "head_timeout_s": SECONDS,
        "idle_timeout_s": SECONDS,
        "body_timeout_s": SECONDS,
        "write_timeout_s": SECONDS,
        "drain_grace_s": st.one_of(st.just(0), SECONDS),
        "drain_timeout_s": st.one_of(st.just(0), SECONDS),
    },
    "admin": {"host": HOSTS, "port": PORTS, "token": TOKENS},
    "upstream": {
        "region": st.sampled_from(["us", "eu"]),
        "v3_url": API_URLS,
        "v2_url": API_URLS,
        "connect_timeout_s": SECONDS,
        "response_timeout_s": SECONDS,
        "stall_timeout_s": SECONDS,
        "stream_timeout_s": SECONDS,
        "idle_timeout_s": SECONDS,
        "max_connections": COUNTS,
        "max_connections_per_grant": COUNTS,
        "head_max_bytes": BYTES,
        "proxy_url": PROXY_URLS,
    },
    "patience": {
        "default_s": st.one_of(st.just(0), SECONDS),
        "max_s": st.one_of(st.just(0), SECONDS),
        "client_timeout_s": SECONDS,
        "max_waiting": COUNTS,
        "waiting_max_bytes": BYTES,
    },
    "retry": {
        "max_attempts": st.integers(1, 10),
        "initial_s": SECONDS,
        "cap_s": SECONDS,
        "budget_ratio": SHARES,
        "idempotency_keys": st.booleans(),
    },
    "limits": {
        "mode": st.sampled_from(["enforce", "observe"]),
        "headroom": SHARES,
        "reserve": st.floats(0, 0.9),
        "application": st.one_of(st.sampled_from(["single", "credential"]), st.dictionaries(FINGERPRINTS, APPLICATIONS, max_size=5)),
        "gmail_profile": st.sampled_from(["classic", "2026"]),
        "gmail_recovery_s": SECONDS,
        "gmail_recovery_spacing_s": st.one_of(st.just(0), SECONDS),
        "gmail_recovery_list_limit": st.integers(0, 200),
        "overrides": TABLES["limits", "overrides"],
    },
    "providers": {"known": TABLES["providers", "known"], "discover": st.booleans(), "aliases": TABLES["providers", "aliases"]},
    "windows": {"default_s": TABLES["windows", "default_s"]},
    "redis": {
        "url": REDIS_URLS,
        "connect_timeout_ms": st.integers(1, 60_000),
        "command_timeout_ms": st.integers(1, 60_000),
        "on_loss": st.sampled_from(["local", "refuse"]),
        "replicas": st.integers(1, 1000),
    },
    "bodies": {
        "request_max_bytes": BYTES,
        "error_max_bytes": BYTES,
        "replay_max_bytes": st.one_of(st.just(0), BYTES),
        "buffered_max_bytes": BYTES,
        "refuse_empty_put": st.booleans(),
    },
    "log": {
        "format": st.sampled_from(["auto", "json", "console"]),
        "level": st.sampled_from(["debug", "info", "warning", "error"]),
        "successes": st.floats(0, 1),
    },
}
FILES = {
    ("listen", "tls_certificate"),
    ("listen", "tls_key"),
    ("listen", "client_ca_file"),
    ("upstream", "ca_file"),
    ("windows", "journal"),
    ("identity", "key_file"),
}
AT_MOST = [("patience", "default_s", 10, "max_s", 60), ("retry", "initial_s", 0.5, "cap_s", 20)]


def frozen(values: Values) -> Settings:
    """The settings that `values` should give."""
    return Settings(**{section: SECTIONS[section](**keys) for section, keys in values.items()})


def any_values() -> st.SearchStrategy[Values]:
    """Some sections with some of their keys, all of them valid."""
    sections = {name: st.fixed_dictionaries({}, optional=keys) for name, keys in SETTINGS.items()}
    return st.fixed_dictionaries({}, optional=sections).map(_in_order).filter(lambda values: not same_address(frozen(values)))


def _in_order(values: Values) -> Values:
    """Swap the two of a pair where the first must not be longer than the second."""
    for section, one, default, other, other_default in AT_MOST:
        keys = values.get(section, {})
        shorter, longer = keys.get(one, default), keys.get(other, other_default)
        if shorter > longer:  # type: ignore[operator]  # both are numbers
            keys.update({one: longer, other: shorter})
    return values


def with_key_file(values: Values, key_file: Path) -> Values:
    """Add what a Redis server asks for."""
    return {**values, "identity": {"key_file": os.fspath(key_file)}} if values.get("redis", {}).get("url") else values


def with_files(values: Values, certificate: Path, key: Path, authority: Path) -> Values:
    """Add the settings that name other files."""
    tls = {"tls_certificate": os.fspath(certificate), "tls_key": os.fspath(key), "client_ca_file": os.fspath(authority)}
    listen = {**values.get("listen", {}), **tls}
    windows = {**values.get("windows", {}), "journal": os.fspath(authority.with_name("journal.json"))}
    return {**values, "listen": listen, "upstream": {**values.get("upstream", {}), "ca_file": os.fspath(authority)}, "windows": windows}


def without_tables(values: Values) -> Values:
    """Leave out what cannot stand in an environment."""
    return {section: {key: value for key, value in keys.items() if not isinstance(value, dict)} for section, keys in values.items()}


def as_toml(values: Values, style: str) -> str:
    """Write `values` with headers, dotted keys or inline tables."""
    pairs = {section: [f"{key} = {_written(value)}" for key, value in keys.items()] for section, keys in values.items()}
    match style:
        case "headers":
            return "".join("\n".join([f"[{section}]", *lines, ""]) for section, lines in pairs.items())
        case "dotted":
            return "".join(f"'{section}'.{line}\n" for section, lines in pairs.items() for line in lines)
        case _:
            return "".join(f"{section} = {{ {', '.join(lines)} }}\n" for section, lines in pairs.items())


def as_variables(values: Values) -> dict[str, str]:
    """Write `values`, in which there is no table, as an environment."""
    return {
        f"NYLAS_PROXY__{section}__{key}".upper(): value if isinstance(value, str) else _written(value)
        for section, keys in values.items()
        for key, value in keys.items()
    }


def _written(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(name)} = {_written(inner)}" for name, inner in value.items()) + "}"
    return repr(value) if isinstance(value, float) else msgspec.json.encode(value).decode()
