"""Which language a text is written in, by py3langid: the whole of it, and every longer part."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from verifiers.constraints.kinds import Args

CODES = """
    af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu ha he hi hr ht hu hy
    id is it ja ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms mt my ne nl no or pa pl ps pt ro
    ru si sk sl so sq sr sv sw ta te th tl tr ug uk ur uz vi xh yo zh zu
"""
LANGUAGES = frozenset(CODES.split())
ALIKE = (
    {"da", "no"}, {"id", "ms"}, {"hr", "sr", "bs", "sl"}, {"hi", "mr", "ne"}, {"cs", "sk"},
    {"es", "gl", "pt", "ca"}, {"bg", "mk", "ru", "uk", "be", "sr"}, {"zu", "xh"}, {"af", "nl"},
    {"fa", "ur", "ar", "ps", "ug", "ku"}, {"az", "tr"}, {"kk", "ky", "mn"},
)  # fmt: skip
NAMES = {"zh-cn": "zh", "zh-tw": "zh", "nb": "no", "nn": "no", "iw": "he", "in": "id", "fil": "tl"}
PARTS = re.compile(r"\n+|(?<=[.!?])\s+|(?<=[。！？।])")
CODE = re.compile(r"```.*?(?:```|\Z)|https?://\S+", re.S)
MARKS = re.compile(r"[\d_*#`<>|\[\](){}\"“”«»]+")
WHOLE = 20_000
LONG = 24
MOST_PARTS = 400
SURE = 0.9
PLAUSIBLE = 0.2
NEARLY = 0.02


def code(value: Any) -> str:
    """An ISO 639-1 code of a language that can be told; raises ValueError."""
    name = value.strip().lower() if isinstance(value, str) else ""
    name = NAMES.get(name, name)
    if name not in LANGUAGES:
        raise ValueError("must be the code of a known language, such as 'de'")
    return name


def response_language(text: str, args: Args) -> tuple[bool, str]:
    """The text is in one language throughout."""
    return written_in(text, args["language"])


def written_in(text: str, wanted: str) -> tuple[bool, str]:
    """Whether `text` is in the language `wanted`, and no longer part of it in another one.

    Code blocks and links do not count. A text too short to tell is taken for what it may be.
    """
    text = MARKS.sub(" ", CODE.sub(" ", text)).replace("\r", "\n")
    if not any(character.isalpha() for character in text):
        return False, "it has no words"
    scores = _scores(_evenly(text))
    best = max(scores, key=lambda name: scores[name])
    if best != wanted and scores[wanted] < PLAUSIBLE * scores[best] and not _alike(best, wanted):
        return False, f"it reads like {best}, not {wanted}"
    parts = [part.strip() for part in PARTS.split(text) if _letters(part) >= LONG]
    for part in parts[:: 1 + len(parts) // MOST_PARTS]:
        scores = _scores(part[:WHOLE])
        best = max(scores, key=lambda name: scores[name])
        if scores[best] >= SURE and scores[wanted] < NEARLY and not _alike(best, wanted):
            return False, f"a part reads like {best}: {part[:60]!r}"
    return True, f"it reads like {wanted}"


def _evenly(text: str) -> str:
    """At most `WHOLE` characters, from the beginning, the middle and the end."""
    if len(text) <= WHOLE:
        return text
    third, middle = WHOLE // 3, len(text) // 2
    return "\n".join((text[:third], text[middle : middle + third], text[-third:]))


def _letters(part: str) -> float:
    """How many letters a part has; those of scripts that write a syllable count double."""
    letters = sum(map(str.isalpha, part[:1000]))
    return letters if part[:1000].isascii() else 2 * letters


def _alike(one: str, other: str) -> bool:
    return any(one in group and other in group for group in ALIKE)


def _scores(text: str) -> dict[str, float]:
    return dict(_identifier().rank(text))


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
