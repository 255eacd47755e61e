"""Undoes content codings (RFC 9110 8.4.1) of error bodies, within bounds: a small body may unpack to gigabytes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from proxy.core.fields import elements

if TYPE_CHECKING:
    from proxy.core.model import Reply

DECODED_MAX_BYTES: Final = 1024 * 1024
CODINGS_MAX: Final = 3
"""More codings on top of each other than anyone applies to an error."""

_STEP_BYTES: Final = 4096
_GZIP_WINDOW: Final = 31
_ZLIB_WINDOW: Final = 15
_RAW_WINDOW: Final = -15


def decoded_body(reply: Reply) -> bytes | None:
    """Return the body without its content codings: its beginning where it is damaged, cut, or over `DECODED_MAX_BYTES`.

    None for a coding that the standard library cannot read (br, zstd, unknown): the client asked for it and can read it.
    A body that is labelled gzip or deflate but is none is returned as it is. Of several gzip members the first is read.
    """
    codings = [coding for coding in elements(reply.fields, b"content-encoding") if coding != "identity"]
    if len(codings) > CODINGS_MAX or not all(coding in _WINDOWS for coding in codings):
        return None
    body = reply.body
    for coding in reversed(codings):
        attempts = (_inflated(body, window) for window in _WINDOWS[coding])
        body = next((unpacked for unpacked in attempts if unpacked), body)
    return body


def _inflated(body: bytes, window: int) -> bytes:
    """Return what could be unpacked, at most `DECODED_MAX_BYTES`."""
    unpacker = zlib.decompressobj(window)
    unpacked = bytearray()
    # In steps, since an error at the end would otherwise take with it all that was readable before.
    for start in range(0, len(body), _STEP_BYTES):
        try:
            unpacked += unpacker.decompress(body[start : start + _STEP_BYTES], DECODED_MAX_BYTES - len(unpacked))
        except zlib.error:
            break
        if unpacker.eof or len(unpacked) == DECODED_MAX_BYTES:
            break
    return bytes(unpacked)


# Deflate means zlib (RFC 9110 8.4.1.2), but some senders leave its wrapper out.
_WINDOWS: Final = {"gzip": (_GZIP_WINDOW,), "x-gzip": (_GZIP_WINDOW,), "deflate": (_ZLIB_WINDOW, _RAW_WINDOW)}
