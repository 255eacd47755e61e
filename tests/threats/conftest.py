"""The proxies and the authority of the wire's cases; an admin listener of the admin suite."""

from __future__ import annotations

from admin.conftest import guarded
from wire.conftest import authority, loop_name, plain, plain_rig

__all__ = ["authority", "guarded", "loop_name", "plain", "plain_rig"]
