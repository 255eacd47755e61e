"""A proxy whose files of TLS a test exchanges while it runs, and what an operator asks it meanwhile."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import trustme
from wire.cases import GET
from wire.rig import Rig, running
from wire.stream import DEADLINE_S, Stream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Section

TOKEN: Final = "nyk_of_the_operator"
EXPIRY: Final = re.compile(r'^nylas_proxy_certificate_expiry_timestamp_seconds\{certificate="listen"\} (\S+)$', re.MULTILINE)


def dialled_from(rig: Rig, host: str) -> Stream:
    """A new connection to the proxy from another address of this machine."""
    return Stream(socket.create_connection(rig.proxy.address, timeout=DEADLINE_S, source_address=(host, 0)))


def admin_url(rig: Rig) -> str:
    """Where its admin listener answers."""
    listening = rig.proxy.wait_for(lambda event: event.get("event") == "proxy.listening")
    return f"http://127.0.0.1:{listening['admin_port']}"


def asked(rig: Rig, path: str, method: str = "GET") -> tuple[int, str]:
    """Ask the admin listener as an operator does; the status and the body."""
    request = urllib.request.Request(admin_url(rig) + path, method=method, headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def metric(rig: Rig, name: str) -> float:
    """What the proxy counts under a name that has no labels."""
    found = re.search(rf"^nylas_proxy_{name} (\S+)$", asked(rig, "/metrics")[1], re.MULTILINE)
    assert found
    return float(found[1])


class Keys:
    """The authority of the listener's certificate, that of the clients' certificates, and the files that the proxy reads."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key, self.client_ca = folder / "certificate.pem", folder / "key.pem", folder / "client_ca.pem"
        self.authority = trustme.CA()
        self.of_clients = trustme.CA()
        self.issue()
        self.trust_clients_of(self.of_clients)

    def issue(self, not_after: dt.datetime | None = None) -> None:
        """Put a new certificate and its key in place."""
        issued = self.authority.issue_cert("localhost", not_after=not_after)
        issued.cert_chain_pems[0].write_to_path(str(self.certificate))
        issued.private_key_pem.write_to_path(str(self.key))

    def lose_key(self) -> None:
        """Put the key of another certificate in place."""
        self.authority.issue_cert("localhost").private_key_pem.write_to_path(str(self.key))

    def trust_clients_of(self, authority: trustme.CA) -> None:
        """Put another authority in place."""
        authority.cert_pem.write_to_path(str(self.client_ca))

    def client(self, issuer: trustme.CA | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client that shows a certificate of `issuer`, or none."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if issuer is not None:
            issuer.issue_cert("client.test").configure_cert(context)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def settings(self) -> Section:
        """The settings that name the files."""
        return {"tls_certificate": str(self.certificate), "tls_key": str(self.key)}


class Renewable:
    """A proxy with TLS and the files that it reads again."""

    def __init__(self, rig: Rig, keys: Keys, file: Path) -> None:
        self.rig = rig
        self.keys = keys
        self.file = file

    def reload(self) -> tuple[int, dict[str, Any]]:
        """Have everything read again."""
        status, body = asked(self.rig, "/reload", "POST")
        return status, json.loads(body)

    def shown(self) -> bytes | None:
        """The certificate that a new client is shown."""
        with contextlib.closing(self.rig.proxy.dial(self.keys.client())) as stream:
            assert isinstance(stream.socket, ssl.SSLSocket)
            return stream.socket.getpeercert(binary_form=True)

    def expires_at(self) -> float:
        """When the listener's certificate ends, as the metrics say."""
        found = EXPIRY.search(asked(self.rig, "/metrics")[1])
        assert found
        return float(found[1])


@contextlib.contextmanager
def renewable(folder: Path, loop_name: str, **listen: str) -> Iterator[Renewable]:
    """A proxy on this event loop with these further settings of its listener."""
    keys = Keys(folder)
    wanted: Section = {"event_loop": loop_name, **keys.settings(), **listen}
    with running({"listen": wanted, "admin": {"token": TOKEN}}, folder) as rig:
        yield Renewable(rig, keys, folder / "proxy.toml")


def is_served(rig: Rig, client: Stream) -> bool:
    """Tell whether a request on this connection reaches upstream and is answered."""
    client.send(GET)
    rig.origin.next_request().answer()
    return client.response().body == b"ok"
