"""The search knows every secret that tests write out: so it cannot fall behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from secrecy.source_reader import secrets_in
from secrecy.used import HARMLESS, SECRETS

ROOT = Path(__file__).resolve().parents[2]
APART = {"core", "facts", "recorded", "secrecy", "settings", "simulator"}  # what these use reaches no proxy
SOURCES = [
    *(file for file in sorted((ROOT / "tests").rglob("*.py")) if file.relative_to(ROOT / "tests").parts[0] not in APART),
    *sorted((ROOT / "proxy" / "demo").glob("*.py")),
]


def is_known(text: str) -> bool:
    return text in HARMLESS or any(secret.found_by.search(text.encode()) for secret in SECRETS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_whatever_a_test_gives_a_proxy_to_carry_would_be_found(source: Path) -> None:
    """A token or text that is missing is a new row of `used.py`."""
    assert [(line, text) for line, text in secrets_in(source.read_text(encoding="utf-8")) if not is_known(text)] == []


@pytest.mark.parametrize(
    ("source", "secret"),
    [
        ('HEADERS = {"Authorization": "Bearer abc"}', "abc"),
        ('send(b"GET / HTTP/1.1\\r\\nAuthorization: Basic YWI=\\r\\n")', "YWI="),
        ('ask(authorization="Bearer abc")', "abc"),
        ('TOKEN = "abc"', "abc"),
        ('Client(api_key="abc")', "abc"),
        ('{"access_token": "abc"}', "abc"),
        ('path = "/v3/grants/ada@localhost/messages"', "ada@localhost"),
        ('path = b"/v3/grants/ada@localhost/messages"', "ada@localhost"),
        ('f"/v3/grants/ada@host-{n}/messages"', "ada@host-"),
        ('{"subject": "abc"}', "abc"),
        ('{"body": f"abc {n}"}', "abc 1"),
    ],
)
def test_a_secret_is_seen_wherever_a_source_has_it(source: str, secret: str) -> None:
    assert list(secrets_in(source)) == [(1, secret)]
    assert not is_known(secret)


@pytest.mark.parametrize(
    "source",
    [
        '"""Sent as Bearer token"""',
        'WWW = \'Basic realm="x"\'',
        'field = f"Bearer {token}"',
        'url = "redis://user@cache"',
        'TOKEN = "set admin.token"',
        'Who(subject="abc")',
        "TOKEN = make()",
    ],
)
def test_what_is_no_secret_is_not_seen(source: str) -> None:
    assert list(secrets_in(source)) == []
