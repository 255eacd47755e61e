from __future__ import annotations

import gzip
import random
import zlib

import pytest
from builders import a_reply

from proxy.core.content_coding import DECODED_MAX_BYTES, decoded_body

TEXT = b'{"message": "' + bytes(random.Random(7).choices(b"abcdefghijklmnopqrstuvwxyz", k=60_000)) + b'"}'


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def decoded(body: bytes, coding: bytes) -> bytes | None:
    return decoded_body(a_reply(400, body, ((b"Content-Encoding", coding),)))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(TEXT)),
        (b"GZip", gzip.compress(TEXT)),
        (b"x-gzip", gzip.compress(TEXT)),
        (b"deflate", zlib.compress(TEXT)),
        (b"deflate", raw_deflate(TEXT)),
        (b"identity", TEXT),
        (b"", TEXT),
        (b" , gzip,", gzip.compress(TEXT)),
        (b"gzip, gzip, gzip", gzip.compress(gzip.compress(gzip.compress(TEXT)))),
        (b"deflate, gzip", gzip.compress(zlib.compress(TEXT))),
    ],
)
def test_codings_are_undone_in_reverse_order(coding: bytes, body: bytes) -> None:
    assert decoded(body, coding) == TEXT


def test_codings_over_several_lines_count_as_one_list() -> None:
    fields = ((b"Content-Encoding", b"deflate"), (b"content-encoding", b"gzip"))
    assert decoded_body(a_reply(400, gzip.compress(zlib.compress(TEXT)), fields)) == TEXT


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, br", b"aes128gcm", b"\xff", b"gzip, gzip, gzip, gzip"])
def test_a_coding_that_cannot_be_undone_is_said_to_be_so(coding: bytes) -> None:
    assert decoded(TEXT, coding) is None


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_a_body_that_is_not_in_its_coding_stays_as_it_is(coding: bytes) -> None:
    assert decoded(b"<html>Bad Gateway</html>", coding) == b"<html>Bad Gateway</html>"


def test_a_bomb_is_unpacked_up_to_the_limit() -> None:
    bomb = gzip.compress(bytes(64 * DECODED_MAX_BYTES))
    assert decoded(bomb, b"gzip") == bytes(DECODED_MAX_BYTES)
    assert decoded(gzip.compress(bomb), b"gzip, gzip") == bytes(DECODED_MAX_BYTES)


def test_of_a_body_that_breaks_off_the_beginning_is_read() -> None:
    half = decoded(gzip.compress(TEXT)[:20_000], b"gzip")
    assert half
    assert TEXT.startswith(half)


def test_of_a_body_that_is_damaged_the_beginning_is_read() -> None:
    packed = gzip.compress(TEXT)
    start = decoded(packed[:20_000] + bytes(len(packed) - 20_000), b"gzip")
    assert start
    assert start[:15_000] == TEXT[:15_000]
