"""Python runs this first in every process that a test starts, however deep (https://docs.python.org/3/library/site.html)."""

from __future__ import annotations

import importlib
import os
import sys

# Most have nothing to do with it, and all of them wait for these imports.
if "PROXY_TESTS_COLLECT_IN" in os.environ and sys.argv[1:2] in (["serve"], ["demo"]):
    witness = importlib.import_module("witness")
    if sys.argv[1] == "demo":
        witness.look_before_the_end()
    else:
        witness.keep_output()
