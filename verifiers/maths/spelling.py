"""Numbers in words: forty-two, minus five, two and a half, three quarters, a dozen."""

from __future__ import annotations

import re

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
PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "hundredth": 100,
}  # fmt: skip
PART = "|".join(PARTS)
SPELLED = re.compile(r"[A-Za-z]+(?:[\s-]+[A-Za-z]+)*")
SIGN = re.compile(r"(?:minus|negative)\s+(?=[\\$\dA-Za-z])", re.I)
SPANS = "second|minute|hour|day|week|fortnight|month|year|decade|century|mile|dollar|cent|euro"
ARTICLE = re.compile(rf"an?\s+(?=(?:dozen|{'|'.join(SCALE)}|{PART}|{SPANS})\b)", re.I)
HALF = re.compile(r"half(?:\s+(?:an?|of))?(?![A-Za-z-])", re.I)
FRACTION = re.compile(rf"(\d+)[\s-]+(?:({PART})s?|halves)\b", re.I)
MIXED = re.compile(rf"(\d+)[\s-]+and[\s-]+(?:(an?|\d+)[\s-]+)({PART}|halves)s?\b", re.I)


def spelled(text: str) -> str:
    """`text` with a number in words at its start as digits."""
    if (sign := SIGN.match(text)) is not None:
        rest = spelled(text[sign.end() :])
        return f"-{rest}" if rest[:1].isdigit() or rest[:1] in "\\$" else text
    if (half := HALF.match(text)) is not None:
        return f"1/2{text[half.end() :]}"
    text = ARTICLE.sub("1 ", text, count=1) if ARTICLE.match(text) else _whole(text)
    if (mixed := MIXED.match(text)) is not None:
        count = mixed[2] if mixed[2].isdigit() else _count(mixed[2])
        return f"{mixed[1]} {count}/{_part(mixed[3])}{text[mixed.end() :]}"
    if (fraction := FRACTION.match(text)) is not None:
        return f"{fraction[1]}/{_part(fraction[2] or 'half')}{text[fraction.end() :]}"
    return text


def _part(name: str) -> int:
    return PARTS.get(name.lower(), 2)


def _count(word: str) -> int:
    return UNITS.get(word.lower(), 1)


def _whole(text: str) -> str:
    """A whole number in words at the start, as digits; also the count of a mixed number."""
    match = SPELLED.match(text)
    if match is None:
        return text
    parts = re.split(r"([\s-]+)", match[0])
    total, current, used, seen = 0, 0, 0, False
    for place in range(0, len(parts), 2):
        word = parts[place].lower()
        if word in UNITS or word in TENS:
            if place + 2 < len(parts) and _part_word(parts[place + 2]) and seen:
                break
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
    rest = text[consumed:]
    more = re.match(rf"[\s-]+and[\s-]+([A-Za-z]+)(?=[\s-]+(?:{PART}|halves))", rest, re.I)
    if more is not None and more[1].lower() in UNITS:
        rest = f" and {UNITS[more[1].lower()]}{rest[more.end() :]}"
    return f"{total + current}{rest}"


def _part_word(word: str) -> bool:
    word = word.lower()
    return word in PARTS or word.removesuffix("s") in PARTS or word == "halves"
