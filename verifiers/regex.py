"""`regex`: the text matches the pattern that is its ground truth, in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from verifiers import patterns
from verifiers.extract import marked
from verifiers.golds import plain
from verifiers.records import Problem, Verdict
from verifiers.visible import visible

if TYPE_CHECKING:
    import regex

TOO_LONG = f"the pattern was not done after {patterns.SECONDS} s"


class Regex:
    """Correct where the pattern matches; patterns are those of the package `regex`.

    match: `fullmatch`, the pattern must match all of it, or `search`, it may match anywhere.
    of: `text`, what follows the last `</think>` without blanks around it, or `answer`, what stands
        in the last box or answer tag or behind "the answer is".
    case: False ignores upper and lower case.
    """

    version = "1"
    trust = "pure"
    gold_type = "label"
    examples = (
        ({"prompt": "A date?", "answer": r"\d{4}-\d\d-\d\d"}, "1999-12-31", "correct"),
        ({"prompt": "A date?", "answer": r"\d{4}-\d\d-\d\d"}, "31.12.1999", "wrong"),
        ({"prompt": "A date?", "answer": r"\d{4}-\d\d-\d\d"}, "Or 1999-12-31", "wrong"),
        ({"prompt": "A date.", "answer": "(unclosed"}, "1999-12-31", "undecided"),
    )  # fmt: skip

    def __init__(
        self,
        match: Literal["fullmatch", "search"] = "fullmatch",
        of: Literal["text", "answer"] = "text",
        case: bool = True,
    ):
        if match not in ("fullmatch", "search"):
            raise ValueError(f"match must be fullmatch or search, not {match!r}")
        if of not in ("text", "answer"):
            raise ValueError(f"of must be text or answer, not {of!r}")
        self.match, self.of, self.case = match, of, case

    def _pattern(self, problem: Problem) -> regex.Pattern[str]:
        import regex

        return patterns.compiled(plain(problem.answer), 0 if self.case else regex.IGNORECASE)

    def check_gold(self, problem: Problem) -> str | None:
        """A gold must be a pattern that compiles and does not match nothing at all."""
        if not plain(problem.answer):
            return "the pattern is empty"
        try:
            if patterns.find(self._pattern(problem), "", whole=True):
                return "the pattern matches an empty text"
        except patterns.BadPattern as error:
            return str(error)
        except TimeoutError:
            return TOO_LONG
        return None

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Match what counts of the text."""
        said, how = visible(text).strip(), "text"
        if self.of == "answer":
            found = marked(visible(text))
            said, how = (found.text.strip(), found.how) if found else ("", "answer")
        if not said:
            return Verdict(
                status="wrong", reason="no_answer", method=f"{how}/{self.match}",
                why=f"there is no {self.of} to match",
            )  # fmt: skip
        try:
            match = patterns.find(self._pattern(problem), said, self.match == "fullmatch")
        except (TimeoutError, MemoryError):
            return Verdict(
                status="undecided", reason="timeout", detail=TOO_LONG, method=f"{how}/{self.match}",
                extracted=said, why="matching was stopped",
            )  # fmt: skip
        shown = match[0] if match and match[0] else said
        start = text.rfind(said)
        start += match.start() if start >= 0 and match and match[0] else 0
        return Verdict(
            status="correct" if match else "wrong",
            reason="" if match else "different",
            extracted=shown,
            span=(start, start + len(shown)) if start >= 0 else None,
            method=f"{how}/{self.match}",
            why=f"the pattern {'matches' if match else 'does not match'} "
            f"{'all' if self.match == 'fullmatch' else 'any part'} of the {self.of}",
        )
