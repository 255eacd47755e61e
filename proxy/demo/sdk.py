"""The official Python SDK as the demo uses it: what a call returned or raised, as values."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

API_KEY = "nyk_v0_demo"
TIMEOUT_S = 30  # more than the proxy holds a request by itself


@dataclass(frozen=True, slots=True)
class Returned:
    """The call returned; `summary` says what, so that two calls can be compared."""

    summary: str


@dataclass(frozen=True, slots=True)
class OwnError:
    """The call raised the SDK's own error, complete: status, type, text and (but for the OAuth class, which has none) request id."""

    name: str
    status: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class PoorError:
    """The call raised the SDK's own error, but something is missing that an application needs to handle it."""

    name: str
    missing: str


@dataclass(frozen=True, slots=True)
class Crash:
    """The call raised anything else: an application that catches the SDK's errors does not catch this."""

    name: str
    message: str


Outcome = Returned | OwnError | PoorError | Crash


@dataclass(frozen=True, slots=True)
class Application:
    """An application: a client of the SDK, the grant it works for, and the header that tells the simulator how to misbehave."""

    client: Any
    grant: str
    cue: str = ""

    @property
    def overrides(self) -> dict[str, Any]:
        """The SDK's way to send a header with one call."""
        return {"headers": {"X-Simulator": self.cue}} if self.cue else {}

    def observe(self, call: Callable[[Application], str]) -> Outcome:
        """Make a call and tell what the application saw; raises nothing that the SDK raises."""
        errors = importlib.import_module("nylas.models.errors")
        try:
            return Returned(call(self))
        except errors.AbstractNylasApiError as error:
            return _own_error(error, needs_request_id=isinstance(error, errors.NylasApiError))
        except Exception as error:  # noqa: BLE001 - that anything may come out is what the demo shows
            return Crash(type(error).__name__, str(error))


def version() -> str:
    """The version of the installed SDK; raises ModuleNotFoundError where there is none."""
    return str(importlib.import_module("nylas._client_sdk_version").__VERSION__)


def application(base_url: str, grant: str = "") -> Application:
    """Make an application that talks to `base_url`, for a grant, or for the first that is there."""
    client = importlib.import_module("nylas").Client(API_KEY, base_url, timeout=TIMEOUT_S)
    return Application(client, grant or client.grants.list().data[0].id)


def _own_error(error: Any, *, needs_request_id: bool) -> OwnError | PoorError:  # noqa: ANN401 - a class of the SDK, which is imported lazily
    name, kind, message = type(error).__name__, getattr(error, "type", None) or getattr(error, "error", None), error.args[0]
    missing = {
        "an integer status": not isinstance(error.status_code, int),
        "a type": not isinstance(kind, str) or kind in {"", "unknown"},
        "a message": not isinstance(message, str) or not message,
        "a request id": needs_request_id and not error.request_id,
    }
    if any(missing.values()):
        return PoorError(name, ", ".join(what for what, is_missing in missing.items() if is_missing))
    return OwnError(name, error.status_code, str(kind), message)
