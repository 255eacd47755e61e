"""That a shared ledger cannot be asked."""

from __future__ import annotations

from proxy.ledger import LedgerAwayError


class AwayError(LedgerAwayError):
    """The server does not answer as it should: away, too slow, or unwilling."""
