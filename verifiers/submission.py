"""Find the code in a text: the last fenced block that fits, or the whole text where none is fenced.

Time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

LONGEST = 200_000
"""Characters of code; more is no submission."""
THOUGHT = "</think>"
FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*$")
PYTHON = ("", "python", "python3", "py", "py3", "python-3", "{python}", "{.python}", "pycon")


class Code(NamedTuple):
    """A piece of code, and where it stands in the text (start, end)."""

    source: str
    span: tuple[int, int]


def find(text: str, languages: Collection[str] = PYTHON, entry: str = "") -> Code | None:
    """The submission in `text`, after the last `</think>`; None where there is none.

    Of several blocks in one of `languages` (or in none that is named) the last one that defines
    `entry` counts, and the last one where none does. A last block that is not closed reaches to the
    end.
    """
    start = text.rfind(THOUGHT) + len(THOUGHT) if THOUGHT in text else 0
    blocks = list(_blocks(text, start))
    fitting = [code for language, code in blocks if language.lower() in languages]
    fitting = [code for code in fitting if code.source.strip()]
    if blocks and not fitting:
        return None
    if not blocks:
        bare = text[start:]
        if not bare.strip():
            return None
        source = bare.strip("\n").rstrip()
        at = start + len(bare) - len(bare.lstrip("\n"))
        return Code(source, (at, at + len(source)))
    if entry:
        name = re.escape(entry.split(".")[-1])
        defines = re.compile(rf"\b(?:def|class)\s+{name}\b|^{name}\s*=", re.M)
        fitting = [code for code in fitting if defines.search(code.source)] or fitting
    return fitting[-1]


def _blocks(text: str, start: int) -> Iterator[tuple[str, Code]]:
    """All fenced blocks from `start` on: the language they name, and what they hold."""
    fence, language, opened, indent = "", "", 0, 0
    at = start
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].rstrip("\r")
        bare = line.lstrip(" \t")
        if bare[:3] in ("```", "~~~"):
            found = FENCE.match(bare[:200])
            if not fence and found:
                fence, language = found[1], found[2]
                opened, indent = end + 1, len(line) - len(bare)
            elif fence and bare.rstrip() == bare[0] * len(bare.rstrip()) and bare.startswith(fence):
                yield language, _code(text, opened, at, indent)
                fence = ""
        at = end + 1
    if fence:
        yield language, _code(text, opened, len(text), indent)


def _code(text: str, start: int, end: int, indent: int) -> Code:
    """The text between two fences, without the blanks that the fence itself was indented by."""
    source = text[start:end]
    if indent:
        lines = source.split("\n")
        source = "\n".join(
            line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in lines
        )
    return Code(source, (min(start, len(text)), max(start, end) if start <= len(text) else end))
