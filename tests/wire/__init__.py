"""The wire's conformance cases. Asserts in the shared parts below explain themselves like those in test files."""

import pytest

pytest.register_assert_rewrite("wire.rig", "wire.origin", "wire.process")
