"""What the proxy exists for, scenario by scenario; `bench/limits.py` runs them."""
