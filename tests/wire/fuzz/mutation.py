"""How a valid message is made worse: byte by byte, line by line, and by lies about where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_TELLING_BYTES = (*(bytes([byte]) for byte in b'\x00\r\n\t :;,\x0b\x7f\x80\xff#%"0-'), b"\r\n", b"\n\n")
_LIES = (
    b"Content-Length: 0",
    b"Content-Length: 7",
    b"Content-Length: 99",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length: 18446744073709551616",
    b"Content-Length : 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding:",
    b" folded",
    b"\tfolded",
    b"Host: b",
    b"Host: b c",
    b"Connection: close",
    b"Connection: content-length, transfer-encoding, host",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Expect: 100-continue",
    b"Keep-Alive: timeout=1",
    b"Proxy-Connection: keep-alive",
    b"TE: trailers",
    b"X-Nylas-Proxy-Errors: raw",
    b"X A: 1",
    b": 1",
    b"X-A",
    b"X-A: \xe9\x80",
    b"",
    b"0",
    b"5",
    b"ffffffffffffffff",
    b"1;a=b",
    b"GET /v3/other HTTP/1.1",
    b"GET http://other.example/v3/x HTTP/1.1",
    b"GET /v3/x HTTP/1.0",
    b"GET /v3/x",
    b"CONNECT a:1 HTTP/1.1",
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 101 Switching Protocols",
    b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.0 200 OK",
)


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """The same bytes after one to four mutations."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        raw = rng.choice(_MUTATIONS)(raw, rng)
    return raw


def cut(raw: bytes, rng: random.Random) -> tuple[bytes, ...]:
    """The same bytes in random packets: mostly a few, at times one for every byte."""
    if len(raw) < 300 and rng.random() < 0.04:
        return tuple(bytes([byte]) for byte in raw)
    places = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.choice((0, 0, 1, 2, 4, 8))))
    return tuple(piece for start, end in zip([0, *places], [*places, len(raw)], strict=True) if (piece := raw[start:end]))


def _place(raw: bytes, rng: random.Random) -> int:
    return rng.randrange(len(raw) + 1)


def _flip(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(raw)) if raw else 0
    return raw[:at] + bytes([raw[at] ^ (1 << rng.randrange(8))]) + raw[at + 1 :] if raw else raw


def _overwrite(raw: bytes, rng: random.Random) -> bytes:
    at = _place(raw, rng)
    return raw[:at] + rng.choice(_TELLING_BYTES) + raw[at + 1 :]


def _insert(raw: bytes, rng: random.Random) -> bytes:
    at = _place(raw, rng)
    return raw[:at] + rng.choice(_TELLING_BYTES) * rng.choice((1, 1, 1, 2, 40)) + raw[at:]


def _delete(raw: bytes, rng: random.Random) -> bytes:
    at = _place(raw, rng)
    return raw[:at] + raw[at + rng.randint(1, 8) :]


def _truncate(raw: bytes, rng: random.Random) -> bytes:
    return raw[: _place(raw, rng)]


def _repeat_slice(raw: bytes, rng: random.Random) -> bytes:
    at = _place(raw, rng)
    piece = raw[at : at + rng.randint(1, 30)]
    return raw[:at] + piece * rng.choice((2, 3, 50, 2000)) + raw[at:]


def _of_lines(change: Callable[[list[bytes], random.Random], None]) -> Callable[[bytes, random.Random], bytes]:
    def changed(raw: bytes, rng: random.Random) -> bytes:
        lines = raw.split(b"\r\n")
        change(lines, rng)
        return b"\r\n".join(lines)

    return changed


def _lie(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(_LIES))


def _duplicate(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


def _drop(lines: list[bytes], rng: random.Random) -> None:
    del lines[rng.randrange(len(lines))]


def _replace(lines: list[bytes], rng: random.Random) -> None:
    lines[rng.randrange(len(lines))] = rng.choice(_LIES)


def _swap(lines: list[bytes], rng: random.Random) -> None:
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _change_a_number(raw: bytes, rng: random.Random) -> bytes:
    digits = [at for at, byte in enumerate(raw) if byte in b"0123456789abcdef"]
    if not digits:
        return raw
    at = rng.choice(digits)
    return raw[:at] + b"%x" % rng.randrange(16) + raw[at + 1 :]


def _break_a_line_end(raw: bytes, rng: random.Random) -> bytes:
    ends = [at for at in range(len(raw) - 1) if raw[at : at + 2] == b"\r\n"]
    if not ends:
        return raw
    at = rng.choice(ends)
    return raw[:at] + rng.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"", b" \r\n", b"\r\n ")) + raw[at + 2 :]


_MUTATIONS = (
    _flip,
    _overwrite,
    _insert,
    _delete,
    _truncate,
    _repeat_slice,
    _of_lines(_lie),
    _of_lines(_lie),
    _of_lines(_duplicate),
    _of_lines(_drop),
    _of_lines(_replace),
    _of_lines(_swap),
    _change_a_number,
    _break_a_line_end,
)
