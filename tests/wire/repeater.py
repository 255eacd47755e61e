"""The wire's two sides with the simplest thing between them that repeats requests: whatever fails, or is answered 503, goes again."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from proxy.wire.call import Call, CallEnd, CallFailure, Response
from proxy.wire.dial import Dialer
from proxy.wire.dial import Origin as Target
from proxy.wire.framing import NO_BODY
from proxy.wire.head import render_request
from proxy.wire.limits import CallLimits, ServerLimits, UpstreamLimits
from proxy.wire.pool import Pool
from proxy.wire.replay import KeptMemory, Replay
from proxy.wire.server import Server
from wire.origin import Origin
from wire.stream import DEADLINE_S, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.wire.exchange import Exchange

MIB = 1024 * 1024
CALLS_MAX = 8
EXTRA = (b"Idempotency-Key", b"7f8c0d3e-5a11-4c06-9a55-0f2f6ad0b1c7")
NEVER_REUSE = -1.0


class Ended(NamedTuple):
    """A request that is over: how each call ended (a status or a CallEnd), and what was still kept just before it was let go."""

    calls: list[int | CallEnd]
    replayable: bool


class Repeater:
    """A server of the wire in a loop of its own, in a thread of its own.

    Attributes:
        origin: Its upstream.
        hands: For what a client sends while a test reads on the other side.
        memory: What it keeps of bodies.
        peak_bytes: The most that it kept at the end of any call.
        ended: One entry for each request that is over.
        exchange: The newest request.
    """

    def __init__(self, origin: Origin, first_url: str, cap_bytes: int, memory_max_bytes: int) -> None:
        self._urls = [first_url, origin.url] if first_url else [origin.url]
        self.origin = origin
        self.hands = ThreadPoolExecutor(2)
        self._cap_bytes = cap_bytes
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._gate: asyncio.Event
        self._port = 0
        self._started = threading.Event()
        self._clients: list[Stream] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.memory = KeptMemory(memory_max_bytes)
        self.peak_bytes = 0
        self.ended: queue.Queue[Ended] = queue.Queue()
        self.exchange: Exchange | None = None
        self.bugs: list[object] = []

    def dial(self) -> Stream:
        """A new client connection, closed with the repeater."""
        client = Stream(socket.create_connection(("127.0.0.1", self._port), timeout=DEADLINE_S))
        self._clients.append(client)
        return client

    def next_ended(self) -> Ended:
        """How the next request ended; nothing of it may be kept any more."""
        return self.ended.get(timeout=DEADLINE_S)

    def close_gate(self) -> None:
        """Let no further call begin until `open_gate`: they wait as if for admission."""
        self._loop.call_soon_threadsafe(self._gate.clear)

    def open_gate(self) -> None:
        """Let them begin."""
        self._loop.call_soon_threadsafe(self._gate.set)

    def run(self, loop_name: str) -> None:
        """Serve until `stop`."""
        factory = uvloop.new_event_loop if loop_name == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve())

    def wait_started(self) -> None:
        """Return when clients may come."""
        assert self._started.wait(DEADLINE_S)

    def stop(self) -> None:
        """End it, and its clients."""
        for client in self._clients:
            client.close()
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        self._loop, self._stop, self._gate = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._loop.set_exception_handler(lambda _loop, context: self.bugs.append(context))
        self._gate.set()
        self._pools = [Pool(Dialer(Target.of(url), ssl.create_default_context(), "", 5.0), UpstreamLimits()) for url in self._urls]
        server = Server(ServerLimits(linger_s=0.1), self._handle)
        self._port = await server.listen("127.0.0.1", 0, None)
        self._started.set()
        await self._stop.wait()
        for task in self._tasks:
            task.cancel()
        await server.drain(0)
        await server.close()
        for pool in self._pools:
            pool.close()
        while any(pool._open for pool in self._pools):  # noqa: ASYNC110 - a pool tells nobody when its last connection is gone
            await asyncio.sleep(0)

    def _handle(self, exchange: Exchange) -> None:
        self.exchange = exchange
        task = self._loop.create_task(self._answer(exchange))
        exchange.on_gone = lambda: _cancel(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, exchange: Exchange) -> None:
        replay = Replay(exchange.body, self.memory, self._cap_bytes)
        ended = Ended([], replayable=False)
        try:
            outcome = await self._call_until_good(exchange, replay, ended.calls)
        finally:
            ended = ended._replace(replayable=replay.replayable)
            replay.let_go()
            self.ended.put(ended)
        if isinstance(outcome, Response):
            exchange.answer(outcome.head.status, outcome.head.reason, outcome.head.end_to_end(), outcome.head.framing, outcome.body)
        else:
            exchange.answer(502, b"Bad Gateway", [(b"Content-Length", b"0")], NO_BODY, b"")

    async def _call_until_good(self, exchange: Exchange, replay: Replay, calls: list[int | CallEnd]) -> Response | CallFailure:
        while True:
            await self._gate.wait()
            outcome = await self._call(exchange, replay, len(calls))
            self.peak_bytes = max(self.peak_bytes, self.memory.used_bytes)
            calls.append(outcome.head.status if isinstance(outcome, Response) else outcome.end)
            if isinstance(outcome, Response) and outcome.head.status == 503 and replay.replayable:
                await outcome.body.read(1024)
                outcome.abandon()
            elif isinstance(outcome, Response) or not replay.replayable:
                return outcome
            assert len(calls) < CALLS_MAX

    async def _call(self, exchange: Exchange, replay: Replay, earlier: int) -> Response | CallFailure:
        pool = self._pools[min(earlier, len(self._pools) - 1)]
        connection = await pool.acquire("key", NEVER_REUSE)
        if isinstance(connection, CallFailure):
            return connection
        head = exchange.head
        assert head is not None
        rendered = render_request(head, head.target, pool.dialer.origin.authority, b"x-private-", (EXTRA,) if earlier else ())
        call = Call(rendered, head.method, head.framing, replay, CallLimits(), exchange.inform, b"x-private-")
        try:
            return await connection.send(call)
        except asyncio.CancelledError:
            connection.abandon(call)
            raise


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


@contextlib.contextmanager
def repeating(loop_name: str, *, first_url: str = "", cap_bytes: int = 4 * MIB, memory_max_bytes: int = 256 * MIB) -> Iterator[Repeater]:
    """A repeater with an upstream of its own; its first calls go to `first_url`, where there is one."""
    origin = Origin()
    repeater = Repeater(origin, first_url, cap_bytes, memory_max_bytes)
    thread = threading.Thread(target=repeater.run, args=(loop_name,), daemon=True)
    thread.start()
    try:
        repeater.wait_started()
        yield repeater
    finally:
        repeater.stop()
        thread.join(DEADLINE_S)
        repeater.hands.shutdown()
        origin.forget_connections()
        origin.close()
    assert repeater.bugs == []
    assert repeater.memory.used_bytes == 0
