"""What belongs to the v3 application rather than to a mailbox: grants, OAuth, application details, webhook secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from proxy.simulator.call import Call, Route, for_grant, v3_data, v3_done, v3_invalid, v3_missing
from proxy.simulator.listing import matching, v2_page
from proxy.simulator.replies import Json, Reply, json_reply, oauth_error

if TYPE_CHECKING:
    from proxy.simulator.store import Mailbox

ACCESS_TOKEN = "nyk_access_token"  # noqa: S105  (of a made-up mailbox)
_TOKEN_LIFE_S = 3600
_PROVIDERS_BY_DOMAIN = {"gmail.com": "google", "outlook.com": "microsoft", "icloud.com": "icloud", "yahoo.com": "yahoo"}


def _list_grants(call: Call) -> Reply:
    page = v2_page(matching(call.world.grants(), call.query), call.query)
    return v3_invalid(call, page) if isinstance(page, str) else v3_data(call, page)


def _find_grant(call: Call, mailbox: Mailbox) -> Reply:
    return v3_data(call, mailbox.grant)


def _update_grant(call: Call, mailbox: Mailbox) -> Reply:
    fields = call.body.json_object()
    if fields is None:
        return v3_invalid(call, "The request body must be a JSON object")
    mailbox.grant |= {key: fields[key] for key in ("settings", "scope") if key in fields}
    return v3_data(call, mailbox.grant)


def _delete_grant(call: Call, mailbox: Mailbox) -> Reply:
    call.world.remove_grant(mailbox)
    return v3_done(call)


def _custom(call: Call) -> Reply:
    fields = call.body.json_object() or {}
    if not isinstance(fields.get("provider"), str) or not isinstance(fields.get("settings"), dict):
        return v3_invalid(call, "provider and settings are required")
    grant_id = call.world.fresh_id("grant")
    address = str(fields["settings"].get("email", f"{grant_id}@example.com"))
    grant: Json = {"id": grant_id, "provider": fields["provider"], "grant_status": "valid", "email": address, "scope": fields.get("scope", [])}
    now = call.world.now()
    grant |= {"created_at": now, "updated_at": now, "settings": fields["settings"], "state": fields.get("state", "")}
    return v3_data(call, call.world.add_grant(grant).grant)


def _token(call: Call) -> Reply:
    fields = call.body.json_object() or call.body.form()
    needed = "refresh_token" if fields.get("grant_type") == "refresh_token" else "code"
    for name in ("client_id", needed):
        if not fields.get(name):
            return oauth_error(call.request_id, 400, "invalid_request", f"Missing required parameter: {name}")
    grant = call.world.grants()[0] if call.world.grants() else {}
    token: Json = {
        "access_token": ACCESS_TOKEN,
        "refresh_token": "example-refresh-token",
        "id_token": "e30.e30.example",
        "token_type": "Bearer",
        "expires_in": _TOKEN_LIFE_S,
        "grant_id": grant.get("id", ""),
        "email": grant.get("email", ""),
        "provider": grant.get("provider", ""),
        "scope": "openid",
        "request_id": call.request_id,
    }
    return json_reply(token)


def _revoke(call: Call) -> Reply:
    if not call.query.get("token"):
        return oauth_error(call.request_id, 400, "invalid_request", "Missing required parameter: token")
    return json_reply({"request_id": call.request_id, "success": True})


def _tokeninfo(call: Call) -> Reply:
    if not (call.query.get("access_token") or call.query.get("id_token")):
        return oauth_error(call.request_id, 400, "invalid_request", "Missing required parameter: access_token or id_token")
    now = call.world.now()
    claims: Json = {"iss": "https://nylas.com", "aud": "https://example.com", "sub": "1", "email": "ada@example.com"}
    return v3_data(call, {**claims, "iat": now, "exp": now + _TOKEN_LIFE_S})


def hosted_auth(call: Call) -> Reply:
    """What a browser gets after a login that nobody had to do: back to the application, with a code."""
    target = call.query.get("redirect_uri", "https://example.com/callback")
    query = urlencode({"code": "example-code", "state": call.query.get("state", "")})
    usable = target.isascii() and target.isprintable()
    return Reply(302, (("Location", f"{target if usable else '/'}?{query}"),))


def _detect(call: Call) -> Reply:
    email = call.query.get("email", "")
    if "@" not in email:
        return v3_invalid(call, "email is required")
    provider = _PROVIDERS_BY_DOMAIN.get(email.rpartition("@")[2].lower(), "imap")
    return v3_data(call, {"email_address": email, "detected": True, "provider": provider, "type": provider})


def _details(call: Call) -> Reply:
    return v3_data(call, call.world.details["v3"])


def _update_details(call: Call) -> Reply:
    fields = call.body.json_object()
    if fields is None:
        return v3_invalid(call, "The request body must be a JSON object")
    details = call.world.details["v3"]
    details |= {key: fields[key] for key in ("branding", "hosted_authentication", "domain") if key in fields}
    return v3_data(call, details)


def _rotate_secret(call: Call) -> Reply:
    webhook = call.world.application["webhooks"].find(call.ids["id"])
    if webhook is None:
        return v3_missing(call, "Webhook")
    return v3_data(call, {**webhook, "webhook_secret": call.world.fresh_id("secret")})


def _ip_addresses(call: Call) -> Reply:
    return v3_data(call, {"ip_addresses": ["192.0.2.1", "192.0.2.2"], "updated_at": call.world.now()})


ROUTES = (
    Route("GET", "/v3/grants", _list_grants),
    Route("GET", "/v3/grants/{grant}", for_grant(_find_grant)),
    Route("PATCH", "/v3/grants/{grant}", for_grant(_update_grant)),
    Route("PUT", "/v3/grants/{grant}", for_grant(_update_grant)),
    Route("DELETE", "/v3/grants/{grant}", for_grant(_delete_grant)),
    Route("GET", "/v3/connect/auth", hosted_auth),
    Route("POST", "/v3/connect/custom", _custom),
    Route("POST", "/v3/connect/token", _token),
    Route("POST", "/v3/connect/revoke", _revoke),
    Route("GET", "/v3/connect/tokeninfo", _tokeninfo),
    Route("POST", "/v3/providers/detect", _detect),
    Route("GET", "/v3/applications", _details),
    Route("PATCH", "/v3/applications", _update_details),
    Route("GET", "/v3/webhooks/ip-addresses", _ip_addresses),
    Route("POST", "/v3/webhooks/rotate-secret/{id}", _rotate_secret),
    Route("PUT", "/v3/webhooks/{id}/rotate-secret", _rotate_secret),
)
