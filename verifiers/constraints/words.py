"""Constraints on words, sentences, letters and case."""

from __future__ import annotations

import re
import unicodedata

from verifiers.constraints import language
from verifiers.constraints.kinds import Args, compare, exactly

UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORD = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[^\W_])(?:(?![{UNSPACED}])[\w'’.-]*[^\W_])?")
SENTENCE = re.compile(r"[.!?…。！？।؟]+[\"'”’»)\]*_」』]*")
BLOCK = re.compile(r"\n\s*\n|\n(?=[ \t]*(?:[-*+•#>]|\d{1,3}[.)])[ \t])")
HEADING = re.compile(r"(?m)^(#.*)$")
TITLES = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "gen", "col", "capt", "lt", "rev", "hon",
     "vs", "cf", "approx", "e.g", "i.e")
)  # fmt: skip
NUMBERED = frozenset(("no", "nos", "fig", "vol", "p", "pp", "ch", "sec", "art", "eq"))
SHORTENED = frozenset(("etc", "inc", "ltd", "co", "corp", "dept", "est"))
ITEM = re.compile(r"\W*(?:\d{1,3}|[ivxIVX]{1,4}|[A-Za-z])")
COMMAS = ",，،、﹐︐"
PARAGRAPH = re.compile(r"\n[ \t]*\n")
DIVIDER = re.compile(r"(?<![^\s])\*\*\*(?![^\s])")


def _words(text: str) -> list[str]:
    return WORD.findall(text)


def _occurrences(keyword: str, text: str) -> int:
    """How often `keyword` stands in `text` as whole words; case and blanks are folded."""
    key = " ".join(unicodedata.normalize("NFC", keyword).casefold().split())
    held = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    spaced = rf"(?:(?![{UNSPACED}])\w)"
    before = rf"(?<!{spaced})" if re.match(spaced, key) else ""
    after = rf"(?!{spaced})" if re.match(spaced, key[-1]) else ""
    return len(re.findall(before + re.escape(key) + after, held))


def existence(text: str, args: Args) -> tuple[bool, str]:
    """All keywords occur."""
    missing = [key for key in args["keywords"] if not _occurrences(key, text)]
    return not missing, f"missing: {', '.join(missing)}" if missing else "all are there"


def frequency(text: str, args: Args) -> tuple[bool, str]:
    """A keyword occurs so often."""
    found = _occurrences(args["keyword"], text)
    return compare(found, args["relation"], args["frequency"], f"times {args['keyword']!r}")


def forbidden_words(text: str, args: Args) -> tuple[bool, str]:
    """None of the words occurs."""
    held = [word for word in args["forbidden_words"] if _occurrences(word, text)]
    return not held, f"it holds {', '.join(held)}" if held else "none of them occurs"


def letter_frequency(text: str, args: Args) -> tuple[bool, str]:
    """A letter occurs so often, small or capital."""
    found = text.casefold().count(args["letter"].casefold())
    return compare(found, args["let_relation"], args["let_frequency"], f"times {args['letter']!r}")


def number_words(text: str, args: Args) -> tuple[bool, str]:
    """So many words."""
    return compare(len(_words(text)), args["relation"], args["num_words"], "words")


def number_sentences(text: str, args: Args) -> tuple[bool, str]:
    """So many sentences."""
    return compare(count_sentences(text), args["relation"], args["num_sentences"], "sentences")


def count_sentences(text: str) -> int:
    """Sentences end with a mark, a paragraph, a list item or a heading; abbreviations, initials and
    the numbers of a list end none."""
    return sum(map(_sentences, BLOCK.split(HEADING.sub(r"\1\n", text))))


def _sentences(block: str) -> int:
    line = " ".join(block.split())
    total = start = 0
    for match in SENTENCE.finditer(line):
        if _ends(line, start, match):
            total += _said(line[start : match.end()])
            start = match.end()
    return total + _said(line[start:])


def _said(piece: str) -> int:
    return int(any(character.isalnum() for character in piece))


def _ends(line: str, begin: int, match: re.Match[str]) -> bool:
    """Whether a mark ends the sentence that starts at `begin`, by what stands around it."""
    mark, rest = match[0], line[match.end() : match.end() + 2]
    if not rest.strip() or mark[0] in "。！？":
        return True
    if not rest[0].isspace():
        return False
    after = rest.strip()
    if mark == ".":
        start = line.rfind(" ", max(0, match.start() - 12), match.start()) + 1
        word = line[start : match.start()].lstrip("(\"'“‘*_")
        if match.start() - begin < 7 and ITEM.fullmatch(line[begin : match.start()]):
            return False
        name = word.lower()
        if name in TITLES or (len(word) == 1 and word.isupper() and word != "I"):
            return False
        if name in NUMBERED and after.isdigit():
            return False
        shortened = name in SHORTENED or ("." in name and not name[0].isdigit())
        return not shortened or after.isupper()
    return not (after.islower() and (mark[-1] not in ".!?…।؟" or mark.startswith(("..", "…"))))


def number_paragraphs(text: str, args: Args) -> tuple[bool, str]:
    """So many paragraphs with `***` between them; it may also stand at the start and the end."""
    parts = [part.strip() for part in DIVIDER.split(text)]
    parts = parts[not parts[0] : len(parts) - (not parts[-1])]
    if not all(parts):
        return False, "an empty paragraph"
    return exactly(len(parts), args["num_paragraphs"], "paragraphs between ***")


def nth_paragraph_first_word(text: str, args: Args) -> tuple[bool, str]:
    """So many paragraphs with an empty line between them, and how one of them begins."""
    parts = [part.strip() for part in PARAGRAPH.split(text) if part.strip()]
    right, said = exactly(len(parts), args["num_paragraphs"], "paragraphs")
    if not right:
        return right, said
    first = next(iter(_words(parts[args["nth_paragraph"] - 1])), "")
    same = first.casefold() == args["first_word"].casefold().strip(".,;:!?\"'")
    return same, f"paragraph {args['nth_paragraph']} begins with {first!r}"


def capital_word_frequency(text: str, args: Args) -> tuple[bool, str]:
    """So many words in capital letters; `I` and `A` are such words."""
    found = sum(word.isupper() for word in _words(text))
    return compare(
        found, args["capital_relation"], args["capital_frequency"], "words in capital letters"
    )


def english_capital(text: str, args: Args) -> tuple[bool, str]:
    """English without a small letter."""
    return _cased(text, text.isupper(), "a small letter")


def english_lowercase(text: str, args: Args) -> tuple[bool, str]:
    """English without a capital letter."""
    return _cased(text, text.islower(), "a capital letter")


def _cased(text: str, right: bool, other: str) -> tuple[bool, str]:
    if not right:
        return False, f"it has {other}, or no letter at all"
    return language.written_in(text.lower(), "en")


def no_comma(text: str, args: Args) -> tuple[bool, str]:
    """No comma of any script, also not in a number."""
    found = sum(text.count(comma) for comma in COMMAS)
    return found == 0, f"{found} commas"
