"""Where scenes are played: a simulator with its limits for each way, a proxy before one of them, and what the simulators tell afterwards."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from proxy.demo import children, load
from proxy.demo.evidence import Reports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.demo.evidence import Evidence
    from proxy.demo.scenes import Scene

REPORT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Way:
    """Where the application sends its requests, and where the simulated Nylas is that they end at."""

    base_url: str
    nylas_url: str


@contextlib.contextmanager
def ways(scenario: str, limit_s: float) -> Iterator[tuple[Way, Way]]:
    """Give the direct way, and the one through a proxy as it is out of the box; neither sees the other. Raises ChildFailedError."""
    with (
        children.simulator(limit_s, scenario) as direct_url,
        children.simulator(limit_s, scenario) as nylas_url,
        children.proxy(nylas_url, limit_s) as proxy_url,
    ):
        yield Way(direct_url, direct_url), Way(proxy_url, nylas_url)


def play(scene: Scene, both: tuple[Way, Way]) -> list[Evidence]:
    """Play a scene on both ways; gives what became of it, in their order. Raises ChildFailedError."""
    turns = [partial(_play, scene, way) for way in both]
    return load.at_once(turns) if scene.side_by_side else [turn() for turn in turns]


def _play(scene: Scene, way: Way) -> Evidence:
    scene.load(way.base_url)
    arrivals, limits, deliveries = (_report(way.nylas_url, name) for name in ("arrivals", "limits", "deliveries"))
    return scene.read(Reports(arrivals["arrivals"], limits["windows"], deliveries))


def _report(nylas_url: str, name: str) -> dict[str, Any]:
    try:
        with urlopen(f"{nylas_url}/__simulator/{name}", timeout=REPORT_TIMEOUT_S) as answer:  # noqa: S310 - a child's own http URL
            told: dict[str, Any] = json.load(answer)
    except OSError as failed:
        raise children.ChildFailedError(f"nylas-proxy simulate did not tell what it noted: {failed}") from failed
    return told
