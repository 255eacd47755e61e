"""structlog without rich, which it takes along wherever that is installed: 4.5 MB for tracebacks that this log never shows."""

from __future__ import annotations

import sys

_UNWANTED = "rich"

if _UNWANTED in sys.modules:
    import structlog
else:
    sys.modules[_UNWANTED] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        import structlog
    finally:
        del sys.modules[_UNWANTED]

__all__ = ["structlog"]
