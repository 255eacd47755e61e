"""Upstream's queue of connections is full, so that connecting takes for ever: the one phase that needs another listener than a relay's."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from faults.case import Ask, answers, asks_and_reads, begin
from faults.stand import SHORT_S, Stand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITING = 4


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Stand]:
    """A proxy whose upstream lets nobody in: what waits to be accepted fills its queue."""
    stand = Stand()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(WAITING)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        try:
            stand.start({"upstream": {"v3_url": f"http://127.0.0.1:{full.getsockname()[1]}", "connect_timeout_s": SHORT_S}}, tmp_path)
            yield stand
        finally:
            stand.close()
            for sock in waiting:
                sock.close()


@pytest.mark.parametrize("ask", [Ask.READ, Ask.CHANGE])
def test_an_upstream_that_lets_nobody_in_is_told_in_time_and_nothing_was_sent(deaf: Stand, ask: Ask) -> None:
    answer = deaf.run(asks_and_reads(begin(deaf, ask, (answers,))))
    assert (answer.status, answer.cause, answer.value(b"x-nylas-proxy-attempts")) == (502, "upstream_unreachable", b"2")
    deaf.note_base_line()
    deaf.settle()
