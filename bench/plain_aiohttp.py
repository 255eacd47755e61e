"""The yardstick: the reverse proxy that one would write with aiohttp in an afternoon, on uvloop, streaming both ways.

`python plain_aiohttp.py PORT UPSTREAM_URL CA_FILE`. No access log, no limits, no error shape: only the passing on.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import TYPE_CHECKING

import aiohttp
import uvloop
from aiohttp import web

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"}


def end_to_end(fields: CIMultiDictProxy[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields.items() if name.lower() not in HOP_BY_HOP]


async def serve(port: int, upstream_url: str, ca_file: str) -> None:
    connector = aiohttp.TCPConnector(limit=1000, ssl=ssl.create_default_context(cafile=ca_file))
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def forward(request: web.BaseRequest) -> web.StreamResponse:
            body = request.content if request.body_exists else None
            url, fields = upstream_url + request.raw_path, end_to_end(request.headers)
            async with session.request(request.method, url, headers=fields, data=body, allow_redirects=False) as answer:
                response = web.StreamResponse(status=answer.status, headers=end_to_end(answer.headers))
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(forward))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
