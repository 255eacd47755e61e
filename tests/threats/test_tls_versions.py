"""Nobody can talk the proxy into a TLS older than 1.2, on either side."""

from __future__ import annotations

import contextlib
import ssl
import warnings
from typing import TYPE_CHECKING

import pytest

from proxy.parts import _upstream_tls, server_tls
from proxy.settings.values import Listen

if TYPE_CHECKING:
    from pathlib import Path

    from wire.authority import Authority

OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
GOOD = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def loosened(context: ssl.SSLContext) -> ssl.SSLContext:
    """Take away what may refuse an old version besides the context's own bound: the ciphers and the security level of the system."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def speaking_only(version: ssl.TLSVersion, context: ssl.SSLContext) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that the old versions are old is the point
        context.minimum_version = context.maximum_version = version
    return loosened(context)


def agreed(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    """Shake hands in memory and return the version; SSLError where a side refuses."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname="localhost"), server.wrap_bio(up, down, server_side=True)]
    waiting = list(ends)
    while waiting:
        for end in tuple(waiting):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
                waiting.remove(end)
    return ends[0].version()


@pytest.fixture
def listener(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    """What clients of the proxy meet."""
    file = tmp_path / "both.pem"
    authority.ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(file))
    context = server_tls(Listen(tls_certificate=str(file)))
    assert context is not None
    return loosened(context)


@pytest.mark.parametrize("version", OLD)
def test_a_client_of_an_old_version_is_turned_away(listener: ssl.SSLContext, authority: Authority, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|VERSION"):
        agreed(speaking_only(version, authority.client()), listener)


@pytest.mark.parametrize("version", GOOD)
def test_a_client_of_a_good_version_is_let_in(listener: ssl.SSLContext, authority: Authority, version: ssl.TLSVersion) -> None:
    assert agreed(speaking_only(version, authority.client()), listener) == version.name.replace("_", ".")


@pytest.mark.parametrize("version", OLD)
def test_an_upstream_of_an_old_version_is_not_spoken_to(authority: Authority, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|VERSION"):
        agreed(loosened(_upstream_tls(authority.file)), speaking_only(version, authority.server("localhost")))


@pytest.mark.parametrize("version", GOOD)
def test_an_upstream_of_a_good_version_is_spoken_to(authority: Authority, version: ssl.TLSVersion) -> None:
    assert agreed(loosened(_upstream_tls(authority.file)), speaking_only(version, authority.server("localhost"))) == version.name.replace("_", ".")
