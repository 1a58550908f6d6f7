"""Ground truths that are JSON: given as a value, or as the canonical text that Parquet keeps."""

from __future__ import annotations

import json
from typing import Any


def structured(answer: Any) -> Any:
    """The JSON value of a ground truth; a text that is no JSON stays as it is."""
    if not isinstance(answer, str):
        return answer
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return answer


def plain(answer: Any) -> str:
    """A ground truth as text; empty where there is none."""
    return "" if answer is None else str(answer)
