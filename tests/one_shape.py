"""What every error of the proxy promises, whoever made it: one check for all suites that hold the parsed answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from proxy.core.model import Cause, Origin

if TYPE_CHECKING:
    from proxy.core.model import ErrorAnswer

PROXY_KEYS = ["origin", "cause", "scope", "retryable", "retry_after_s", "retry_at", "attempts", "meaning", "solution"]


def assert_one_shape(answer: ErrorAnswer, *, oauth: bool) -> None:
    said = json.loads(answer.body)
    assert isinstance(said["request_id"], str)
    assert said["request_id"]
    assert isinstance(said["type"], str)
    assert isinstance(said["message"], str)
    (_assert_oauth if oauth else _assert_standard)(said)
    _assert_proxy_object(said["proxy"])
    _assert_fields(answer, said["proxy"])


def _assert_standard(said: dict[str, Any]) -> None:
    error = said["error"]
    assert isinstance(error["type"], str)
    assert isinstance(error["message"], str)
    assert error.get("provider_error") is None or isinstance(error["provider_error"], dict)
    validation = error.get("validation_errors") or {}
    assert all(isinstance(text, str) for text in validation.values())
    assert not {"statusCode", "requestId", "headers"} & {name for name, value in error.items() if value is not None}


def _assert_oauth(said: dict[str, Any]) -> None:
    assert isinstance(said["error"], str)
    assert type(said["error_code"]) is int
    assert isinstance(said["error_description"], str)
    assert isinstance(said["error_uri"], str)


def _assert_proxy_object(told: dict[str, Any]) -> None:
    assert list(told) == PROXY_KEYS
    assert Origin(told["origin"])
    assert Cause(told["cause"])
    assert told["scope"] in {None, "application", "grant"}
    assert isinstance(told["retryable"], bool)
    assert (told["retry_after_s"] is None) is (told["retry_at"] is None)
    assert told["meaning"]
    assert told["solution"]


def _assert_fields(answer: ErrorAnswer, told: dict[str, Any]) -> None:
    names = [name.lower() for name, _ in answer.fields]
    values = dict(zip(names, [value for _, value in answer.fields], strict=True))
    for name in (b"content-type", b"content-length", b"x-nylas-proxy-origin", b"x-nylas-proxy-cause", b"x-nylas-proxy-attempts"):
        assert names.count(name) == 1
    assert values[b"content-type"] == b"application/json"
    assert values[b"content-length"] == b"%d" % len(answer.body)
    assert values[b"x-request-id"]
    assert values[b"x-nylas-proxy-cause"] == told["cause"].encode()
    assert values[b"x-nylas-proxy-origin"] == told["origin"].encode()
    assert values.get(b"retry-after") == (None if told["retry_after_s"] is None else b"%d" % told["retry_after_s"])
    assert told["retry_after_s"] is None or told["retry_after_s"] >= 1
    assert not {b"content-encoding", b"transfer-encoding", b"etag"} & set(names)
    assert not any(byte in name + value for name, value in answer.fields for byte in b"\r\n\0")
