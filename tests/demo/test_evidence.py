from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.demo import scenes
from proxy.demo.evidence import Burst, Evidence, Reports, Sent, Throttled, is_as_wanted, read_burst, read_sent, read_throttled

BURST = Burst(calls=600, served=600, refused=0, span_s=2.1, best_s=2.0)
THROTTLED = Throttled(length_s=4.0, closed_s=4.0000001, knocks=0, again_after_s=5.1, others=16, others_served=16)
SENT = Sent(mails=40, dropped=5, cut=5, arrived=40, duplicates=0)


def arrival(grant: str, status: int, arrived_s: float = 0.0, outcome: str = "answered") -> dict[str, Any]:
    return {"target": f"/v3/grants/{grant}/messages?limit=1", "status": status, "arrived_s": arrived_s, "outcome": outcome}


def reports(*arrivals: dict[str, Any], windows: tuple[dict[str, Any], ...] = (), deliveries: dict[str, Any] | None = None) -> Reports:
    return Reports(arrivals, windows, deliveries or {"messages": [], "duplicates": 0})


def window(subject: str, *, closes_s: float = 104.0, early: int = 0, unaware: int = 0) -> dict[str, Any]:
    return {"subject": subject, "opened_s": 100.0, "closes_s": closes_s, "length_s": 4.0, "early": early, "unaware": unaware}


@pytest.mark.parametrize("evidence", [BURST, THROTTLED, SENT])
def test_what_should_be_is_as_wanted(evidence: Evidence) -> None:
    assert is_as_wanted(evidence)


@pytest.mark.parametrize(
    "evidence",
    [
        replace(BURST, served=599),
        replace(BURST, refused=1),
        replace(THROTTLED, knocks=1),
        replace(THROTTLED, closed_s=4.1),
        replace(THROTTLED, closed_s=0.0, length_s=0.0),
        replace(THROTTLED, again_after_s=None),
        replace(THROTTLED, others_served=15),
        replace(THROTTLED, others=3, others_served=3),
        replace(SENT, arrived=39),
        replace(SENT, duplicates=1),
        replace(SENT, cut=4),
    ],
    ids=repr,
)
def test_anything_else_is_not(evidence: Evidence) -> None:
    assert not is_as_wanted(evidence)


def test_a_burst_is_read_from_the_arrivals_of_its_own_mailbox() -> None:
    seen = reports(arrival("other", 200, 1.0), arrival("a", 200, 5.0), arrival("a", 429, 5.5), arrival("a", 200, 6.5), arrival("ab", 200, 9.0))

    assert read_burst(seen, "a", calls=3, best_s=1.0) == Burst(calls=3, served=2, refused=1, span_s=1.5, best_s=1.0)


def test_a_window_is_read_with_all_requests_that_came_inside_whether_they_could_know_or_not() -> None:
    seen = reports(
        arrival("b", 200, 99.9),
        arrival("a", 429, 100.0),
        arrival("b", 200, 101.0),
        arrival("b", 429, 103.9),
        arrival("b", 200, 104.0),
        arrival("a", 200, 105.5),
        arrival("a", 200, 106.0),
        windows=(window("b", early=100), window("a", closes_s=105.0, early=2, unaware=1)),
    )

    assert read_throttled(seen, "a", "b") == Throttled(length_s=4.0, closed_s=5.0, knocks=3, again_after_s=5.5, others=2, others_served=1)


def test_what_was_served_before_a_window_does_not_count_as_its_end() -> None:
    seen = reports(arrival("a", 200, 99.0), arrival("a", 429, 100.0), windows=(window("a"),))

    assert read_throttled(seen, "a", "b").again_after_s is None


def test_mails_are_read_from_the_deliveries_and_broken_connections_from_the_arrivals() -> None:
    seen = reports(arrival("a", 200, outcome="cut"), arrival("a", 200), deliveries={"messages": [{}, {}, {}], "duplicates": 2})

    assert read_sent(seen, mails=4, dropped=1) == Sent(mails=4, dropped=1, cut=1, arrived=3, duplicates=2)


@pytest.mark.parametrize("read", [scene.read for scene in scenes.SCENES], ids=[scene.name for scene in scenes.SCENES])
def test_a_scene_in_which_nothing_happened_is_not_as_wanted(read: Any) -> None:
    assert not is_as_wanted(read(reports()))


@pytest.mark.parametrize(
    ("evidence", "summary"),
    [
        (BURST, "all were served in 1.05 times the best"),
        (replace(BURST, served=212, refused=388), "388 of 600 calls were refused"),
        (replace(BURST, served=599), "599 of 600 calls were served"),
        (THROTTLED, "nobody knocked: open after 4.0 s"),
        (replace(THROTTLED, knocks=25, closed_s=10.34), "25 knocks kept the mailbox closed for 10.3 s"),
        (replace(THROTTLED, again_after_s=None), "nobody knocked, but no call was served again"),
        (SENT, "all 40 arrived, each once"),
        (replace(SENT, duplicates=5), "40 mails arrived with 5 second copies"),
        (replace(SENT, arrived=39), "39 of 40 mails arrived"),
    ],
)
def test_a_summary_says_the_worst_that_happened(evidence: Evidence, summary: str) -> None:
    assert evidence.summary == summary


def test_a_mailbox_that_never_answered_again_while_it_was_called_says_so() -> None:
    told = {fact.name: fact.text for fact in replace(THROTTLED, knocks=25, closed_s=10.3, again_after_s=None).facts}

    assert told["usable again after"] == "10.3 s, once the calls had stopped"
    assert told["next call served after"] == "not while it was being called"


def test_the_best_possible_time_stands_beside_that_of_a_burst_that_was_served_whole() -> None:
    assert BURST.facts[-1].text == "2.10 s (best possible: 2.00 s)"
    assert replace(BURST, served=200, span_s=0.1).facts[-1].text == "0.10 s"
