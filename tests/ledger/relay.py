"""A way to a server that breaks where a test wants it to."""

from __future__ import annotations

import asyncio
import contextlib


class Relay:
    """Passes bytes on, both ways.

    Attributes:
        connections: So many were accepted.
        came: Set by each of them.
        refuses: Hang up on everybody who comes.
        loses_questions: Pass nothing on to the server.
        loses_answers: Pass nothing on from the server.
        answers_bytes: Hang up after so many bytes of answers.
    """

    def __init__(self, port: int) -> None:
        self.connections = 0
        self.came = asyncio.Event()
        self.refuses = False
        self.loses_questions = False
        self.loses_answers = False
        self.answers_bytes: int | None = None
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def close(self) -> None:
        self._server.close()
        self.hang_up()
        if self._serving:
            await asyncio.wait(self._serving)
        await self._server.wait_closed()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.came.set()
        if self.refuses:
            writer.close()
            return
        serving = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        pair = {writer, there_writer}
        self._writers |= pair
        ways = [asyncio.ensure_future(self._ask(reader, there_writer)), asyncio.ensure_future(self._answer(there_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for one in pair:
            one.close()
        await asyncio.wait(ways)
        for one in pair:
            with contextlib.suppress(OSError):
                await one.wait_closed()
        self._writers -= pair

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while question := await client.read(65536):
                if not self.loses_questions:
                    server.write(question)

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while answer := await server.read(65536):
                if self.answers_bytes is not None:
                    client.write(answer[: self.answers_bytes])
                    self.answers_bytes -= len(answer)
                    if self.answers_bytes <= 0:
                        return
                elif not self.loses_answers:
                    client.write(answer)
