"""The demo: calls, errors, a burst, a throttled mailbox and broken sends, directly and through the proxy, side by side."""

from proxy.demo.main import run

__all__ = ["run"]
