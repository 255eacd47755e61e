"""Whether a text means what its setting needs: a file, a pair of files, a grant, a secret; addresses, networks and URLs are in `proxy.settings.urls`
and `proxy.settings.networks`.

Every check returns what is wrong, in words that continue `section.key: `, or None.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.settings.networks import networks_mistake
from proxy.settings.urls import api_url_mistake, host_mistake, proxy_url_mistake, redis_url_mistake

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.settings.values import Settings

_KEY_MAX_BYTES: Final = 65_536
_VISIBLE: Final = re.compile(r"[!-~]+")


def file_mistake(name: str) -> str | None:
    """Complain about a file that this process cannot read."""
    try:
        with Path(name).open("rb") as file:
            file.read(1)
    except OSError as failed:
        return f"cannot be read ({failed.strerror})"
    return None


def ca_file_mistake(name: str) -> str | None:
    """Complain about a file without a PEM certificate."""
    if unreadable := file_mistake(name):
        return unreadable
    import ssl  # noqa: PLC0415  costs 5 ms, and most configurations name no file

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=name)
    except ssl.SSLError:
        return "holds no PEM certificate"
    return None


def key_file_mistake(name: str) -> str | None:
    """Complain about a file without enough bytes for a key, blanks and line ends at both ends not counted."""
    if unreadable := file_mistake(name):
        return unreadable
    from proxy.core.identity import KEY_MIN_BYTES  # noqa: PLC0415  most configurations name no file

    with Path(name).open("rb") as file:
        size_bytes = len(file.read(_KEY_MAX_BYTES).strip())
    return f"holds {size_bytes} bytes without the blanks around them" if size_bytes < KEY_MIN_BYTES else None


def new_file_mistake(name: str) -> str | None:
    """Complain about a file that this process could not put in place: it makes one beside it that goes away again."""
    import tempfile  # noqa: PLC0415  most configurations name no file

    path = Path(name)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as failed:
        return f"lies in a directory in which no file can be made ({failed.strerror})"
    try:
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return None
    except OSError as failed:
        return f"cannot be read ({failed.strerror})"


def header_secret_mistake(secret: str) -> str | None:
    """Complain about what a header field cannot carry exactly; nothing of it is repeated."""
    return None if _VISIBLE.fullmatch(secret) else "holds a blank, or what is not ASCII"


def grant_mistake(name: str) -> str | None:
    """Complain about what names no grant in a path: nothing, blanks, and `me`, which is whoever asks."""
    if not name or " " in name:
        return "is empty or holds a blank"
    return "is whoever asks, so no particular grant" if name.lower() == "me" else None


CHECKS: Final[dict[str, Callable[[str], str | None]]] = {
    "host": host_mistake,
    "api_url": api_url_mistake,
    "proxy_url": proxy_url_mistake,
    "redis_url": redis_url_mistake,
    "file": file_mistake,
    "ca_file": ca_file_mistake,
    "key_file": key_file_mistake,
    "new_file": new_file_mistake,
    "header_secret": header_secret_mistake,
    "networks": networks_mistake,
    "grant": grant_mistake,
}


def tls_mistake(certificate: str, key: str) -> tuple[str, str] | None:
    """Complain about half a pair, and about two files that are no pair.

    Returns:
        The key of `listen` that is to be mended and what is wrong, or None.
    """
    if not certificate and not key:
        return None
    if not key:
        return "tls_certificate", "is set without listen.tls_key"
    if not certificate:
        return "tls_key", "is set without listen.tls_certificate"
    import ssl  # noqa: PLC0415  costs 5 ms, and most configurations name no file

    try:
        # Without a password given here, OpenSSL would ask for it on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError):
        return "tls_key", "is not the unencrypted PEM key of listen.tls_certificate"
    return None


def same_address(settings: Settings) -> bool:
    """Tell whether both listeners would bind one address; 0.0.0.0 and `::` are every address."""
    one, other = _bound(settings.listen.host), _bound(settings.admin.host)
    everywhere = {"0.0.0.0", "::"}
    return settings.listen.port == settings.admin.port != 0 and (one == other or bool({one, other} & everywhere))


def _bound(host: str) -> str:
    """Write `host` in one way: `0:0::1` and `::1` are one address, `localhost` is taken as 127.0.0.1."""
    try:
        return ipaddress.ip_address(host).compressed
    except ValueError:
        return "127.0.0.1" if host.lower() == "localhost" else host.lower()
