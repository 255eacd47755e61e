"""TLS before a plain server, reached only after a wait, as from another continent: `python slow_tls.py PORT CONNECT_S CERTIFICATE`.

A connection is accepted at once; its handshake goes on after CONNECT_S, one at a time: a hundred that want to go on at the same moment would
otherwise keep the requests waiting whose connections are made, by more than limits allow for the way. It prints the port that it listens on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys


async def main(port: int, connect_s: float, certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop, one_at_a_time = asyncio.get_running_loop(), asyncio.Lock()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        print(f"relay listening on {listener.getsockname()[1]}", flush=True)
        relayed: set[asyncio.Task[None]] = set()
        while True:
            accepted, _ = await loop.sock_accept(listener)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            relayed.add(task := asyncio.create_task(_relay(accepted, context, port, connect_s, one_at_a_time)))
            task.add_done_callback(relayed.discard)


async def _relay(accepted: socket.socket, context: ssl.SSLContext, port: int, connect_s: float, turn: asyncio.Lock) -> None:
    await asyncio.sleep(connect_s)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with contextlib.suppress(OSError):
        async with turn:
            transport, protocol = await loop.connect_accepted_socket(lambda: asyncio.StreamReaderProtocol(reader), accepted, ssl=context)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        answers, requests = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, requests), _pass_on(answers, writer))


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    finally:
        target.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
