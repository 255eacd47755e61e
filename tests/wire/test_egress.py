"""Through a company's CONNECT proxy, where one is set: TLS runs inside the tunnel, and a refusal is one clear error."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from wire import strict
from wire.cases import GET, POST
from wire.origin import OK
from wire.rig import Rig, cause, running
from wire.stream import DEADLINE_S, Stream, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.authority import Authority
    from wire.process import Section


class Egress:
    """A company's CONNECT proxy; the far end of its tunnels is played here, too."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def asked(self) -> tuple[Stream, strict.Head]:
        """The next connection and the head that came on it."""
        stream = Stream(self._listener.accept()[0])
        return stream, stream.head()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def egress() -> Iterator[Egress]:
    egress = Egress()
    yield egress
    egress.close()


@pytest.fixture
def behind_egress(loop_name: str, authority: Authority, egress: Egress, tmp_path: Path) -> Iterator[Rig]:
    """A proxy that reaches its upstream, a name that nothing resolves, through a CONNECT proxy alone."""
    upstream: Section = {"ca_file": authority.file, "v3_url": "https://upstream.test", "proxy_url": egress.url}
    with running({"listen": {"event_loop": loop_name}, "upstream": upstream}, tmp_path) as rig:
        yield rig


def test_upstream_is_reached_through_a_connect_proxy(behind_egress: Rig, egress: Egress, authority: Authority) -> None:
    """RFC 9110 section 9.3.6: the target is in authority-form, and TLS runs inside the tunnel."""
    client = behind_egress.dial()
    client.send(GET)
    tunnel, head = egress.asked()
    assert head.start == b"CONNECT upstream.test:443 HTTP/1.1"
    assert head.value(b"host") == b"upstream.test:443"
    tunnel.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    upstream = Stream(authority.server("upstream.test").wrap_socket(tunnel.socket, server_side=True))
    for request in (GET, POST):
        head = upstream.head()
        assert head.value(b"host") == b"upstream.test"
        upstream.body(strict.forwarded_request_body(head))
        upstream.send(OK)
        assert client.response().body == b"ok"
        if request is GET:
            client.send(POST)
    upstream.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lines(b"HTTP/1.1 407 Proxy Authentication Required", b"Content-Length: 0"), id="9110-15.5.8 407"),
        pytest.param(lines(b"HTTP/1.1 503 Service Unavailable", b"Content-Length: 2", body=b"no"), id="9110-15.6.4 503"),
        pytest.param(b"HTTP/1.1 200 Conn", id="closes in its head"),
        pytest.param(b"", id="closes"),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: " + b"v" * 300_000, id="endless head"),
    ],
)
def test_a_connect_proxy_that_refuses_becomes_a_502(behind_egress: Rig, egress: Egress, answer: bytes) -> None:
    client = behind_egress.dial()
    client.send(POST)
    tunnel, _ = egress.asked()
    with contextlib.suppress(ConnectionError):
        tunnel.send(answer)
    tunnel.close()
    assert cause(client.response()) == (502, "upstream_unreachable")
    assert behind_egress.proxy.noise == []
