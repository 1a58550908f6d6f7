"""Answers in words: choice letters, sets with a name, and plain words."""

from __future__ import annotations

import re

from verifiers.maths.node import Node

LABEL = re.compile(
    r"(?:(?:option|choice|answer)\s+)?(?:\(\s*([A-Ja-j])\s*\)|([A-J])\s*[).:](?=\s|$)|([A-J])(?=$))\s*[:.]?\s*(.*)",
    re.S | re.I,
)
HEDGE = re.compile(
    r"(?:(?:is|are|equals?|be|approximately|approx\.?|about|around|roughly|exactly|precisely"
    r"|thus|therefore|hence|clearly|indeed|only|just"
    r"|simply|both|(?:the |our |my )?(?:final |correct )?answer(?: is|:)?"
    r"|a total of|equal to|the (?:number|value|set|interval|point|fraction)"
    r"|\\(?:approx|therefore|implies|Rightarrow|boxed))(?![A-Za-z])|=>?)\s*",
    re.I,
)
NAMED = {
    "R": ("all real numbers", "all reals", "real numbers", "the real numbers", "all real x"),
    "Z": ("all integers", "integers", "the integers", "any integer", "all whole numbers"),
    "empty": ("no solution", "no solutions", "no real solution", "no real solutions", "empty set",
              "the empty set", "empty", "there are no real solutions", "no real roots",
              "there is no real solution", "there is no solution", "there are no solutions"),
    "inf": ("infinite", "infinity", "positive infinity", "plus infinity", "+infinity",
            "unbounded"),
    "-inf": ("negative infinity", "minus infinity", "-infinity"),
}  # fmt: skip
NAMES = {phrase: name for name, phrases in NAMED.items() for phrase in phrases}
SYNONYMS = {
    "diverges": "divergent", "converges": "convergent",
    "does not exist": "dne", "doesn't exist": "dne", "d.n.e": "dne", "d.n.e.": "dne",
    "it does not exist": "dne", "the limit does not exist": "dne",
    "infinitely many solutions": "infinitely many", "infinite solutions": "infinitely many",
    "infinite number of solutions": "infinitely many",
    "an infinite number of solutions": "infinitely many",
    "there are infinitely many solutions": "infinitely many",
}  # fmt: skip
FIGURE = re.compile(
    r"\\((?:over(?:line|rightarrow)|angle|triangle|widehat|odot|vec))\s*\{?\s*([A-Z]{1,4}'*)\s*\}?"
)
WORDS = re.compile(r"[^\W\d_][\w\s'’\-–.,&/()]*")
LONGEST = 10


def choice(text: str) -> tuple[str, str] | None:
    """The letter of a choice and what stands behind it: "(B) 12", "B. yes", "Option C"."""
    match = LABEL.fullmatch(text)
    if match is None:
        return None
    letter = match[1] or match[2] or match[3]
    if match[3] and len(text) == 1:
        return None
    return letter.upper(), match[4]


def unhedged(text: str) -> str:
    """Without words in front that change nothing: "approximately", "a total of", "="."""
    while match := HEDGE.match(text):
        text = text[match.end() :]
    return text


def named_set(text: str) -> Node | None:
    """A set of numbers, or an infinity, that is given by its name."""
    name = NAMES.get(text.lower())
    if name in ("inf", "-inf"):
        infinity = Node("const", (), "inf")
        return infinity if name == "inf" else Node("neg", (infinity,))
    return Node("all", (), name) if name else None


def words(text: str) -> Node:
    """Plain words, folded; `raw` where the text is neither maths nor words."""
    if (figure := FIGURE.fullmatch(text)) is not None:
        return Node("words", (), f"{figure[1]} {figure[2]}")
    folded = " ".join(text.casefold().split())
    folded = SYNONYMS.get(folded, folded)
    if WORDS.fullmatch(folded) and len(folded.split()) <= LONGEST:
        for article in ("the ", "a ", "an ", "it is ", "on ", "in "):
            folded = folded.removeprefix(article)
        return Node("words", (), folded)
    return Node("raw", (), "".join(text.split()))
