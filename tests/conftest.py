"""Where the tests find the recorded data."""

import os
from pathlib import Path

os.environ.setdefault("DISTILL_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
