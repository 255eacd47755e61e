"""Any valid settings, and ways to write them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from proxy.settings.checks import same_address
from proxy.settings.values import Admin, Bodies, Listen, Log, Settings, Upstream

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
TOKENS = st.text(st.characters(exclude_categories=["C", "Z"]))

SETTINGS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "listen": {
        "host": HOSTS,
        "port": PORTS,
        "event_loop": st.sampled_from(["auto", "uvloop", "asyncio"]),
        "max_connections": COUNTS,
        "head_max_bytes": BYTES,
        "header_max_count": COUNTS,
        "head_timeout_s": SECONDS,
        "idle_timeout_s": SECONDS,
        "body_timeout_s": SECONDS,
        "write_timeout_s": SECONDS,
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
    "bodies": {"request_max_bytes": BYTES, "error_max_bytes": BYTES, "refuse_empty_put": st.booleans()},
    "log": {"format": st.sampled_from(["auto", "json", "console"]), "level": st.sampled_from(["debug", "info", "warning", "error"])},
}
FILES = {("listen", "tls_certificate"), ("listen", "tls_key"), ("upstream", "ca_file")}


def frozen(values: Values) -> Settings:
    """The settings that `values` should give."""
    whole: dict[str, type[msgspec.Struct]] = {"listen": Listen, "admin": Admin, "upstream": Upstream, "bodies": Bodies, "log": Log}
    return Settings(**{section: whole[section](**keys) for section, keys in values.items()})  # type: ignore[arg-type]  # every section has its own type


def any_values() -> st.SearchStrategy[Values]:
    """Some sections with some of their keys, all of them valid."""
    sections = {name: st.fixed_dictionaries({}, optional=keys) for name, keys in SETTINGS.items()}
    return st.fixed_dictionaries({}, optional=sections).filter(lambda values: not same_address(frozen(values)))


def with_pem_files(values: Values, certificate: Path, key: Path, authority: Path) -> Values:
    """Add the settings that name files."""
    listen = {**values.get("listen", {}), "tls_certificate": os.fspath(certificate), "tls_key": os.fspath(key)}
    return {**values, "listen": listen, "upstream": {**values.get("upstream", {}), "ca_file": os.fspath(authority)}}


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
    """Write `values` as an environment."""
    return {
        f"NYLAS_PROXY__{section}__{key}".upper(): value if isinstance(value, str) else _written(value)
        for section, keys in values.items()
        for key, value in keys.items()
    }


def _written(value: object) -> str:
    return repr(value) if isinstance(value, float) else msgspec.json.encode(value).decode()
