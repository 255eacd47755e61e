"""Examples have no time limit of their own: on a busy machine one would fail for nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("core", deadline=None)
settings.load_profile("core")
