"""Whether a text is an address, or a URL of what its setting needs.

Every check returns what is wrong, in words that continue `section.key: `, or None. URLs are never repeated in them: somebody may have put a
password there.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

_ROOT: Final = re.compile(r"/?")
_DATABASE: Final = re.compile(r"/?|/[0-9]{1,5}")
_DATABASE_OPTION: Final = re.compile(r"(db=[0-9]{1,5})?")
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


def redis_url_mistake(url: str) -> str | None:
    """Complain about what is no URL of a Redis server: over TCP, over TLS, or of a socket on this machine."""
    if url.lower().startswith("unix:"):
        return _socket_mistake(url)
    return _url_mistake(url, schemes=("redis", "rediss"), userinfo=True, path=_DATABASE)


def _socket_mistake(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:  # as below
        return "names no absolute path"
    names_host = bool(parts.netloc.rpartition("@")[2])
    complaints = (
        (" " in url, "holds a blank"),
        (names_host or parts.path in {"", "/"}, "names no absolute path"),
        ("#" in url or not _DATABASE_OPTION.fullmatch(parts.query), "has more after the path than ?db=NUMBER"),
    )
    return next((complaint for applies, complaint in complaints if applies), None)


def _url_mistake(url: str, *, schemes: tuple[str, ...], userinfo: bool, path: re.Pattern[str] = _ROOT) -> str | None:
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
        (not path.fullmatch(parts.path), "has a path" if path is _ROOT else "has a path that is no number of a database"),
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
