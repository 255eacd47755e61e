"""What is allowed, in the words of the mistakes, and how a test gets at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings import SettingsError, load

LISTEN_KEYS = (
    "host, port, tls_certificate, tls_key, client_networks, client_secret, client_ca_file, event_loop, max_connections, requests_per_connection, "
    "head_max_bytes, header_max_count, head_timeout_s, idle_timeout_s, body_timeout_s, write_timeout_s, drain_grace_s, drain_timeout_s"
)
SECTIONS = "listen, admin, upstream, patience, retry, limits, providers, windows, redis, identity, bodies, log"
VARIABLE_SECTIONS = "LISTEN, ADMIN, UPSTREAM, PATIENCE, RETRY, LIMITS, PROVIDERS, WINDOWS, REDIS, IDENTITY, BODIES, LOG"
PORT = "a whole number from 0 (any free port) to 65535"
SECONDS = "a number of seconds above 0, at most 86400"
BYTES = "a whole number of bytes from 1 to 1099511627776"
HOST = "an IP address (IPv6 without brackets) or a host name"
API_URL = "http:// or https://, a host and perhaps a port, such as https://api.us.nylas.com"
PROXY_URL = "http://, perhaps user:password@, a host and perhaps a port, such as http://127.0.0.1:3128"
REDIS_URL = "redis:// or rediss://, perhaps user:password@, a host, perhaps a port, perhaps /DATABASE; or unix:///SOCKET; or empty"
KEY_FILE = "the path of a readable file of at least 16 bytes, or empty"
NEW_FILE = "the path of a file, there or not, in a directory that can be written, or empty"
APPLICATION = '"single", "credential" or, in the file only, a table: fingerprint of a credential = name of its application'
FINGERPRINT = "the first 16 hex digits of a credential's SHA-256, in lower case"
GRANT = "the id or the address of a grant"
PROVIDERS = '"google", "microsoft", "ews", "eas", "icloud", "yahoo", "imap", "nylas"'
UNITS = "a whole number from 1 to 1000000000"
PEM = "the path of a readable PEM file, or empty"
AUTHORITIES = "the path of a readable PEM file of certificates, or empty"
HEADER_SECRET = "visible ASCII characters without blanks, or empty"
NETWORKS = 'networks and addresses, such as "10.0.0.0/8 192.168.1.5 ::1", blanks or commas between them, or empty'
CONTROL = "holds a control character or a byte that is not UTF-8"


def mistakes(text: str | bytes | None = None, **environ: str) -> list[str]:
    """What is wrong with a file `p.toml` that holds `text` (None: no file), and with these variables."""
    config = None
    if text is not None:
        config = Path("p.toml")
        config.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as raised:
        load(config, environ)
    assert str(raised.value) == "\n".join(raised.value.mistakes)
    assert all("\n" not in mistake for mistake in raised.value.mistakes)
    return raised.value.mistakes
