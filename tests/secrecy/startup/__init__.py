"""On PYTHONPATH of every process that a test starts, see `sitecustomize`."""
