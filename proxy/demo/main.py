"""Runs the demo: starts the children, goes through cases and scenes, prints the tables, says by its exit status whether all was as promised."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.demo import children, sdk, stage, table
from proxy.demo.cases import CASES, Case
from proxy.demo.evidence import is_as_wanted
from proxy.demo.scenes import SCENES

if TYPE_CHECKING:
    from types import FrameType

    from proxy.demo.evidence import Evidence
    from proxy.demo.scenes import Scene

LIMIT_S = 60.0
NEEDS_SDK = "The demo drives the official Nylas SDK, which is not installed: pip install 'nylas-proxy[demo]'"


@dataclass(frozen=True, slots=True)
class Result:
    """What one case showed."""

    case: Case
    without: sdk.Outcome
    through: sdk.Outcome

    @property
    def is_as_promised(self) -> bool:
        """Tell whether the proxy kept its promise."""
        return self.case.is_as_promised(self.without, self.through)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one scene."""

    scene: Scene
    without: Evidence
    through: Evidence

    @property
    def is_as_promised(self) -> bool:
        """Tell whether the proxy kept its promise."""
        return is_as_wanted(self.through)

    @property
    def conclusion(self) -> str:
        """One line about both ways."""
        return f"{self.scene.name}: without the proxy {self.without.summary}; with it {self.through.summary}."


def run() -> int:
    """Run the demo. Each of its two parts ends within LIMIT_S and a little, and ends its children in every case.

    Returns:
        0 when every case and every scene was as promised; 1 when one was not, a child did not start, or the SDK is not installed.

    Raises:
        KeyboardInterrupt: At SIGINT and SIGTERM.
    """
    try:
        version = sdk.version()
    except ModuleNotFoundError:
        _print(NEEDS_SDK)
        return 1
    os.environ["no_proxy"] = "127.0.0.1"  # else the SDK's HTTP library asks the HTTP_PROXY of the user's environment for addresses on this machine
    terminate_before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        kept = [_demonstrate(version), _play_scenes()]
        return 0 if all(kept) else 1
    except children.ChildFailedError as failed:
        _print(str(failed))
        return 1
    finally:
        signal.signal(signal.SIGTERM, terminate_before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Let SIGTERM end the demo as Ctrl-C does, so that the children are ended too."""
    raise KeyboardInterrupt


def _demonstrate(version: str) -> bool:
    """Go through the cases; gives whether all were as promised."""
    with children.simulator(LIMIT_S) as nylas_url, children.proxy(nylas_url, LIMIT_S, children.SINGLE_ANSWERS) as proxy_url:
        _print(f"The official SDK nylas {version}: straight to a simulated Nylas, and through the proxy.\n")
        for line in table.head():
            _print(line)
        direct, proxied = sdk.application(nylas_url), sdk.application(proxy_url)
        return _conclude([_compare(case, direct, proxied) for case in CASES])


def _compare(case: Case, direct: sdk.Application, proxied: sdk.Application) -> Result:
    """Do one case on both ways and print its row."""
    without, through = (replace(way, cue=case.cue).observe(case.call) for way in (direct, proxied))
    result = Result(case, without, through)
    colour = table.wants_colour(sys.stdout, os.environ)
    _print(table.row(case.title, (without, through), is_as_promised=result.is_as_promised, colour=colour))
    return result


def _conclude(results: list[Result]) -> bool:
    """Print what it all amounts to; gives whether all were as promised."""
    _print("")
    for way, name in (("without", "Without the proxy"), ("through", "With the proxy")):
        _print(f"{name} {_troubles([getattr(result, way) for result in results if not result.case.never_succeeds])}.")
    _print("An answer that breaks off after its head stays an error on both ways: nobody can mend it, and it never looks complete.")
    kept = sum(result.is_as_promised for result in results)
    _print(f"{len(results)} cases, {kept} as promised.")
    return kept == len(results)


def _play_scenes() -> bool:
    """Go through the scenes; gives whether all were as promised."""
    _print("\nThe same application on both ways, against limits that are kept. It heeds none, and repeats without idempotency keys.\n")
    for line in table.head(table.SCENE_HEADINGS):
        _print(line)
    with stage.ways("".join(scene.scenario for scene in SCENES), LIMIT_S) as both:
        played = [_play(scene, both) for scene in SCENES]
    _print("")
    for it in played:
        _print(it.conclusion)
    kept = sum(it.is_as_promised for it in played)
    _print(f"{len(played)} scenes, {kept} as promised.")
    return kept == len(played)


def _play(scene: Scene, both: tuple[stage.Way, stage.Way]) -> Played:
    """Play a scene on both ways and print its rows."""
    _print(scene.title)
    without, through = stage.play(scene, both)
    colour = table.wants_colour(sys.stdout, os.environ)
    for facts in zip(without.facts, through.facts, strict=True):
        _print(table.fact_row(*facts, colour=colour))
    return Played(scene, without, through)


def _troubles(outcomes: list[sdk.Outcome]) -> str:
    crashes = sum(isinstance(outcome, sdk.Crash) for outcome in outcomes)
    poor = sum(isinstance(outcome, sdk.PoorError) for outcome in outcomes)
    return f"{crashes} of {len(outcomes)} calls crashed the SDK and {poor} raised an error without a type, a message or an id"


def _print(line: str) -> None:
    """Print a line at once, so that whoever watches, by a pipe too, sees the demo go on."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
