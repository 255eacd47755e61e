"""What the admin listener shows of the running proxy, and whom it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.admin import Desk, Readiness
from proxy.page import page_routes

if TYPE_CHECKING:
    from proxy.operator import Operator
    from proxy.sidecar import Sidecar


def make_desk(sidecar: Sidecar, operator: Operator) -> Desk:
    """Return it."""
    page = page_routes(sidecar.status)
    return Desk(
        readiness=lambda: Readiness(sidecar.state, sidecar.gate.ledger_state(), sidecar.ledger_why),
        exposition=sidecar.exposition.text,
        status=sidecar.status,
        operator=operator,
        tell_bug=lambda bug: sidecar.log.bug(bug, "admin"),
        page=page,
        close_page=page.close,
    )
