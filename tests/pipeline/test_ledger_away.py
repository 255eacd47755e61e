"""What a caller is told while the shared ledger is away and nobody may count without it."""

from __future__ import annotations

from unittest.mock import patch

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, a_way
from proxy.ledger import LedgerAwayError


@fast_forwarded
async def test_a_shared_ledger_that_is_away_has_a_cause_of_its_own() -> None:
    async with a_way() as way:
        with patch.object(way.admission._ledger, "admit", side_effect=LedgerAwayError):
            heard = await way.ask(READ)
        assert (heard.status, heard.proxy["cause"], heard.field(b"retry-after"), way.upstream.attempts) == (503, "ledger_away", b"1", [])
