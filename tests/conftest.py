"""What all that the session starts says is collected, and searched for the secrets that it was given: see `secrecy`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from secrecy.collected import Collected, KeptLines
from secrecy.startup import witness

from proxy.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTUP = Path(witness.__file__).parent


@pytest.fixture(scope="session", autouse=True)
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    """What is collected. Made before all other fixtures of the session, so that what these end is searched, too."""
    made = Collected(tmp_path_factory.mktemp("collected"), tmp_path_factory.getbasetemp())
    path = os.pathsep.join(filter(None, (str(STARTUP), os.environ.get("PYTHONPATH"))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(witness.FOLDER, str(made.folder))
        patch.setenv("PYTHONPATH", path)
        patch.setattr(logs, "LineWriter", KeptLines)
        patch.setattr(subprocess.Popen, "send_signal", subprocess.Popen.send_signal)  # put back at the end
        witness.look_before_the_end()
        yield made
    if found := made.untold():
        pytest.fail("secrets were told:\n" + "\n".join(found), pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    """Marks are strict."""
    config.addinivalue_line("markers", "of_all_tests: looks at what all other tests have left, and is run after them")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The search comes last: it is a test like others, but of all of them."""
    items.sort(key=lambda item: item.get_closest_marker("of_all_tests") is not None)
