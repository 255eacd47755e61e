"""Upstream says that one request of a Gmail mailbox took absurdly much: that mailbox rests for a period at most, and no other one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.case import Ask, asks_and_reads, begin
from faults.hostile_cases import NOW
from faults.stand import Stand, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Section

    from faults.caller import Answer
    from faults.peer import Visit

MAILBOXES = (b"ann", b"bob", b"cat", b"dan", b"eve")
PERIOD_S = 60
HEADROOM = 1.1


@pytest.fixture
def gmail(tmp_path: Path) -> Iterator[Stand]:
    """Mailboxes of one application."""
    known: Section = {mailbox.decode(): "google" for mailbox in MAILBOXES}
    with standing(tmp_path, {"limits": {"application": "single"}, "providers.known": known}) as stand:
        yield stand


def _read(stand: Stand, grant: bytes, usage: bytes = b"5") -> Answer:
    async def answers(visit: Visit) -> None:
        await visit.answer(b"Nylas-Gmail-Quota-Usage: " + usage)

    return stand.run(asks_and_reads(begin(stand, Ask.READ, (answers,), grant=grant, fields=NOW)))


def test_a_usage_that_is_no_number_leaves_the_estimate(gmail: Stand) -> None:
    """A list of 50 takes what a mailbox has for a second."""
    for grant, usage in zip(MAILBOXES, (b"-5", b"NaN", b"1e99", b"5, 5", b""), strict=True):
        assert _read(gmail, grant, usage).status == 200
        assert int(_read(gmail, grant).value(b"retry-after")) <= 2


def test_an_absurd_usage_holds_its_mailbox_for_a_period_at_most(gmail: Stand) -> None:
    assert _read(gmail, b"ann", b"9" * 100).status == 200
    held = _read(gmail, b"ann")
    assert (held.status, held.value(b"x-nylas-proxy-origin")) == (429, b"proxy")
    assert 2 < int(held.value(b"retry-after")) <= PERIOD_S * HEADROOM




@pytest.mark.parametrize("usage", [b"5", b"999999999"])
def test_what_one_mailbox_took_holds_no_other(gmail: Stand, usage: bytes) -> None:
    assert _read(gmail, b"ann", usage).status == 200
    assert _read(gmail, b"bob").status == 200
