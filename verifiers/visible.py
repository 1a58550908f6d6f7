"""What counts of a text."""

from __future__ import annotations

import re

THOUGHT = "</think>"
STOP = re.compile(r"<\|[a-z_]+\|>|</s>")


def visible(text: str) -> str:
    """What counts of a text: behind the last `</think>`, before a token that ends a turn."""
    _, sign, rest = text.rpartition(THOUGHT)
    if sign:
        text = rest
    elif "<think>" in text:
        text = text.partition("<think>")[0]
    return STOP.split(text, maxsplit=1)[0] if "<" in text else text
