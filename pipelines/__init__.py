"""Pipelines: recipes, the run folder, stages, the report and the command line."""

import importlib.util
from pathlib import Path

_found = importlib.util.find_spec("verifiers")
if _found is None or Path(_found.origin or "").parent.parent != Path(__file__).parent.parent:
    raise ImportError(
        f"the package `verifiers` at {_found and _found.origin} is not the one of distill: another "
        "project of that name is installed here; use an environment of its own for distill"
    )
