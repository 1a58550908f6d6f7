"""Where the tests find the recorded data, which examples properties are tried on, and threads."""

import os
from pathlib import Path

from hypothesis import settings

os.environ.setdefault("DISTILL_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
# tests that run beside each other would wait for each other's OpenMP threads
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# the same examples each time, at any speed: a red test speaks of the change, not of luck or load
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
