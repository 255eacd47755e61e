"""The admin token is compared so that the time which it takes tells nothing of it."""

from __future__ import annotations

import hmac
from base64 import b64encode

import pytest

from proxy.admin import access
from proxy.admin.access import Access, Asked
from proxy.settings import Admin

TOKEN = "a-s3cret"


@pytest.mark.parametrize("shown", [b"b", b"a-s3cre", b"a-s3cret", b""])
@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
def test_a_token_is_compared_in_constant_time_and_nowhere_else(monkeypatch: pytest.MonkeyPatch, scheme: str, shown: bytes) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return not hmac.compare_digest(left, right)  # the opposite, so that what decides is this alone

    monkeypatch.setattr(access, "hmac", type("Library", (), {"compare_digest": staticmethod(compare)}))
    proof = shown if scheme == "Bearer" else b64encode(b":" + shown)
    refusal = Access(Admin(token=TOKEN)).refusal(Asked("GET", "/metrics", "localhost", scheme.encode() + b" " + proof))
    assert compared == [(shown, TOKEN.encode())]
    assert (refusal is None) == (shown != TOKEN.encode())
