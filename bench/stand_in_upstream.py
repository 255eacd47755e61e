"""The upstream where there is no nginx: the same answers from a protocol on uvloop, some 15 µs a request.

`python stand_in_upstream.py PORT TLS_PORT CERTIFICATE_FILE LARGE_FILE`. It believes its callers: no checks, bodies by Content-Length only.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import cast

import uvloop
from workload import LARGE, SMALL, SMALL_ANSWER, UPLOAD, UPLOAD_ANSWER

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: 5fa64c92e840435786b92aa364d35b88\r\nContent-Length: {}\r\n\r\n"


def answer(body: bytes) -> bytes:
    return HEAD.format(len(body)).encode() + body


class Answerer(asyncio.Protocol):
    """One connection: waits for a head, then for as many bytes as its Content-Length says, then answers."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self.head = b""
        self.missing_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, piece: bytes) -> None:
        """Count what comes, and answer when the request is complete."""
        if self.missing_bytes:
            self.missing_bytes -= len(piece)
        else:
            self.head += piece
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            _, named, value = self.head[:end].lower().partition(b"\r\ncontent-length:")
            self.missing_bytes = int(value.split(b"\r\n")[0]) - (len(self.head) - end - 4) if named else 0
        if not self.missing_bytes:
            self.transport.write(self.answers[self.head.split(b" ", 2)[1]])
            self.head = b""


async def serve(port: int, tls_port: int, certificate: str, large: bytes) -> None:
    answers = {SMALL.path.encode(): answer(SMALL_ANSWER.encode()), LARGE.path.encode(): answer(large)}
    answers[UPLOAD.path.encode()] = answer(UPLOAD_ANSWER.encode())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Answerer(answers), "127.0.0.1", port)
    await loop.create_server(lambda: Answerer(answers), "127.0.0.1", tls_port, ssl=context)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]).read_bytes()))
