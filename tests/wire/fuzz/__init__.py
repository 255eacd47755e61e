"""A seeded fuzzer of the running proxy: mutated requests, responses and pipelines, cut into random packets.

Peers on both sides run here, the proxy in its own process. `python bench/fuzz.py` is the long run, `test_fuzz.py` the short one.
"""
