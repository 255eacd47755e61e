"""The soak, which lives with the tests: `python bench/soak_programme.py --minutes 20 --seed 1`.

Prints how much more of everything there is at the end than after the first quarter, and what must never be; exits with 1 where something grew or was.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


def main() -> None:
    """Become the soak, with the tests on its path."""
    os.execve(sys.executable, [sys.executable, "-m", "soak", *sys.argv[1:]], {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"})


if __name__ == "__main__":
    main()
