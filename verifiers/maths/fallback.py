"""math-verify, for golds in a notation that the grammar does not know."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=512)
def _parsed(text: str) -> list[Any]:
    """What math-verify reads in `text`, with its own timeouts off: the pool bounds it."""
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    from math_verify import LatexExtractionConfig, parse

    return list(parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=None))


def readable(text: str) -> bool:
    """Whether a ground truth is mathematics at all: balanced, and math-verify finds a value."""
    if text.count("{") != text.count("}") or not re.search(r"\\[A-Za-z]", text):
        return False
    return any(not isinstance(part, str) for part in _parsed(text))


def equal(gold: str, text: str) -> bool:
    """Whether math-verify calls them equal; both must be written with the same numbers."""
    if sorted(re.findall(r"\d+", gold)) != sorted(re.findall(r"\d+", text)):
        return False
    from math_verify import verify

    return bool(verify(_parsed(gold), _parsed(text), strict=True, timeout_seconds=None))
