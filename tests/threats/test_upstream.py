"""Who upstream is, and what one that means harm can cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from wire.cases import GET
from wire.rig import cause, running
from wire.stream import lines

if TYPE_CHECKING:
    from pathlib import Path

    from wire.rig import Rig

MIB = 1024 * 1024
HINTS = lines(b"HTTP/1.1 103 Early Hints", b"Link: " + b"l" * 4000)
IN_OUR_NAME = (b"X-Nylas-Proxy-Attempts: 9", b"x-nylas-proxy-WAITED: 9", b"X-Nylas-Proxy-Cause: proxy_bug", b"X-Nylas-Proxy-Origin: proxy")
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def test_interim_answers_without_end_are_cut_off(plain: Rig) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    before_bytes = plain.proxy.resident_bytes()
    plain.proxy.forget_peak()
    with pytest.raises(ConnectionError):
        received.send(*[HINTS * 250] * 100)
    assert plain.proxy.peak_bytes() - before_bytes < 5 * MIB
    while (response := client.response()).status == 103:
        pass
    assert cause(response) == (502, "upstream_malformed")


def test_proxies_that_the_environment_names_see_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with running({}, tmp_path) as rig:
        _, response = rig.exchange(GET)
        assert response.body == b"ok"


def test_upstream_cannot_speak_in_the_name_of_the_proxy(plain: Rig) -> None:
    _, response = plain.exchange(GET, lines(b"HTTP/1.1 200 OK", *IN_OUR_NAME, b"Content-Length: 2", body=b"ok"))
    assert [value for name, value in response.head.fields if name.lower().startswith(b"x-nylas-proxy-")] == [b"1", b"0"]
