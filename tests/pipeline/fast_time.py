"""Tests whose waits take no time: a loop whose own clock leaps to the next timer while nothing outside takes part."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any

import looptime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def fast_forwarded(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own whose time is fast-forwarded."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            runner.run(test(*args, **kwargs))

    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]  # pytest takes the fixtures' names from it
    del run.__wrapped__  # or it would see the coroutine function
    return run
