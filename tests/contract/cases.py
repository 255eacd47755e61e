"""What the drivers are asked to do: calls that succeed, every recorded response, faults of the transport."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESPONSES = ROOT / "proxy" / "simulator" / "responses.json"

Sdk = str
"""`v6` or `v5`: the drivers' names, and the API generation's SDK."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call of an SDK.

    Attributes:
        name: Unique, and fit for a URL path.
        call: The driver's name of the call.
        headers: Extra header fields that the SDK sends: the simulator's cues.
        target: Which base URL the proxied way takes: `main`, or the name of a proxy with other settings.
    """

    name: str
    call: str
    headers: dict[str, str] = field(default_factory=dict)
    target: str = "main"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One response of the corpus: its id, API generation, status, and the request that it answered where that is known."""

    id: str
    api: str
    status: int
    request: str
    path: str

    @property
    def is_error(self) -> bool:
        return self.status >= 400


def _recorded(entry: dict[str, Any]) -> Recorded:
    path = entry["path"] or ""
    return Recorded(entry["id"], entry["api_version"], entry["status"], f"{entry['method'] or ''} {path}".strip(), path)


RECORDED = tuple(_recorded(entry) for entry in json.loads(RESPONSES.read_text())["responses"])
RECORDED_ERRORS = tuple(recorded for recorded in RECORDED if recorded.is_error)
RECORDED_SUCCESSES = tuple(recorded for recorded in RECORDED if not recorded.is_error)

SUCCEEDING: dict[Sdk, tuple[str, ...]] = {
    "v6": (
        *(f"messages.{call}" for call in ("list", "list.filtered", "list.second_page", "find", "find.headers", "find.missing", "update", "destroy")),
        *(f"messages.{call}" for call in ("send", "send.small_attachment", "send.large_attachment", "send_raw_mime", "clean", "schedules")),
        "smart_compose",
        "smart_compose.reply",
        *(f"drafts.{call}" for call in ("list", "create", "find", "update", "send", "destroy")),
        *(f"threads.{call}" for call in ("list", "find", "update")),
        *(f"attachments.{call}" for call in ("find", "download", "download_bytes", "download.large")),
        *(f"events.{call}" for call in ("list", "find", "update", "destroy", "send_rsvp")),
        *(f"calendars.{call}" for call in ("list", "find", "create", "update", "destroy", "availability", "free_busy")),
        *(f"contacts.{call}" for call in ("list", "find", "create", "update", "destroy")),
        *(f"folders.{call}" for call in ("list", "find", "create", "update", "destroy")),
        *(f"grants.{call}" for call in ("list", "find", "update")),
        *(f"auth.{call}" for call in ("exchange", "refresh", "custom", "token_info", "revoke", "detect_provider")),
        "applications.info",
        "webhooks.list",
    ),
    "v5": (
        "account",
        *(f"messages.{call}" for call in ("first", "all", "where", "search", "get", "get.missing", "star", "raw", "delete")),
        *(f"threads.{call}" for call in ("all", "get", "mark_as_read")),
        *(f"drafts.{call}" for call in ("all", "save", "update", "delete", "send", "send.saved", "send.file", "send_raw")),
        *(f"files.{call}" for call in ("upload", "upload.large", "download", "all")),
        *(f"events.{call}" for call in ("all", "where", "save", "save.notify", "update", "delete")),
        *(f"calendars.{call}" for call in ("all", "save", "free_busy", "availability")),
        *(f"contacts.{call}" for call in ("all", "save", "update", "delete")),
        *(f"folders.{call}" for call in ("all", "save")),
        "labels.all",
        *(f"deltas.{call}" for call in ("latest_cursor", "since", "stream", "longpoll")),
        "oauth.token",
        "application",
        "application.accounts",
    ),
}

# The call that sends the request which a recorded response answered; where the corpus names none, or the SDK has none, a list.
CALL_OF_REQUEST: dict[Sdk, dict[str, str]] = {
    "v6": {
        "": "messages.list",
        "/v3/connect/token": "auth.exchange",
        "/connect/token": "auth.exchange",
        "POST /v3/connect/token": "auth.exchange",
        "POST /oauth/token": "auth.exchange",
        "POST /v3/connect/custom": "auth.custom",
        "POST /send": "messages.send",
        "POST /v3/grants/{grant_id}/messages/send": "messages.send",
        "POST /v3/grants/{grant_id}/messages/smart-compose": "smart_compose",
        "POST /v3/grants/{grant_id}/drafts": "drafts.create",
        "POST /v3/grants/{grant_id}/calendars/free-busy": "calendars.free_busy",
        "POST /v3/grants/{grant_id}/attachment-uploads": "attachments.upload_session",
        "POST /v3/grants/{grant_id}/attachment-uploads/{attachment_id}/complete": "attachments.complete_session",
        "DELETE /v3/grants/{grant_id}/notetakers/{notetaker_id}/cancel": "notetakers.cancel",
        "GET /v3/applications": "applications.info",
        "PATCH /v3/applications": "applications.update",
        "GET /v3/applications/redirect-uris": "redirect_uris.list",
        "POST /v3/webhooks": "webhooks.create",
        "PUT /v3/webhooks/{id}": "webhooks.update",
    },
    "v5": {
        "": "messages.first",
        "POST /send": "drafts.send",
        "POST /v3/grants/{grant_id}/messages/send": "drafts.send",
        "POST /oauth/token": "oauth.token",
        "POST /v3/connect/token": "oauth.token",
        "GET /contacts/{id}/picture": "contacts.picture",
        "GET /messages/{id} (Accept: message/rfc822)": "messages.raw.known",
    },
}


def replayed(sdk: Sdk, recorded: Recorded) -> Case:
    """The call of `sdk` that gets this recorded response."""
    calls = CALL_OF_REQUEST[sdk]
    return Case(f"replayed.{recorded.id}", calls.get(recorded.request, calls[""]), cue(f"corpus={recorded.id}"))


def on_oauth_path(recorded: Recorded) -> Case:
    """The token exchange of SDK 6, answered with this recorded response."""
    return Case(f"oauth.{recorded.id}", "auth.exchange", cue(f"corpus={recorded.id}"))


def cue(words: str) -> dict[str, str]:
    """The header field that tells the simulator how to misbehave."""
    return {"X-Simulator": words}


CUES_OF_SUCCESS = {"deltas.stream": cue("heartbeat_s=0.01; heartbeats=3")}  # else the stream has no end

# SDK 6 cannot send a header with a download: these attachments misbehave by their ids.
SCENARIO = """
[[rule]]
path = "*/attachments/throttled/download"
corpus = "obs-429-ms-attachment"

[[rule]]
path = "*/attachments/page/download"
status = 502
html = true

[[rule]]
path = "*/attachments/size-1000001/download"
break = "mid_body"
"""
DOWNLOADS = (
    Case("download.throttled", "attachments.download.throttled"),
    Case("download.page", "attachments.download.page"),
    Case("download.broken", "attachments.download.broken"),
    Case("download.broken.bytes", "attachments.download_bytes.broken"),
)

HOSTED_AUTH = {"v6": Case("hosted_auth", "auth.url"), "v5": Case("hosted_auth", "oauth.url")}
READ = {"v6": "messages.list", "v5": "messages.first"}
SEND = {"v6": "messages.send", "v5": "drafts.send"}


def faults(sdk: Sdk) -> tuple[Case, ...]:
    """The faults between an application and Nylas."""
    read, send = READ[sdk], SEND[sdk]
    return (
        Case("fault.reset_before_head.read", read, cue("reset=before_head")),
        Case("fault.reset_before_head.send", send, cue("reset=before_head")),
        Case("fault.reset_in_head", read, cue("reset=in_head")),
        Case("fault.html_502", read, cue("status=502; html=1")),
        Case("fault.html_502.gzip", read, cue("status=502; html=1; gzip=1")),
        Case("fault.break_mid_body", read, cue("break=mid_body")),
        Case("fault.break_mid_body.chunked", read, cue("break=mid_body; chunked=1")),
        Case("fault.reset_mid_body.close_delimited", read, cue("reset=mid_body; close_delimited=1")),
        Case("fault.reset_mid_body", read, cue("reset=mid_body")),
        Case("fault.upstream_down.read", read, target="down"),
        Case("fault.upstream_down.send", send, target="down"),
        Case("fault.response_timeout", read, cue("delay_s=20"), target="impatient"),
    )


def asked_of(sdk: Sdk) -> tuple[Case, ...]:
    """Everything that the driver of `sdk` does, in order."""
    succeeding = tuple(Case(f"success.{call}", call, CUES_OF_SUCCESS.get(call, {})) for call in SUCCEEDING[sdk])
    recorded = tuple(replayed(sdk, entry) for entry in RECORDED)
    only_v6 = (*(on_oauth_path(entry) for entry in RECORDED_ERRORS), *DOWNLOADS) if sdk == "v6" else ()
    raw = (Case("raw.html", READ[sdk], {**cue("status=502; html=1"), "X-Nylas-Proxy-Errors": "raw"}),)
    only_v5 = (Case("stream.broken", "deltas.stream", cue("reset=mid_body; heartbeat_s=0.01")),) if sdk == "v5" else ()
    tls = (Case("tls", READ[sdk], target="tls"),)
    return (*succeeding, *recorded, *only_v6, *only_v5, *raw, *faults(sdk), HOSTED_AUTH[sdk], *tls)
