"""The account, the application and OAuth in v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Route, v2_invalid, v2_missing
from proxy.simulator.replies import JSON_TYPE, Json, Reply, json_reply, v2_error
from proxy.simulator.v3_application import hosted_auth

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN_NEEDS = ("client_id", "client_secret", "code")


def _account(call: Call) -> Reply:
    return json_reply(next(iter(call.world.account["accounts"]), {}))


def _accounts(call: Call) -> Reply:
    return json_reply(list(call.world.account["accounts"]))


def _token(call: Call) -> Reply:
    """Node's old SDK puts code and secret into the query of a GET. Errors are HTML for who does not ask for JSON (nylas-ruby#405)."""
    fields = {**call.query, **call.body.form(), **(call.body.json_object() or {})}
    missing = [name for name in _TOKEN_NEEDS if not fields.get(name)]
    if missing and JSON_TYPE not in call.headers.get("Accept", ""):
        return Reply(400, (("Content-Type", "text/html"),), b"<html><body><h1>400 Bad Request</h1></body></html>")
    if missing:
        return v2_invalid(f"Missing required parameter: {missing[0]}")
    account: Json = next(iter(call.world.account["accounts"]), {})
    token: Json = {"access_token": "example-access-token", "token_type": "bearer", "account_id": account.get("id")}
    return json_reply({**token, "email_address": account.get("email_address"), "provider": account.get("provider")})


def _revoke(_call: Call) -> Reply:
    return json_reply({"success": "true"})


def _application(call: Call) -> Reply:
    return json_reply(call.world.details["v2"])


def _update_application(call: Call) -> Reply:
    fields = call.body.json_object()
    if fields is None:
        return v2_invalid("Empty request body" if not call.body.content else "The request body must be a JSON object")
    details = call.world.details["v2"]
    details |= {key: fields[key] for key in ("application_name", "icon_url", "redirect_uris") if key in fields}
    return json_reply(details)


def _ip_addresses(call: Call) -> Reply:
    return json_reply({"ip_addresses": ["192.0.2.1", "192.0.2.2"], "updated_at": call.world.now()})


def _for_account(act: Callable[[Call, Json], Reply]) -> Callable[[Call], Reply]:
    def found(call: Call) -> Reply:
        account = call.world.account["accounts"].find(call.ids["id"])
        return act(call, account) if account else v2_missing("account")

    return found


def _billed(call: Call, account: Json) -> Reply:
    account["billing_state"] = "cancelled" if call.path.endswith("/downgrade") else "paid"
    return json_reply(account)


def _revoke_all(_call: Call, _account: Json) -> Reply:
    return json_reply({"success": True})


def _token_info(call: Call, _account: Json) -> Reply:
    if "access_token" not in (call.body.json_object() or {}):
        return v2_error(400, "invalid_request_error", "access_token is required")
    now = call.world.now()
    return json_reply({"created_at": now, "updated_at": now, "scopes": "email,calendar,contacts", "state": "valid"})


ROUTES = (
    Route("GET", "/account", _account),
    Route("GET", "/accounts", _accounts),
    Route("GET", "/oauth/authorize", hosted_auth),
    Route("GET", "/oauth/token", _token),
    Route("POST", "/oauth/token", _token),
    Route("POST", "/oauth/revoke", _revoke),
    Route("GET", "/a/{client}", _application),
    Route("PUT", "/a/{client}", _update_application),
    Route("GET", "/a/{client}/ip_addresses", _ip_addresses),
    Route("POST", "/a/{client}/accounts/{id}/upgrade", _for_account(_billed)),
    Route("POST", "/a/{client}/accounts/{id}/downgrade", _for_account(_billed)),
    Route("POST", "/a/{client}/accounts/{id}/revoke-all", _for_account(_revoke_all)),
    Route("POST", "/a/{client}/accounts/{id}/token-info", _for_account(_token_info)),
)
