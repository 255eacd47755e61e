"""Runs the demo: starts the children, goes through the cases, prints the table, says by its exit status whether all was as promised."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.demo import children, sdk, table
from proxy.demo.cases import CASES, Case

if TYPE_CHECKING:
    from types import FrameType

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


def run() -> int:
    """Run the demo. It ends within LIMIT_S and a little, and ends its children in every case.

    Returns:
        0 when every case behaved as promised; 1 when one did not, a child did not start, or the SDK is not installed.

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
        return _demonstrate(version)
    except children.ChildFailedError as failed:
        _print(str(failed))
        return 1
    finally:
        signal.signal(signal.SIGTERM, terminate_before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Let SIGTERM end the demo as Ctrl-C does, so that the children are ended too."""
    raise KeyboardInterrupt


def _demonstrate(version: str) -> int:
    with children.simulator(LIMIT_S) as nylas_url, children.proxy(nylas_url, LIMIT_S) as proxy_url:
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


def _conclude(results: list[Result]) -> int:
    """Print what it all amounts to; gives the exit status."""
    _print("")
    for way, name in (("without", "Without the proxy"), ("through", "With the proxy")):
        _print(f"{name} {_troubles([getattr(result, way) for result in results if not result.case.never_succeeds])}.")
    _print("An answer that breaks off after its head stays an error on both ways: nobody can mend it, and it never looks complete.")
    kept = sum(result.is_as_promised for result in results)
    _print(f"{len(results)} cases, {kept} as promised.")
    return 0 if kept == len(results) else 1


def _troubles(outcomes: list[sdk.Outcome]) -> str:
    crashes = sum(isinstance(outcome, sdk.Crash) for outcome in outcomes)
    poor = sum(isinstance(outcome, sdk.PoorError) for outcome in outcomes)
    return f"{crashes} of {len(outcomes)} calls crashed the SDK and {poor} raised an error without a type, a message or an id"


def _print(line: str) -> None:
    """Print a line at once, so that whoever watches, by a pipe too, sees the demo go on."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
