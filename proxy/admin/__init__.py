"""The second listener: health, readiness, metrics, status, and the operator's hand.

`start_admin` serves what a `Desk` knows and can do. `access` decides who may ask what, `orders` reads what an operator wants, `endpoints` answers,
`listener` listens; `docs/admin.md` describes every endpoint.
"""

from proxy.admin.desk import Closed, CloseOutcome, Desk, NotClosed, Operator, Readiness
from proxy.admin.listener import start_admin
from proxy.admin.orders import CloseApplication, CloseGrant, Closing

__all__ = [
    "CloseApplication",
    "CloseGrant",
    "CloseOutcome",
    "Closed",
    "Closing",
    "Desk",
    "NotClosed",
    "Operator",
    "Readiness",
    "start_admin",
]
