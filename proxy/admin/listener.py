"""The listener itself: aiohttp, with what it would answer by itself put into the listener's own form."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs, web

from proxy.admin.access import Access, Asked
from proxy.admin.answers import Failure, dress, failure_of, told
from proxy.admin.endpoints import BODY_MAX_BYTES, Endpoints

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

    from proxy.admin.desk import Desk
    from proxy.settings import Admin

    _Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    _TellBug = Callable[[BaseException], None]

_CLOSING_MAX_S: Final = 2.0
_IDLE_TIMEOUT_S: Final = 75.0
_FIRST_ERROR: Final = 400
_BUG: Final = Failure(500, "this is a bug of the proxy: its log says where")


async def start_admin(admin: Admin, desk: Desk, inherited: socket.socket | None = None) -> tuple[AdminRunner, int]:
    """Listen, at the address or on a socket that listens already; returns the runner, to be cleaned up at the end, and the port.

    Raises OSError where the address cannot be had.
    """
    access = Access(admin)
    application = web.Application(client_max_size=BODY_MAX_BYTES)
    application.add_routes([*Endpoints(desk, access).routes(), *desk.page])
    application.on_response_prepare.append(_dress)
    if close_page := desk.close_page:
        application.on_shutdown.append(lambda _application: close_page())
    runner = AdminRunner(application, access, desk.tell_bug)
    await runner.setup()
    try:
        return runner, await runner.listen({"host": admin.host, "port": admin.port} if inherited is None else {"sock": inherited})
    except OSError:
        await runner.cleanup()
        raise


def _guarded(answering: _Answering, access: Access, tell_bug: _TellBug) -> _Answering:
    """Let through who may ask, and answer in one form what is raised.

    No middleware of aiohttp: that would not see what is raised, nor prevent what is sent, for the sake of an `Expect` field.
    """

    async def guarded(request: web.BaseRequest) -> web.StreamResponse:
        if refusal := access.refusal(_asked(request)):
            return told(refusal)
        try:
            return await answering(request)
        except web.HTTPException as raised:
            if raised.status < _FIRST_ERROR:
                raise
            return told(failure_of(raised))
        except Exception as bug:
            if isinstance(bug, ConnectionError) and _has_left(request):
                raise
            tell_bug(bug)
            if request.writer.output_size:
                raise ConnectionAbortedError from bug  # the head has left: all that can be done is to cut the rest
            return told(_BUG)

    return guarded


def _asked(request: web.BaseRequest) -> Asked:
    authorization = request.headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
    return Asked(request.method, request.path, request.headers.get(hdrs.HOST, ""), authorization)


def _has_left(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _dress(_request: web.Request, response: web.StreamResponse) -> None:
    dress(response)


class _Connection(web.RequestHandler):
    """A connection that answers in our form also what is no request at all: bytes that are no HTTP."""

    __slots__ = ("_tell_bug",)

    def __init__(self, server: web.Server, tell_bug: _TellBug) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_IDLE_TIMEOUT_S,
            access_log=None,  # type: ignore[arg-type]  # as aiohttp itself says that there is none
            auto_decompress=False,
        )
        self._tell_bug = tell_bug

    def log_exception(self, *_args: object, **facts: object) -> None:
        """Tell of what went wrong outside any handler. aiohttp would log it past the proxy's own log, with what the client has sent."""
        bug = facts.get("exc_info")
        self._tell_bug(bug if isinstance(bug, BaseException) else RuntimeError())

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what aiohttp could not make sense of, and close the connection."""
        if request.writer.output_size or _has_left(request):
            raise ConnectionAbortedError from exc  # nobody, or nobody any more, can be answered
        if status < _BUG.status:
            answer = told(Failure(status, "this is no HTTP that can be read"))
        else:
            self._tell_bug(exc or RuntimeError(message))
            answer = told(_BUG)
        answer.force_close()
        return answer


class AdminRunner(web.AppRunner):
    """What aiohttp runs, behind a door and on connections of our own."""

    def __init__(self, application: web.Application, access: Access, tell_bug: _TellBug) -> None:
        super().__init__(application, shutdown_timeout=_CLOSING_MAX_S)
        self._access = access
        self._tell_bug = tell_bug
        self._listening: asyncio.Server | None = None

    async def listen(self, where: Mapping[str, Any]) -> int:
        """Accept connections, after `setup`, at what asyncio's `create_server` calls a host and a port, or a sock; returns the port."""
        server = self.server
        assert server is not None  # noqa: S101 - set up before
        server.request_handler = _guarded(server.request_handler, self._access, self._tell_bug)
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: _Connection(server, self._tell_bug), **where)
        return int(self._listening.sockets[0].getsockname()[1])

    def refuse_new(self) -> None:
        """Take no new connections: whoever shares the socket does."""
        if self._listening is not None:
            self._listening.close()

    async def cleanup(self) -> None:
        """Take no new connections, end what is under way, close the rest."""
        self.refuse_new()
        await super().cleanup()
