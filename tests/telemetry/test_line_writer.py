from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from proxy.telemetry.line_writer import BLOCK_MAX_BYTES, QUEUED_MAX_BLOCKS, LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_all(reader: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(reader, 65536)
    return data


def test_without_a_loop_every_line_is_written_at_once(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    writer.write(b"one\n")
    assert read_all(pipe[0], 4) == b"one\n"
    writer.close()


async def test_on_a_loop_lines_leave_together_and_in_order(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    writer.run_on(asyncio.get_running_loop())
    for number in range(10):
        writer.write(b"%d\n" % number)
    data = await asyncio.to_thread(os.read, pipe[0], 65536)
    assert data == b"".join(b"%d\n" % number for number in range(10))
    writer.close()


def test_closing_writes_what_is_left(pipe: tuple[int, int]) -> None:
    loop = asyncio.new_event_loop()
    writer = LineWriter(pipe[1])
    writer.run_on(loop)
    writer.write(b"last\n")
    writer.close()
    loop.close()
    assert read_all(pipe[0], 5) == b"last\n"


def test_a_reader_that_takes_nothing_never_blocks_and_is_told_what_it_missed(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    line = b"x" * (BLOCK_MAX_BYTES - 1) + b"\n"
    written = QUEUED_MAX_BLOCKS + 20
    for _ in range(written):
        writer.write(line)  # far more than a pipe and the queue hold: returns all the same
    kept = 0
    while kept < QUEUED_MAX_BLOCKS:
        kept += read_all(pipe[0], len(line)).count(b"\n")
    writer.write(b"after\n")
    rest = b""
    while not rest.endswith(b"after\n"):
        rest += os.read(pipe[0], 65536)
    assert b'{"event":"log.lines_dropped","count":' in rest
    writer.close()
