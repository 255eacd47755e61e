"""Whether a text means what its setting needs: an address, a URL, a PEM file, a pair of them.

Every check returns what is wrong, in words that continue `section.key: `, or None. URLs are never repeated in them: somebody may have put a
password there.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.settings.values import Settings

# Labels of letters, digits, hyphens and the underscores that container networks use: https://www.rfc-editor.org/rfc/rfc1123#section-2
_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")


def is_host(host: str) -> bool:
    """Tell whether `host` is an IP address without brackets or a host name in ASCII; `1.2.3` and `300.1.1.1` are neither."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        all_numbers = host.replace(".", "").isdigit()
        return _HOST_NAME.fullmatch(host) is not None and not all_numbers
    return True


def host_mistake(host: str) -> str | None:
    """Complain about what cannot be bound."""
    return None if is_host(host) else "is neither an IP address nor a host name"


def api_url_mistake(url: str) -> str | None:
    """Complain about what is no base URL of an upstream: `http` or `https`, host, port."""
    return _url_mistake(url, schemes=("http", "https"), userinfo=False)


def proxy_url_mistake(url: str) -> str | None:
    """Complain about what is no URL of an HTTP proxy that is spoken to in the clear, perhaps with a user and a password."""
    return _url_mistake(url, schemes=("http",), userinfo=True)


def _url_mistake(url: str, *, schemes: tuple[str, ...], userinfo: bool) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an IPv6 address, which Python looks into from 3.11.4 on
        return "names no valid host"
    complaints = (
        (" " in url or "\\" in url, "holds a blank or a backslash"),
        (parts.scheme not in schemes, f"does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"),
        ("@" in parts.netloc and not userinfo, "holds a user name"),
        (not _names_host(parts), "names no valid host"),
        (not _names_port(parts), "names no valid port"),
        (parts.path not in {"", "/"}, "has a path"),
        ("?" in url or "#" in url, "has a query or a fragment"),
    )
    return next((complaint for applies, complaint in complaints if applies), None)


def _names_host(parts: SplitResult) -> bool:
    """Tell whether a URL's host is one; an IPv6 address stands in brackets, and nothing else does (RFC 3986 section 3.2.2)."""
    host = parts.hostname or ""
    in_brackets = "[" in parts.netloc
    return is_host(host) and in_brackets == (":" in host)


def _names_port(parts: SplitResult) -> bool:
    """Tell whether a URL has no port or one that can be connected to; `http://host:` is a slip."""
    try:
        return parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        return False


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


CHECKS: Final[dict[str, Callable[[str], str | None]]] = {
    "host": host_mistake,
    "api_url": api_url_mistake,
    "proxy_url": proxy_url_mistake,
    "file": file_mistake,
    "ca_file": ca_file_mistake,
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
