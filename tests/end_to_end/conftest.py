"""The real server that the ledger's tests use."""

from __future__ import annotations

from ledger.conftest import server, session_server

__all__ = ["server", "session_server"]
