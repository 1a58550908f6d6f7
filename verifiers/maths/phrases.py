"""Answers in words: choice letters, numbers spelled out, sets with a name, and plain words."""

from __future__ import annotations

import re

from verifiers.maths.node import Node

LABEL = re.compile(
    r"(?:(?:option|choice|answer)\s+)?(?:\(\s*([A-Ja-j])\s*\)|([A-J])\s*[).:](?=\s|$)|([A-J])(?=$))\s*[:.]?\s*(.*)",
    re.S | re.I,
)
HEDGE = re.compile(
    r"(?:(?:is|are|equals?|be|approximately|approx\.?|about|around|roughly|nearly|exactly|precisely|likely|probably|thus|therefore|hence|clearly|indeed|only|just"
    r"|simply|either|both|a total of|equal to|the (?:number|value|set|interval|point|fraction)"
    r"|\\(?:approx|therefore|implies|Rightarrow|boxed))(?![A-Za-z])|=>?)\s*",
    re.I,
)
UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
SCALE = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
SPELLED = re.compile(r"[A-Za-z]+(?:[\s-]+[A-Za-z]+)*")
NAMED = {
    "R": ("all real numbers", "all reals", "real numbers", "the real numbers", "all real x"),
    "empty": ("no solution", "no solutions", "no real solution", "no real solutions", "empty set",
              "the empty set", "there is no solution", "there are no solutions"),
}  # fmt: skip
NAMES = {phrase: name for name, phrases in NAMED.items() for phrase in phrases}
SYNONYMS = {"does not exist": "dne", "doesn't exist": "dne", "d.n.e": "dne", "d.n.e.": "dne"}
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


def spelled(text: str) -> str:
    """A number in words at the start, as digits."""
    match = SPELLED.match(text)
    if match is None:
        return text
    parts = re.split(r"([\s-]+)", match[0])
    total, current, used, seen = 0, 0, 0, False
    for place in range(0, len(parts), 2):
        word = parts[place].lower()
        if word in UNITS or word in TENS:
            tens = current % 100 >= 20 and current % 10 == 0 and UNITS.get(word, 10) < 10
            if current % 100 and not tens:
                return text
            current += UNITS.get(word, TENS.get(word, 0))
        elif word == "hundred" and seen:
            current *= 100
        elif word in SCALE and seen:
            total, current = total + current * SCALE[word], 0
        elif not (word == "and" and seen and (total or current >= 100)):
            break
        else:
            continue
        seen, used = True, place + 1
    if not seen:
        return text
    consumed = len("".join(parts[:used]))
    return f"{total + current}{text[consumed:]}"


def named_set(text: str) -> Node | None:
    """A set of numbers that is given by its name."""
    name = NAMES.get(text.lower())
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
