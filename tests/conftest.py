"""Where the tests find the recorded data, and which examples properties are tried on."""

import os
from pathlib import Path

from hypothesis import settings

os.environ.setdefault("DISTILL_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
# the same examples each time, at any speed: a red test speaks of the change, not of luck or load
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
