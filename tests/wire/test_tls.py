"""TLS on both sides: verified towards upstream, offered to clients, and through a CONNECT proxy where one is set."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from wire.authority import Authority
from wire.cases import GET, HOST, POST, by_name
from wire.origin import Origin
from wire.rig import Rig, assert_refused, cause, running
from wire.stream import BrokenOff, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wire.process import Settings

MIB = 1024 * 1024
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def tls_rig(loop_name: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("tls")
    certificate = authority.ca.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    origin = Origin(context=authority.server("localhost"))
    settings: Settings = {
        "listen": {"event_loop": loop_name, "tls_certificate": str(directory / "certificate.pem"), "tls_key": str(directory / "key.pem")},
        "upstream": {"ca_file": authority.file, "v3_url": f"https://localhost:{origin.port}"},
    }
    with running(settings, directory, origin=origin) as rig:
        yield rig


@pytest.fixture
def tls(tls_rig: Rig) -> Iterator[Rig]:
    """A proxy with TLS on both sides."""
    yield tls_rig
    tls_rig.settle()


def test_requests_pass_with_tls_on_both_sides(tls: Rig, authority: Authority) -> None:
    """RFC 9110 section 4.2.2; the name `localhost` may have two addresses of which one listens."""
    client = tls.dial(authority.client())
    for request, is_first in ((GET, True), (POST, False), (GET, False)):
        client.send(request)
        received = tls.origin.next_request()
        received.answer()
        assert received.is_first == is_first
        assert received.head.value(b"host") == b"localhost:%d" % tls.origin.port
        assert client.response().body == b"ok"


def test_a_request_over_tls_may_come_byte_by_byte(tls: Rig, authority: Authority) -> None:
    client = tls.dial(authority.client())
    client.send_bytewise(POST)
    received = tls.origin.next_request()
    received.answer()
    assert received.body() == b"0123456789"
    assert client.response().body == b"ok"


def test_large_bodies_pass_over_tls_without_piling_up(tls: Rig, authority: Authority) -> None:
    client = tls.dial(authority.client())
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % (10 * MIB)))
    received = tls.origin.next_request()
    before_bytes = tls.proxy.resident_bytes()
    tls.proxy.forget_peak()
    sending = tls.hands.submit(client.send, *[b"b" * MIB] * 10)
    assert len(received.body()) == 10 * MIB
    sending.result()
    sending = tls.hands.submit(received.answer, lines(b"HTTP/1.1 200 OK", b"Content-Length: %d" % (20 * MIB), body=b"b" * (20 * MIB)))
    assert len(client.response().body) == 20 * MIB
    sending.result()
    assert tls.proxy.peak_bytes() - before_bytes < 20 * MIB


def test_a_body_that_breaks_off_over_tls_never_looks_complete(tls: Rig, authority: Authority) -> None:
    client = tls.dial(authority.client())
    client.send(GET)
    received = tls.origin.next_request()
    received.send(lines(b"HTTP/1.1 200 OK", b"Content-Length: 10", body=b"hello"))
    received.stream.close()
    with pytest.raises((BrokenOff, ssl.SSLError)):
        client.response()


def test_a_client_that_leaves_over_tls_cancels_its_read(tls: Rig, authority: Authority) -> None:
    client = tls.dial(authority.client())
    client.send(GET)
    received = tls.origin.next_request()
    client.close()
    with contextlib.suppress(ssl.SSLError):
        assert received.stream.is_closed()


def test_a_refusal_over_tls_reaches_the_client(tls: Rig, authority: Authority) -> None:
    client = tls.dial(authority.client())
    client.send(lines(b"GET /v3/x HTTP/1.1", HOST, b"X A: 1"))
    assert_refused(client, 400, "request_malformed")


def test_a_client_without_tls_is_turned_away_quietly(tls: Rig) -> None:
    client = tls.dial()
    client.send(GET)
    with contextlib.suppress(ConnectionError):
        client.rest()  # an alert of TLS, if anything
    assert tls.origin.is_untouched()


DISTRUSTED: dict[str, Callable[[Authority], tuple[ssl.SSLContext, str]]] = {
    "wrong name": lambda ours: (ours.server("other.test"), ours.file),
    "expired": lambda ours: (ours.server("localhost", expired=True), ours.file),
    "of an unknown authority": lambda ours: (Authority(trustme.CA(), "").server("localhost"), ours.file),
    "of a private authority without ca_file": lambda ours: (ours.server("localhost"), ""),
}


@pytest.fixture
def distrusted(loop_name: str, authority: Authority, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A proxy whose upstream shows a certificate that is not good."""
    context, ca_file = request.param(authority)
    origin = Origin(context=context)
    settings: Settings = {"listen": {"event_loop": loop_name}, "upstream": {"ca_file": ca_file, "v3_url": f"https://localhost:{origin.port}"}}
    with running(settings, tmp_path, origin=origin) as rig:
        yield rig


@pytest.mark.parametrize("distrusted", by_name(DISTRUSTED), indirect=True)
def test_an_upstream_that_cannot_be_trusted_gets_no_request(distrusted: Rig) -> None:
    """RFC 9110 section 4.3.4."""
    client = distrusted.dial()
    client.send(POST)
    with contextlib.suppress(ssl.SSLError, ConnectionError):  # in TLS 1.3 the client's alert may come after our side is done
        stream = distrusted.origin.accept()
        assert not stream.fill()
    assert cause(client.response()) == (502, "upstream_unreachable")
    assert distrusted.proxy.noise == []
