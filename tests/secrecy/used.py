"""The secrets that the suite uses, by names that may be told. What a proxy was given to carry, or to know, it may not tell.

A new token is best of the marked form: `nyk_...`, or with `s3cret` or `s3cr3t` in it. Any other, and each new text, is a row here; `test_sources.py`
says when one is missing.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

TOKENS: Final = {
    "access token of the v2 contract": "v2-contract-token",
    "client secret of the v2 contract": "app-secret",
    "code of the v2 contract": "one-time/+code",
    "token of the v6 contract": "access/+token",
    "credentials for another proxy": "dGVzdA==",
    "admin token of the status view": "tökén-of-the-listener",
}

TEXTS: Final = {
    "subject of the contract": "Grüße, contract",
    "changed subject of the contract": "Später",
    "body of the contract": "<p>1 < 2 & ü</p>",
    "raw message of the contract": "Subject: MIME",
    "person of the contract": "Søren Ångström",
    "file of the contract": "größe.bin",
    "calendar of the contract": "Räume",
    "contact of the contract": "Zoë",
    "folder of the contract": "Ablage/2024",
    "search of the contract": "from:a+b@c.d",
    "state of the contract": "ü;&=",
    "body of the wire": "0123456789",
    "subject of the demo": "Hello",
    "body of the demo": "from the demo",
}

HARMLESS: Final = {
    "r": "too short to be looked for",
    "New": "too short to be looked for",
    "guess": "a token that is refused",
    "a:b:c": "a token that is refused",
    "ascii": "a token that is refused",
    "secret": "also an ordinary word",
    "TOKEN": "stands for one",
    "user@a": "a host that is refused",
}
"""What is written out as a token or a text, and why it is not looked for."""


class Secret(NamedTuple):
    """Something that may not be told: what it is, and how to find it."""

    name: str
    found_by: re.Pattern[bytes]


def _spellings(text: str) -> set[bytes]:
    """As it is, in JSON, and in a URL."""
    return {text.encode(), json.dumps(text)[1:-1].encode(), quote(text, safe="").encode(), quote(text).encode(), quote_plus(text).encode()}


def _as_user(token: str) -> bytes:
    """In the credentials of Basic, as far as what follows it there does not change it."""
    data = token.encode()
    return base64.b64encode(data[: len(data) // 3 * 3])


def _any(spellings: set[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(map(re.escape, sorted(spellings))))


ADDRESS: Final = Secret("an e-mail address", re.compile(rb"(?:@|%40)[\w-]+\.\w"))
FORMS: Final = (
    ADDRESS,
    Secret("a token of the marked form", re.compile(rb"nyk_\w|[Ss]3cr[e3]t")),
    Secret("a query string", re.compile(rb"\?[\w.%-]*=[^.]")),
    Secret("the query string of a list", re.compile(rb"limit=(?!20 or lower)\d")),
    Secret("the path of a grant", re.compile(rb"/grants/(?!me['\"])[^{}\s\"]")),  # but that template
    Secret("a grant of the end-to-end tests", re.compile(rb"(?:ews|gmail|imap|microsoft|nylas)-(?:[a-z]|\d+)\b")),
    Secret("a subject of the end-to-end tests", re.compile(rb"\bmail \d")),
)
"""What is a secret by its form, whatever tests come to use."""

SECRETS: Final = (
    *FORMS,
    *(Secret(name, _any({*_spellings(token), _as_user(token)})) for name, token in TOKENS.items()),
    *(Secret(name, _any(_spellings(text))) for name, text in TEXTS.items()),
)
