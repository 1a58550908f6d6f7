"""The options of a multiple-choice question, and how a text may name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from verifiers.golds import structured

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GUESSED = LETTERS[:10]
MOST = 26
LONGEST = 2_000
MARKUP = re.compile(
    r"~~[^~\n]{1,200}~~|\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|boldsymbol|bf|rm"
    r"|boxed|fbox|bm)\b\s*\{?"
    r"|\\[()\[\],;! ]|\\q?quad\b|[*_`$~{}]|</?[a-z_]{1,20}>"
)
NARROW = str.maketrans(
    {0xFF21 + n: letter for n, letter in enumerate(LETTERS)}
    | {0x24B6 + n: letter for n, letter in enumerate(LETTERS)}
    | dict(zip("（）：，；。？！’‘“”【】「」", "():,;.?!''\"\"[][]", strict=True))
)
LISTED = re.compile(r"(?m)^[ \t]*[-*]?[ \t]*\(?([A-Z])[).:][ \t]+(\S.*?)[ \t]*$")
INLINE = re.compile(r"(?:(?<=\s)|^)\(?([A-Z])[).:]\s+(.+?)(?=\s+\(?[A-Z][).:]\s|\s*$)", re.S)
TYPESET = re.compile(
    r"\\(?:text(?:bf|rm)?|mathrm|mathbf|rm|bf)\s*\{\s*\(([A-Z])\)\s*\}|\\q?quad(?![A-Za-z])"
)
ASIDE = " .,:;!?'\"()[]-"


class BadOptions(ValueError):
    """Options or a right answer that cannot be used."""


def clean(text: str) -> str:
    """The same text without mark-up, every character in its place."""
    return MARKUP.sub(lambda match: " " * len(match[0]), text.translate(NARROW))


def folded(text: str) -> str:
    """A text as it is compared: no mark-up, no case, no punctuation around it."""
    return " ".join(clean(text).casefold().split()).strip(ASIDE)


class Options:
    """Labels and texts of a question's options, and which of them are right.

    Raises BadOptions where `answer` and `prompt` do not say.
    """

    def __init__(self, answer: Any, prompt: str):
        given = structured(answer)
        if not isinstance(given, Mapping):
            given = {"options": printed(prompt), "correct": given}
        self.texts = _named(given.get("options"))
        self.stated = any(self.texts.values())
        self.right = frozenset(self._right(given.get("correct")))
        self.folded = {label: folded(text) for label, text in self.texts.items()}
        labels = {folded(label) for label in self.texts}
        self.telling = {
            label: text
            for label, text in self.folded.items()
            if text and text not in labels and list(self.folded.values()).count(text) == 1
        }
        self.label = "|".join(re.escape(label) for label in sorted(self.texts, key=len)[::-1])
        words = sorted(self.telling.items(), key=lambda item: -len(item[1]))
        self.spelled = {_pattern(text): label for label, text in words}

    def _right(self, correct: Any) -> Iterable[str]:
        many = correct if isinstance(correct, list) else [correct]
        if not many:
            raise BadOptions("no option is said to be right")
        return {self._label(one) for one in many}

    def _label(self, one: Any) -> str:
        if isinstance(one, int) and not isinstance(one, bool) and str(one) not in self.texts:
            one = dict(enumerate(self.texts)).get(one, one)
        said = str(one).strip().strip("().:[] ") if one is not None else ""
        by_label = {label.casefold(): label for label in self.texts}
        if said.casefold() in by_label:
            return by_label[said.casefold()]
        same = [
            label for label, text in self.texts.items() if said and folded(text) == folded(said)
        ]
        if len(same) != 1:
            raise BadOptions(f"the right answer {said[:60]!r} is none of the options")
        return same[0]

    def canonical(self, said: str) -> str:
        """The label that `said` spells, in whatever case."""
        return next(label for label in self.texts if label.casefold() == said.casefold())

    def spelling(self, text: str) -> str | None:
        """The option that has just this text, and no other."""
        said = folded(text)
        return next((label for label, own in self.telling.items() if own == said), None)

    def opening(self, text: str) -> tuple[str, int] | None:
        """The option whose text stands at the start of `text`, and where it ends."""
        for pattern, label in self.spelled.items():
            if match := pattern.match(text):
                return label, match.end()
        return None

    def named(self, text: str) -> set[str]:
        """All options whose text stands in `text`; one inside a longer one does not count."""
        found = set()
        for pattern, label in self.spelled.items():
            if pattern.search(text):
                found.add(label)
                text = pattern.sub(" ", text)
        return found


def _pattern(text: str) -> re.Pattern[str]:
    words = r"[\s$*_{}\\]+".join(re.escape(word) for word in text.split())
    return re.compile(rf"(?<![\w.,/-])(?:(?:an?|the)\s+)?{words}(?![\w/]|[.,-]\d)", re.I)


def _named(options: Any) -> dict[str, str]:
    """Options by label; a list is labelled A, B, C; none at all may be A to J."""
    if not options:
        return dict.fromkeys(GUESSED, "")
    if isinstance(options, Mapping):
        texts = {str(key).strip("().: "): str(value) for key, value in options.items()}
    elif isinstance(options, list):
        texts = dict(zip(LETTERS, map(str, options), strict=False))
    else:
        raise BadOptions(f"options must be a list or an object, not {type(options).__name__}")
    if len(texts) != len(options) or len(texts) > MOST or not all(texts):
        raise BadOptions(f"there must be at most {MOST} options, each with a label of its own")
    if any(len(text) > LONGEST for text in texts.values()):
        raise BadOptions(f"an option of over {LONGEST} characters")
    return texts


def printed(prompt: str) -> dict[str, str]:
    """The options that stand in a prompt, labelled from A on; empty where there are none."""
    prompt = TYPESET.sub(lambda label: f" ({label[1]}) " if label[1] else " ", prompt[-20_000:])
    for pattern in (LISTED, INLINE):
        found = [(match[1], match[2]) for match in pattern.finditer(prompt)]
        starts = [place for place, (label, _) in enumerate(found) if label == "A"]
        run = found[starts[-1] :] if starts else []
        labels = [label for label, _ in run]
        if len(run) > 1 and labels == list(LETTERS[: len(run)]):
            return dict(run)
    return {}
