from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.simulator.cues import GOOD_BEHAVIOUR, Cues
from proxy.simulator.scenario import ScenarioError, read_scenario
from simulator.rig import GRANT, running

if TYPE_CHECKING:
    from pathlib import Path

SEND = "/v3/grants/g/messages/send"


def written(folder: Path, text: str) -> Path:
    file = folder / "scenario.toml"
    file.write_text(text)
    return file


def test_the_first_rule_that_matches_decides(tmp_path: Path) -> None:
    text = '[[rule]]\nmethod = "POST"\npath = "/v3/grants/*/send"\nstatus = 500\n[[rule]]\npath = "/v3/*"\nstatus = 501\n'
    scenario = read_scenario(written(tmp_path, text))
    assert scenario.cues_for("POST", SEND) == Cues(status=500)
    assert scenario.cues_for("GET", SEND) == Cues(status=501)
    assert scenario.cues_for("GET", "/messages") == GOOD_BEHAVIOUR


def test_a_rule_is_spent_after_its_count(tmp_path: Path) -> None:
    scenario = read_scenario(written(tmp_path, "[[rule]]\ncount = 2\nstatus = 500\n[[rule]]\ncount = 1\nstatus = 501\n"))
    assert [scenario.cues_for("GET", "/").status for _ in range(4)] == [500, 500, 501, None]


def test_values_may_be_written_as_toml_or_as_in_the_header(tmp_path: Path) -> None:
    text = '[[rule]]\nstatus = "502"\nhtml = true\ndelay_s = 0.5\nkeep = false\nchunk_delay_s = 1\n'
    assert read_scenario(written(tmp_path, text)).cues_for("GET", "/") == Cues(status=502, html=True, delay_s=0.5, keep=False, chunk_delay_s=1.0)


def test_a_rule_without_cues_shields_later_ones(tmp_path: Path) -> None:
    scenario = read_scenario(written(tmp_path, "[[rule]]\ncount = 1\n[[rule]]\nstatus = 500\n"))
    assert [scenario.cues_for("GET", "/").status for _ in range(2)] == [None, 500]


def test_a_rule_for_a_share_of_the_requests_throws_dice(tmp_path: Path) -> None:
    def answers(text: str) -> list[int | None]:
        scenario = read_scenario(written(tmp_path, text))
        return [scenario.cues_for("GET", "/").status for _ in range(2_000)]

    twice = "[[rule]]\nshare = 0.05\nstatus = 503\n[[rule]]\nshare = 0.05\nstatus = 504\n"
    first = answers(twice)
    assert all(60 < first.count(status) < 140 for status in (503, 504))
    assert answers(twice) == first
    assert answers(f"seed = 1\n{twice}") != first
    assert answers("[[rule]]\nshare = 1\nstatus = 503\n").count(503) == 2_000


def test_a_count_is_spent_by_the_share_that_was_hit(tmp_path: Path) -> None:
    scenario = read_scenario(written(tmp_path, "[[rule]]\nshare = 0.1\ncount = 3\nstatus = 503\n"))
    assert [scenario.cues_for("GET", "/").status for _ in range(1_000)].count(503) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]]\nstats = 500\n", "rule 1: unknown key 'stats'; allowed are method, path, share, count, corpus,"),
        ("[[rule]]\n[[rule]]\nstatus = 99\n", "rule 2: key 'status': cue 'status' must be a whole number"),
        ("[[rule]]\nstatus = [500]\n", "rule 1: key 'status' must be a plain value"),
        ('[[rule]]\nmethod = "post"\n', "rule 1: key 'method' must be a method in capitals"),
        ("[[rule]]\nmethod = 1\n", "rule 1: key 'method' must be"),
        ('[[rule]]\npath = "messages"\n', "rule 1: key 'path' must be a pattern"),
        ("[[rule]]\ncount = 0\n", "rule 1: key 'count' must be a whole number from 1"),
        ("[[rule]]\ncount = true\n", "rule 1: key 'count' must be"),
        ('[[rule]]\nstatus = 500\ncontent_type = "a\\r\\nb"\n', "rule 1: key 'content_type': cue 'content_type' must be printable"),
        ("[[rule]]\nhtml = true\n", "rule 1: key 'html': cues 'html' and 'body_bytes' need 'status'"),
        ("rules = []\n", "unknown key 'rules'; allowed are [[rule]], [limits], seed"),
        ("[[rule]]\nshare = 0\n", "rule 1: key 'share' must be a number above 0, up to 1"),
        ("[[rule]]\nshare = 1.5\n", "rule 1: key 'share' must be a number above 0"),
        ("[[rule]]\nshare = true\n", "rule 1: key 'share' must be a number above 0"),
        ('seed = "x"\n', "key 'seed' must be a whole number"),
        ("[limits]\nv3_mesages = { count = 1 }\n", "limits: unknown key 'v3_mesages'; allowed are speed,"),
        ("rule = 5\n", "'rule' must be written as [[rule]] tables"),
        ("[[rule]\n", "is not TOML: "),
    ],
)
def test_a_mistake_is_told_with_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ScenarioError) as wrong:
        read_scenario(file)
    assert wrong.value.mistakes[0].startswith(f"{file}: {told}")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as wrong:
        read_scenario(written(tmp_path, "x = 1\n[[rule]]\na = 1\n[[rule]]\nb = 1\n"))
    assert len(wrong.value.mistakes) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    with pytest.raises(ScenarioError, match=r"none\.toml: cannot be read: No such file"):
        read_scenario(file)
    file.write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match=r"none\.toml: is not UTF-8"):
        read_scenario(file)


async def test_a_request_with_cues_of_its_own_ignores_the_scenario(tmp_path: Path) -> None:
    async for nylas in running(written(tmp_path, '[[rule]]\npath = "*/contacts"\ncount = 1\nstatus = 500\n')):
        assert (await nylas.ask("GET", f"{GRANT}/contacts?limit=1", cue="keep=1")).status == 200
        assert [(await nylas.ask("GET", f"{GRANT}/contacts?limit=1")).status for _ in range(2)] == [500, 200]
