"""The one connection to the server, and the line of commands before it.

Commands go in the order in which they were given, as many at a time as have gathered while the last ones were under way: a crowd costs one more
round trip, not a connection each. They run in a task that belongs to nobody, so that a caller who leaves cuts no command in half. What takes
too long, or fails, fails for all who wait: they are told at once, and nothing is repeated here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, NoScriptError, ResponseError

from proxy.ledger.away import AwayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from redis.asyncio.connection import AbstractConnection

    from proxy.ledger.scripts import Command, Script, Word

WAITING_MAX: Final = 20_000
"""So many commands may wait; one more fails."""

_BATCH_MAX: Final = 128
_GRACE_S: Final = 0.002


class _Sent(NamedTuple):
    command: Command
    answer: asyncio.Future[Any]


class Pipe:
    """Sends commands to one server.

    Args:
        url: The server.
        connect_timeout_s: For a connection, with all that belongs to it.
        command_timeout_s: For the answers to one batch of commands.

    Attributes:
        on_away: Told why, once for all commands that fail together, before any of them does.
    """

    def __init__(self, url: str, connect_timeout_s: float, command_timeout_s: float) -> None:
        pool = ConnectionPool.from_url(url, socket_timeout=None, socket_connect_timeout=None, retry=Retry(NoBackoff(), 0), protocol=2)
        self._connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # by redis-py
        self._connect_timeout_s = connect_timeout_s
        self._command_timeout_s = command_timeout_s
        self._waiting: deque[_Sent] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._by_name = True
        self._known: set[Script] = set()
        self.on_away: Callable[[str], None] = lambda _why: None

    def send(self, command: Command) -> asyncio.Future[Any]:
        """Send a command when its turn comes; what is returned tells its answer, or raises AwayError. Nobody needs to wait for it."""
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_looked_at)
        if len(self._waiting) >= WAITING_MAX:
            answer.set_exception(AwayError("too many commands wait"))
            return answer
        self._waiting.append(_Sent(command, answer))
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())
        return answer

    async def close(self) -> None:
        """Return when all that was given has been sent, or has failed; then hang up."""
        while self._worker is not None:
            await asyncio.wait([self._worker])
        await self._connection.disconnect()

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH_MAX, len(self._waiting)))]
                try:
                    answers = await self._exchange([sent.command for sent in batch])
                except Exception as error:  # noqa: BLE001 - whatever a library raises, nobody may be left waiting
                    await self._connection.disconnect(nowait=True)
                    self._fail(batch, _why(error))
                else:
                    for sent, answer in zip(batch, answers, strict=True):
                        _tell(sent.answer, answer)
        finally:
            self._worker = None

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands, tell their answers; scripts that the server does not know by name after all go once more in full."""
        if self._has_ended():
            await self._connection.disconnect(nowait=True)
        if not self._connection.is_connected:
            self._known.clear()
            async with _within(self._connect_timeout_s):
                await self._connection.connect()  # type: ignore[no-untyped-call]  # by redis-py
        async with _within(self._command_timeout_s):
            answers = await self._round_trip(commands)
            unknown = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError | NoPermissionError)]
            if unknown:
                self._known.clear()
                self._by_name = self._by_name and not any(isinstance(answers[i], NoPermissionError) for i in unknown)
                for i, answer in zip(unknown, await self._round_trip([commands[i] for i in unknown]), strict=True):
                    answers[i] = answer
        for answer, command in zip(answers, commands, strict=True):
            if command.script is not None and isinstance(answer, Exception):
                raise answer
        return answers

    def _has_ended(self) -> bool:
        """Tell whether the server has ended the connection while nothing was asked: no command has left by it, so a new one may be made."""
        # redis-py looks at these itself, and offers no other way to ask without sending.
        reader, writer = getattr(self._connection, "_reader", None), getattr(self._connection, "_writer", None)
        return reader is not None and writer is not None and (reader.at_eof() or writer.is_closing())

    async def _round_trip(self, commands: Sequence[Command]) -> list[Any]:
        """In full what the server was not sent on this connection: that teaches it the name, and keeps the order."""
        packed = self._connection.pack_commands([self._words(command) for command in commands])
        await self._connection.send_packed_command(packed, check_health=False)
        return [await self._answer() for _ in commands]

    def _words(self, command: Command) -> tuple[Word, ...]:
        by_name = self._by_name and command.script in self._known
        if command.script is not None:
            self._known.add(command.script)
        return command.words(by_name=by_name)

    async def _answer(self) -> object:
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error

    def _fail(self, batch: list[_Sent], why: str) -> None:
        failed = (*batch, *self._waiting)
        self._waiting.clear()
        self.on_away(why)
        for sent in failed:
            _tell(sent.answer, AwayError(why))


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """A time-out that looks once more at what has come before it strikes: the loop may have been busy all the while."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as scope:
        timer = loop.call_later(seconds, lambda: scope.reschedule(loop.time() + _GRACE_S))
        try:
            yield
        finally:
            timer.cancel()


def _tell(answer: asyncio.Future[Any], told: object) -> None:
    if answer.done():
        return
    if isinstance(told, Exception):
        answer.set_exception(told if isinstance(told, AwayError) else AwayError(_why(told)))
    else:
        answer.set_result(told)


def _looked_at(answer: asyncio.Future[Any]) -> None:
    """An answer that nobody waits for is no mistake."""
    if not answer.cancelled():
        answer.exception()


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "time-out"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
