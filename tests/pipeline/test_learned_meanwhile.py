"""What an answer teaches counts for those who wait already."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Final

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, Says, a_way, nylas_error
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Patience, Providers

LISTS: Final = b"/v3/grants/ada/messages?limit=50"
PATIENT: Final = Patience(default_s=60.0)


@fast_forwarded
async def test_units_that_an_answer_gives_back_go_to_who_waits_for_them() -> None:
    limits = Limits(overrides={"gmail_user_second": {"per_s": 30.0}})
    settings = Settings(limits=limits, providers=Providers(known={"ada": "google"}), patience=PATIENT)
    async with a_way(Says(fields=((b"Nylas-Gmail-Quota-Usage", b"5"),), takes_s=1.0), settings=settings) as way:
        tasks = [way.start(LISTS), way.start(READ)]
        await asyncio.gather(*tasks)
        assert way.upstream.times_s == [0.0, 1.0]


@fast_forwarded
async def test_whoever_waits_while_a_mailbox_turns_out_to_be_googles_is_counted_in_its_units() -> None:
    exhausted = nylas_error(429, "rate_limit_error", "Resource has been exhausted (e.g. check quota)", takes_s=0.1)
    settings = Settings(limits=Limits(overrides={"v3_messages": {"count": 2}}), patience=PATIENT)
    async with a_way(exhausted, settings=settings) as way:
        await asyncio.gather(*(way.start(LISTS) for _ in range(6)))
        after = way.upstream.times_s[2:]
        assert len(after) == 5
        assert all(later - earlier >= 1.0 for earlier, later in pairwise(after))
