"""Every recorded response gets the class that it is labelled with."""

from __future__ import annotations

from typing import Any

import pytest
from builders import classified

from proxy.core.model import Cause
from recorded.corpus import ENTRIES, PROVIDER_PAYLOADS, context_of, reply_of


def test_the_corpus_is_complete() -> None:
    assert len(ENTRIES) >= 160
    assert len(PROVIDER_PAYLOADS) >= 9


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["id"] for entry in ENTRIES])
def test_a_recorded_response_gets_its_labelled_cause(entry: dict[str, Any]) -> None:
    assert classified(reply_of(entry), context_of(entry)).cause == Cause(entry["cause"])
