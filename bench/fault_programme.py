"""The long run of the fault programme, which lives with the tests: `python bench/fault_programme.py --minutes 5 --seed 1`.

Peers and proxy run on this machine alone. What is not as documented is printed with the name of its case (docs/faults.md).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


def main() -> None:
    """Become the programme, with the tests on its path."""
    os.execve(sys.executable, [sys.executable, "-m", "faults", *sys.argv[1:]], {**os.environ, "PYTHONPATH": str(TESTS)})


if __name__ == "__main__":
    main()
