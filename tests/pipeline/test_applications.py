"""Whose application limits requests share, as settings say it."""

from __future__ import annotations

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import a_way
from proxy.core.identity import fingerprint
from proxy.settings import Settings
from proxy.settings.pacing import Limits

GRANTS = b"/v3/grants"


@fast_forwarded
async def test_credentials_of_one_named_application_share_its_limit_and_others_do_not() -> None:
    named = {fingerprint(b"one"): "billing", fingerprint(b"two"): "billing", fingerprint(b"three"): "support"}
    limits = Limits(application=named, overrides={"v3_grants": {"count": 1, "per_s": 60.0}})
    async with a_way(settings=Settings(limits=limits)) as way:
        asked = ("one", "two", "three", "four", "five")
        heard = [await way.ask(GRANTS, authorization=f"Bearer {token}", patience="0") for token in asked]
        assert [each.status for each in heard] == [200, 429, 200, 200, 429]
