from __future__ import annotations

import json
from typing import Any

import pytest
from builders import the_catalogue

from proxy.cli import main


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["routes", "--json", *words]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_all_routes_are_listed_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "API"
    assert len(lines) == len(the_catalogue().routes)
    send = next(line for line in lines if " /v3/grants/{}/messages/send " in line)
    assert [column.strip() for column in send.split("  ") if column.strip()] == [
        "v3", "POST", "/v3/grants/{}/messages/send", "messages.send", "send", "POST sends a mail", "idempotency key",
    ]  # fmt: skip


def test_a_route_is_an_object_for_tools(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "event", "v3", "/v3/grants/{}/events/{}", "PUT") == [
        {
            "name": "event",
            "api": "v3",
            "methods": ["GET", "PUT", "DELETE"],
            "template": "/v3/grants/{}/events/{}",
            "family": "calendar",
            "unsafe": {"PUT": "notifies the participants", "DELETE": "notifies the participants"},
            "idempotency_key": False,
            "long_lived": False,
            "oauth": False,
            "hosted_auth": False,
            "secret_query": [],
        }
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["/v3/grants/me/messages/AAMk%2Fb%3D%3D"], ["message"]),
        (["/v3/grants/leyla@example.com/messages/send"], ["messages.send"]),
        (["/delta/longpoll"], ["delta.longpoll"]),
        (["SMART-compose", "long-lived"], ["messages.smart_compose", "message.smart_compose"]),
        (["https://api.us.nylas.com/v3/grants/x/messages/abc?limit=1"], ["message"]),
        (["v3", "send"], ["messages.send", "draft.send"]),
        (["secrets", "id_token"], ["connect.tokeninfo"]),
    ],
)
def test_words_and_paths_narrow_the_list(capsys: pytest.CaptureFixture[str], words: list[str], names: list[str]) -> None:
    assert [row["name"] for row in rows(capsys, *words)] == names


def test_what_fits_nothing_is_said_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "weather"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "no route fits 'weather'" in err
    assert main(["routes", "PATCH", "/v3/grants/me/messages/abc"]) == 1
    assert "; /v3/grants/me/messages/abc takes GET, PUT, DELETE\n" in capsys.readouterr().err
    assert main(["routes", "--json", "weather"]) == 1
    assert json.loads(capsys.readouterr().out) == []
