"""When certificates end, from the file of the listener's chain and from what upstream showed. Seconds since 1970."""

from __future__ import annotations

import re
import ssl
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_LONG_LENGTH: Final = 0x80
_LENGTH_MAX_BYTES: Final = 4
_FIELDS_BEFORE_VALIDITY: Final = 3
_LAST_CENTURY_FROM: Final = "50"


def expires_at(pem: bytes) -> float | None:
    """Return when the first certificate of a PEM file ends: one link is enough to break a chain. None where none can be read."""
    return min((ends_at for found in _CERTIFICATE.findall(pem) if (ends_at := _ends_at(found)) is not None), default=None)


def expiry_of_peer(peercert: Mapping[str, object]) -> float | None:
    """Return when a peer's certificate ends; None where it is not told.

    Args:
        peercert: As `ssl.SSLObject.getpeercert()` gives it, empty where nothing was verified.
    """
    try:
        return float(ssl.cert_time_to_seconds(str(peercert.get("notAfter"))))
    except (ValueError, OverflowError):
        return None


def _ends_at(pem: bytes) -> float | None:
    try:
        return _time(*_not_after(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))))
    except (ValueError, OverflowError):
        return None


def _not_after(certificate: bytes) -> tuple[int, bytes]:
    """Walk to the end of the validity, past the version (which may be absent), serial number, signature and issuer (RFC 5280 section 4.1).

    Raises:
        ValueError: It is no certificate.
    """
    rest = _inside(_inside(certificate))
    if rest[:1] == bytes([_VERSION]):
        _, _, rest = _split(rest)
    for _ in range(_FIELDS_BEFORE_VALIDITY):
        _, _, rest = _split(rest)
    _, _, after_not_before = _split(_inside(rest))
    tag, content, _ = _split(after_not_before)
    return tag, content


def _inside(der: bytes) -> bytes:
    tag, content, _ = _split(der)
    if tag != _SEQUENCE:
        raise ValueError("not a sequence")
    return content


def _split(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and the content of the first element (X.690 section 8.1), and what follows it."""
    if len(der) < 2:  # noqa: PLR2004 - a tag and a length
        raise ValueError("nothing is left")
    tag, length, begins_at = der[0], der[1], 2
    if length >= _LONG_LENGTH:
        begins_at += length - _LONG_LENGTH
        if not 2 < begins_at <= 2 + _LENGTH_MAX_BYTES:  # noqa: PLR2004 - indefinite, which DER forbids, or larger than any certificate
            raise ValueError("a length that no certificate has")
        length = int.from_bytes(der[2:begins_at])
    ends_at = begins_at + length
    if ends_at > len(der):
        raise ValueError("it is cut off")
    return tag, der[begins_at:ends_at], der[ends_at:]


def _time(tag: int, content: bytes) -> float:
    """Read a Time (RFC 5280 section 4.1.2.5): in UTC and with seconds; a year of two digits is one from 1950 to 2049."""
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if text < _LAST_CENTURY_FROM else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a time")
    if not re.fullmatch(r"\d{14}Z", text):
        raise ValueError("not a time of a certificate")
    return datetime.strptime(text, "%Y%m%d%H%M%S%z").timestamp()
