"""Find the code in a text: the last fenced block that fits, or the whole text where none is fenced.

Time is linear in the text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

LONGEST = 200_000
"""Characters of code; more is no submission."""
THINK, THOUGHT = "<think>", "</think>"
FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^\s`]*)[^`\n]*$", re.M)
PYTHON = ("", "python", "python3", "py", "py3", "python-3", "{python}", "{.python}", "pycon")
MARK = "\ufeff"


class Code(NamedTuple):
    """A piece of code, where it stands in the text (start, end), and all blocks up to it as one.

    `whole` is empty where there is only one block.
    """

    source: str
    span: tuple[int, int]
    whole: str = ""


class _Block(NamedTuple):
    language: str
    start: int
    end: int
    indent: int


def find(text: str, languages: Collection[str] = PYTHON, entry: str = "") -> Code | None:
    """The submission in `text`, after the last `</think>`; None where there is none.

    Of several blocks in one of `languages` (or in none that is named) the last one that defines
    `entry` counts, and the last one where none does. A last block that is not closed reaches to the
    end. A text that never stops thinking holds no submission.
    """
    thought = text.rfind(THOUGHT)
    if thought < 0 and text[:200].lstrip(" \t\r\n" + MARK).startswith(THINK):
        return None
    start = thought + len(THOUGHT) if thought >= 0 else 0
    blocks = list(_blocks(text, start))
    fitting = [block for block in blocks if block.language.lower() in languages]
    if not blocks:
        return _bare(text, start)
    chosen = _choose(text, fitting, entry)
    if chosen is None:
        return None
    block = fitting[chosen]
    size = sum(block.end - block.start for block in fitting[: chosen + 1])
    parts = fitting[: chosen + 1] if chosen and size <= LONGEST else []
    whole = "\n".join(_source(text, part) for part in parts)
    return Code(_source(text, block), (block.start, block.end), whole)


def _bare(text: str, start: int) -> Code | None:
    source = text[start:].strip(MARK + "\r\n").rstrip()
    if not source.strip():
        return None
    at = text.index(source[:1000], start)
    return Code(source, (at, at + len(source)))


def defines(source: str, entry: str, start: int = 0, end: int = LONGEST) -> bool:
    """Whether a source has a function, class or name `entry`."""
    return _definition(entry).search(source, start, end) is not None


@lru_cache
def _definition(entry: str) -> re.Pattern[str]:
    name = re.escape(entry.split(".")[-1])
    return re.compile(
        rf"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|^{name}[ \t]*[:=]", re.M
    )


def completed(source: str, prompt: str, entry: str) -> str:
    """A source with what a prompt that is itself code puts before it, as HumanEval's prompts are.

    The whole prompt before what continues its last function; what stands above that function
    before a source that defines it anew.
    """
    if not _is_python(prompt):
        return source
    if defines(source, entry):
        place = _definition(entry).search(prompt)
        return prompt[: place.start()] + source if place else source
    return f"{prompt.rstrip()}\n{'' if source[:1] in (' ', chr(9)) else '    '}{source}"


@lru_cache(maxsize=1024)
def _is_python(prompt: str) -> bool:
    if len(prompt) > LONGEST or "def " not in prompt:
        return False
    try:
        ast.parse(f"{prompt.rstrip()}\n    pass\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _choose(text: str, blocks: list[_Block], entry: str) -> int | None:
    """The number of the block that counts."""
    last = None
    for number in range(len(blocks) - 1, -1, -1):
        block = blocks[number]
        if not NOT_BLANK.search(text, block.start, block.end):
            continue
        last = number if last is None else last
        if not entry:
            break
        if defines(text, entry, block.start, block.end):
            return number
    return last


NOT_BLANK = re.compile(r"\S")


def _blocks(text: str, start: int) -> Iterator[_Block]:
    """All fenced blocks from `start` on."""
    fence, language, opened, indent = "", "", 0, 0
    for found in FENCE.finditer(text, start):
        if not fence:
            fence, language = found[2], found[3]
            opened, indent = min(found.end() + 1, len(text)), len(found[1])
        elif found[2].startswith(fence) and not text[found.end(2) : found.end()].strip():
            yield _Block(language, opened, max(opened, found.start()), indent)
            fence = ""
    if fence:
        yield _Block(language, opened, len(text), indent)


def _source(text: str, block: _Block) -> str:
    """What stands in a block, without the blanks that its fence itself is indented by."""
    source = text[block.start : block.end].strip(MARK)
    if not block.indent:
        return source
    lines = source.split("\n")
    return "\n".join(
        line[min(block.indent, len(line) - len(line.lstrip(" \t"))) :] for line in lines
    )
