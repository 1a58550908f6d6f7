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
    r"|a total of|equal to|on|(?:the )?(?:open |closed )?intervals?"
    r"|the (?:number|value|set|point|fraction)"
    r"|\\(?:approx|therefore|implies|Rightarrow|boxed))(?![A-Za-z])|=>?)\s*",
    re.I,
)
KINDS = r"(?:solution|root|zero|value|number|integer|prime|pair|triple|point|real)s?"
NAMED = {
    name: re.compile(phrase)
    for name, phrase in {
        "R": r"(?:(?:it|this|the \w+) )?(?:is |holds |true |valid )*(?:for )?(?:all |every |any )?"
        r"(?:the )?(?:reals?|real (?:numbers?|values?|x))(?: of)?(?: x)?"
        r"(?: (?:is|are|satisf|works?)\b.*)?",
        "Z": r"(?:all |every |any )?(?:the )?(?:integers?|whole numbers)",
        "empty": r"(?:(?:there (?:is|are|exists?)|(?:(?:it|(?:the|this) \w+) )?has"
        r"|we (?:have|get|find)) )?"
        rf"(?:none(?: exists?)?|no(?: such)?(?: \w+){{0,2}} {KINDS}(?: \$?[a-z]\$?)?"
        r"(?: (?:exists?|satisf|works?\b|solves?\b|that\b|with\b|between\b|for which\b).*)?)"
        r"|(?:the )?(?:solution set is )?(?:the )?empty(?: set)?",
        "inf": r"infinite|(?:(?:positive|plus) |\+)?infinity|unbounded",
        "-inf": r"(?:(?:negative|minus) |-)infinity",
    }.items()
}
SPARED = re.compile(r"\b(?:except|other|besides|unless|if|when|but|only|not)\b")
"""Words by which a set that is named is not the whole of it."""
SYNONYMS = {
    "diverges": "divergent", "converges": "convergent",
    "does not exist": "dne", "doesn't exist": "dne", "d.n.e": "dne", "d.n.e.": "dne",
    "it does not exist": "dne", "the limit does not exist": "dne",
    "infinitely many solutions": "infinitely many", "infinite solutions": "infinitely many",
    "infinite number of solutions": "infinitely many",
    "an infinite number of solutions": "infinitely many",
    "there are infinitely many solutions": "infinitely many",
    "quadrant i": "first quadrant", "quadrant ii": "second quadrant",
    "quadrant iii": "third quadrant", "quadrant iv": "fourth quadrant",
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
    folded = "" if SPARED.search(text) else " ".join(text.lower().strip(" .").split())
    name = next((name for name, phrase in NAMED.items() if phrase.fullmatch(folded)), None)
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
