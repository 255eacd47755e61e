"""A sidecar proxy for the Nylas API."""

__version__ = "0.1.0"
