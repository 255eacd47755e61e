"""The listener's certificate is renewed without an end of anything; clients show certificates where listen.client_ca_file asks for them."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import socket
import ssl
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
import trustme
from cryptography import x509
from wire.cases import GET, HOST
from wire.rig import assert_refused
from wire.stream import DEADLINE_S, Stream, lines

from access.stage import Keys, Renewable, is_served, renewable
from proxy.core.events import Reloaded
from proxy.operator import Operator
from proxy.settings import Listen, Loaded, Settings
from proxy.systemd import Notifier
from proxy.telemetry.logs import Log
from proxy.telemetry.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wire.rig import Rig

    from proxy.sidecar import Sidecar


def ends_at(certificate: Path) -> float:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc.timestamp()


def of_file(certificate: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def test_a_renewed_certificate_is_shown_to_new_clients_and_old_connections_stay(tls: Renewable) -> None:
    before = of_file(tls.keys.certificate)
    kept = tls.rig.dial(tls.keys.client())
    assert is_served(tls.rig, kept)
    tls.keys.issue()
    assert tls.shown() == before
    assert tls.reload() == (200, {"applied": [], "at_restart": []})
    assert tls.shown() == of_file(tls.keys.certificate) != before
    assert is_served(tls.rig, kept)
    assert is_served(tls.rig, tls.rig.dial(tls.keys.client()))


def test_a_hangup_signal_renews_the_certificate_as_well(tls: Renewable) -> None:
    tls.keys.issue()
    tls.rig.proxy.signal(signal.SIGHUP)
    tls.rig.proxy.wait_for(lambda event: event.get("event") == "settings.reloaded")
    assert tls.shown() == of_file(tls.keys.certificate)


def test_the_metric_says_when_the_renewed_certificate_ends(tls: Renewable) -> None:
    before = tls.expires_at()
    assert before == ends_at(tls.keys.certificate)
    tls.keys.issue(not_after=dt.datetime(2031, 5, 1, tzinfo=dt.UTC))
    assert tls.reload()[0] == 200
    assert tls.expires_at() == ends_at(tls.keys.certificate) != before


SPOILT: dict[str, tuple[Callable[[Keys], None], str, str]] = {
    "a certificate that is gone": (lambda keys: keys.certificate.unlink(), "tls_certificate", "cannot be read (No such file or directory)"),
    "a key that is gone": (lambda keys: keys.key.unlink(), "tls_key", "cannot be read (No such file or directory)"),
    "half a file": (lambda keys: _halve(keys.certificate), "tls_key", "is not the unencrypted PEM key of {certificate}"),
    "a key of another": (Keys.lose_key, "tls_key", "is not the unencrypted PEM key of {certificate}"),
}


def _halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_certificate_that_cannot_be_used_refuses_the_reload_and_the_old_one_stays(tls: Renewable, spoilt: str) -> None:
    spoil, key, what = SPOILT[spoilt]
    before, ended_at = of_file(tls.keys.certificate), tls.expires_at()
    spoil(tls.keys)
    tls.file.write_text(tls.file.read_text().replace('level = "info"', 'level = "debug"'))
    status, answer = tls.reload()
    assert status == 422
    path = tls.keys.key if key == "tls_key" else tls.keys.certificate
    assert any(mistake.startswith(f"listen.{key}: {path} {what.format(certificate=tls.keys.certificate)}") for mistake in answer["mistakes"])
    assert (tls.shown(), tls.expires_at()) == (before, ended_at)
    tls.keys.issue()
    assert tls.reload() == (200, {"applied": ["log.level"], "at_restart": []})
    assert tls.shown() == of_file(tls.keys.certificate)


def test_files_of_other_names_wait_for_a_restart_even_where_the_old_ones_are_gone(tls: Renewable) -> None:
    before = of_file(tls.keys.certificate)
    elsewhere = tls.keys.certificate.with_name("moved.pem")
    tls.keys.certificate.rename(elsewhere)
    tls.file.write_text(tls.file.read_text().replace("certificate.pem", "moved.pem").replace('level = "info"', 'level = "debug"'))
    assert tls.reload() == (200, {"applied": ["log.level"], "at_restart": ["listen.tls_certificate"]})
    assert tls.shown() == before


def test_nobody_who_connects_during_a_renewal_is_lost(tls: Renewable) -> None:
    def come_and_go() -> list[int]:
        found = []
        for _ in range(20):
            with contextlib.closing(tls.rig.proxy.dial(context)) as client:
                client.send(lines(b"PUT /messages/1 HTTP/1.1", HOST, b"Content-Length: 0"))
                found.append(client.response().status)
        return found

    context = tls.keys.client()
    coming = [tls.rig.hands.submit(come_and_go) for _ in range(2)]
    while not all(each.done() for each in coming):
        tls.keys.issue()
        assert tls.reload()[0] == 200
    assert [each.result() for each in coming] == [[400] * 20] * 2


def _is_let_in(running: Renewable, context: ssl.SSLContext) -> bool:
    """Tell whether a client gets an answer; in TLS 1.3 its handshake is over before its certificate is judged."""
    try:
        client = running.rig.dial(context)
        client.send(GET)
        if not client.fill():
            return False
    except (ssl.SSLError, ConnectionError):
        return False
    raise AssertionError("the proxy answered what only upstream answers")


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_clients_without_a_certificate_of_the_authority_are_not_let_in(mutual: Renewable, version: ssl.TLSVersion) -> None:
    keys = mutual.keys
    assert is_served(mutual.rig, mutual.rig.dial(keys.client(keys.of_clients, version)))
    assert not _is_let_in(mutual, keys.client(None, version))
    assert not _is_let_in(mutual, keys.client(trustme.CA(), version))
    assert not _is_let_in(mutual, keys.client(keys.authority, version))
    assert mutual.rig.origin.is_untouched()


def _comes_back(rig: Rig, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[Stream, bool]:
    """Connect with a session of before; the connection, and whether the proxy took it."""
    with contextlib.ExitStack() as unless_good:
        plain = unless_good.enter_context(socket.create_connection(rig.proxy.address, timeout=DEADLINE_S))
        sock = unless_good.enter_context(context.wrap_socket(plain, server_hostname="localhost", session=session, do_handshake_on_connect=False))
        sock.do_handshake()
        unless_good.pop_all()
    return Stream(sock), bool(sock.session_reused)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_authority_that_is_replaced_lets_no_client_of_the_old_one_in_again(mutual: Renewable, version: ssl.TLSVersion) -> None:
    keys, old, new = mutual.keys, mutual.keys.of_clients, trustme.CA()
    context = keys.client(old, version)
    client = mutual.rig.dial(context)
    assert is_served(mutual.rig, client)
    assert isinstance(client.socket, ssl.SSLSocket)
    session = client.socket.session
    again, was_taken = _comes_back(mutual.rig, context, session)
    assert was_taken
    assert is_served(mutual.rig, again)
    again.close()
    keys.trust_clients_of(new)
    assert mutual.reload()[0] == 200
    assert is_served(mutual.rig, mutual.rig.dial(keys.client(new, version)))
    with contextlib.suppress(ssl.SSLError, ConnectionError), contextlib.ExitStack() as stack:
        back, was_taken = _comes_back(mutual.rig, context, session)
        stack.callback(back.close)
        assert not was_taken
        back.send(GET)
        assert not back.fill()
    assert is_served(mutual.rig, client)
    assert mutual.rig.origin.is_untouched()


def test_an_authority_that_cannot_be_read_refuses_the_reload(mutual: Renewable) -> None:
    mutual.keys.client_ca.write_text("no certificate")
    status, answer = mutual.reload()
    assert status == 422
    assert answer["mistakes"][0] == f"listen.client_ca_file: {mutual.keys.client_ca} holds no PEM certificate"
    assert is_served(mutual.rig, mutual.rig.dial(mutual.keys.client(mutual.keys.of_clients)))


def test_of_tls_1_2_only_forward_secret_authenticated_ciphers_are_spoken(tls: Renewable) -> None:
    spoken = []
    for ciphers in ("ECDHE+AESGCM", "ECDHE+CHACHA20", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256", "DHE+AESGCM"):
        context = tls.keys.client(version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(ciphers)
        with contextlib.suppress(ssl.SSLError):
            tls.rig.dial(context)
            spoken.append(ciphers)
    assert spoken == ["ECDHE+AESGCM", "ECDHE+CHACHA20"]


def test_a_client_that_is_not_allowed_is_told_so_over_tls(loop_name: str, tmp_path: Path) -> None:
    with renewable(tmp_path, loop_name, client_networks="10.0.0.0/8") as running:
        assert_refused(running.rig.dial(running.keys.client()), 403, "client_not_allowed")


class _Undisturbed(NamedTuple):
    """What an operator changes, if nothing is changed."""

    loaded: Loaded
    observers: Observers


async def test_files_that_are_put_right_while_they_are_read_refuse_the_reload_all_the_same(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    loaded = Loaded(Settings(listen=Listen(tls_certificate=str(keys.certificate), tls_key=str(keys.key))), {})
    keys.lose_key()

    def reread() -> Loaded:
        keys.issue()
        return loaded

    log = Log("json", "error")
    operator = Operator(cast("Sidecar", _Undisturbed(loaded, Observers(log))), reread, lambda: None, Notifier({}))
    first = await operator.reload()
    log.writer.close()
    what = f"listen.tls_key: {keys.key} is not the unencrypted PEM key of {keys.certificate}, which listen.tls_certificate names"
    assert first == Reloaded((what,), (), ())
