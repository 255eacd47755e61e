"""The long run of the wire's fuzzer, which lives with the tests: `python bench/fuzz.py --count 50000 --seed 1`.

Peers and proxy run on this machine alone. A fault prints the seed and the index that reproduce it: `--seed S --only INDEX`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


def main() -> None:
    """Become the fuzzer, with the tests on its path."""
    os.execve(sys.executable, [sys.executable, "-m", "wire.fuzz", *sys.argv[1:]], {**os.environ, "PYTHONPATH": str(TESTS)})


if __name__ == "__main__":
    main()
