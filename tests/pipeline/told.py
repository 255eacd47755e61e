"""What was told on the way of a request, kind by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from proxy.settings import Settings
from proxy.settings.pacing import Limits, Patience

if TYPE_CHECKING:
    from pipeline.scripted import Way

_Kind = TypeVar("_Kind")


def told(way: Way, kind: type[_Kind]) -> list[_Kind]:
    return [event for event in way.told if isinstance(event, kind)]


def subject(way: Way, name: bytes = b"ada") -> str:
    """The hash under which a grant is told."""
    return way.gate.identity.grant(name)


def limited(patience: Patience | None = None, *, mode: Any = "enforce", **overrides: Any) -> Settings:
    """One message a second and grant, or other limits, with no headroom."""
    limits = Limits(mode=mode, headroom=0.0, overrides=overrides or {"v3_messages": {"count": 1}})
    return Settings(limits=limits, patience=patience or Patience())
