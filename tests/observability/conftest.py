"""The real server for the proxy that counts with others."""

from __future__ import annotations

from ledger.conftest import session_server

__all__ = ["session_server"]
