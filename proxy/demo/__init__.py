"""The demo: the official SDK through a dozen calls and errors of Nylas, directly and through the proxy, side by side."""

from proxy.demo.main import run

__all__ = ["run"]
