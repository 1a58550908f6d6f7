"""How a text names options: by label, by label and text, or by text alone."""

from __future__ import annotations

import re

from verifiers.choices.options import Options
from verifiers.choices.phrases import (
    LISTING,
    NAMED,
    RESTED,
)


class Names:
    """Finds names of `options` in text that was cleaned."""

    def __init__(self, options: Options):
        self.options = options
        label = options.label
        self.listing = {name.casefold() for name in options.texts} | LISTING
        self.head = re.compile(
            rf"(?:(?:option|choice|letter|answer|alternative|opción)s?\s+)?([(\[]?)\s*({label})(?![A-Za-z0-9_À-ʯ])"
            rf"(?!'\w|[.,]\d)\s*([)\].:]*)",
            re.I,
        )
        self.mention = re.compile(
            rf"(?<![A-Za-z0-9_'\\.+=^-])(?:(option|choice|answer|alternative)s?\s+)?"
            rf"([(\[]?)({label})(?![\w^=+]|'(?!s\b)\w|[.,]\d|-\w)(\s?[)\]])?",
            re.I,
        )

    def _head(self, rest: str) -> tuple[str, int] | None:
        """The option that `rest` starts with, and where its name ends."""
        match = self.head.match(rest)
        worded = self.options.opening(rest)
        if match and self._is_label(match, rest) and (not worded or worded[1] <= match.end()):
            return self.options.canonical(match[2]), match.end()
        return worded

    def _is_label(self, match: re.Match[str], rest: str) -> bool:
        """Whether a letter is a label, and not a word such as "a" or "I"."""
        after = rest[match.end() :]
        if match[2] == "I" and not match[1] and not re.match(r"\s*[.)!]*\s*$", after):
            return bool(self.options.opening(after.lstrip()))
        if match[1] or match[3] or RESTED.match(after) or match.start(2) > 0:
            return True
        own = self.options.opening(after.lstrip())
        upper = match[2].isupper() and match[2] not in "AI"
        return (
            upper or match[2].isdigit() or bool(own and self.options.canonical(match[2]) == own[0])
        )

    def _own_text(self, label: str, rest: str) -> tuple[str, bool]:
        """What follows a label and its text; False where the text is another option's."""
        lead = re.match(r"[\s.):\]–—=(-]*", rest)
        behind = rest[lead.end() :] if lead else rest
        opened = self.options.opening(behind)
        if opened is None:
            return rest, True
        return behind[opened[1] :].lstrip(")\"' "), opened[0] == label

    def _labels(self, text: str) -> set[str]:
        """All options that a piece of text names."""
        found = {
            self.options.canonical(match[3])
            for match in self.mention.finditer(text)
            if self._certain(match, text)
        }
        return found | self.options.named(text)

    def _certain(self, match: re.Match[str], text: str) -> bool:
        after = text[match.end() :]
        letter = match[3]
        if NAMED.search(text[: match.start()]):
            return False
        if match[1] or (match[2] and match[4]):
            return True
        if not letter.isalpha() or letter.islower():
            return False
        if letter in "AI":
            return bool(
                re.match(
                    r"\s*(?:[.,:;!?)\]✓✔✅☑❌✗]|$|(?:is|was|are|would|must|has to|can(?:not|'t)?"
                    r"|could|might|and|or"
                    r"|it is|seems|looks|fits|works|matches|because|since|remains|wins)\b|[–—-])",
                    after,
                )
            ) and not (letter == "I" and not match[2] and re.match(r"\s*[a-z]", after))
        return True

    def _without(self, said: str) -> str:
        """A text without the texts of the options in it."""
        for pattern in self.options.spelled:
            said = pattern.sub(" ", said)
        return said
