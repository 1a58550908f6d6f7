"""`all`, `any` and `weighted`: one verdict from those of several verifiers.

A recipe names them: `verifiers: {mine: {use: weighted, of: {math: 0.9, format: 0.1}}}`. A part is
any verifier, with the options that the recipe's `verifiers` section gives to that name, so that
composites may hold composites. Every part judges every text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verifiers.base import Parts, Verifier, gold_problem, judge
from verifiers.records import Problem, Verdict

TOLERANCE = 1e-9


class Composite:
    """What the three share: parts, what they declare together, and their verdicts.

    of: names of the parts.
    parts: what loads them; given by `verifiers.base.load`.

    Raises ValueError where `of` names no part, or one twice.
    """

    composite = True
    word = ""
    own_version = "1"
    examples: Sequence[tuple[dict[str, Any], str, str]] = ()

    def __init__(self, of: Sequence[str], parts: Parts):
        names = [of] if isinstance(of, str) else list(of)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`of` must name its parts, each once, not {of!r}")
        self.parts = {name: parts.load(name) for name in names}
        mine = self.parts.values()
        boxed = any(getattr(part, "trust", "") == "boxed" for part in mine)
        self.trust = "boxed" if boxed else "pure"
        levels = [getattr(part, "isolation", "none") for part in mine]
        self.isolation = next((level for level in levels if level != "none"), "none")
        walls = [wall for part in mine if (wall := getattr(part, "limit", None))]
        self.limit = sum(walls) if walls else None
        self.judges_truncated = all(getattr(part, "judges_truncated", False) for part in mine)
        self.version = f"{self.own_version} ({parts.stated(self.parts)})"

    @property
    def gold_type(self) -> str:
        """`text` where a ground truth must be a correct answer for every part."""
        return "text" if all(_takes_text(part) for part in self.parts.values()) else "json"

    def check_gold(self, problem: Problem) -> str | None:
        """Why the first part that cannot use the ground truth cannot."""
        return next(iter(self._bad_golds(problem)), None)

    def _bad_golds(self, problem: Problem) -> list[str]:
        found = ((name, gold_problem(part, problem)) for name, part in self.parts.items())
        return [f"{name}: {why}" for name, why in found if why]

    def verify(self, problem: Problem, text: str) -> Verdict:
        """The verdicts of all parts, as one."""
        found = [judge(name, part, problem, text) for name, part in self.parts.items()]
        status, score = self.decide(found)
        shown = next((v for v in found if v.status == status and v.extracted is not None), found[0])
        cause = next((v for v in found if v.status == status), found[0])
        said = ", ".join(f"{v.verifier} {v.status}" for v in found)
        return Verdict(
            status=status,
            score=score,
            reason="" if status == "correct" else cause.reason or "different",
            extracted=shown.extracted,
            span=shown.span,
            method=f"{self.word}({said})",
            detail="; ".join(f"{v.verifier}: {v.detail}" for v in found if v.detail),
            why="; ".join(f"{v.verifier}: {v.why or v.status}" for v in found),
            isolation=next((v.isolation for v in found if v.isolation != "none"), "none"),
        )

    def decide(self, found: Sequence[Verdict]) -> tuple[Any, float]:
        """Status and score from the verdicts of the parts."""
        raise NotImplementedError


def _takes_text(part: Verifier) -> bool:
    return getattr(part, "gold_type", "") == "text"


class AllOf(Composite):
    """Correct where every part is: wrong where one is wrong, else undecided where one is.

    Its score is the lowest of its parts.
    """

    word = "all"
    examples = (
        ({"prompt": "2 + 2?", "answer": "4"}, "<think>4</think><answer>4</answer>", "correct"),
        ({"prompt": "2 + 2?", "answer": "4"}, "<think>5</think><answer>5</answer>", "wrong"),
        ({"prompt": "2 + 2?", "answer": "4"}, "It is 4.", "wrong"),
    )

    def __init__(self, parts: Parts, of: Sequence[str] = ("math", "format")):
        super().__init__(of, parts)

    def decide(self, found: Sequence[Verdict]) -> tuple[Any, float]:
        """The worst of them."""
        said = {verdict.status for verdict in found}
        status = next(s for s in ("wrong", "undecided", "correct") if s in said)
        return status, min(verdict.score for verdict in found)


class AnyOf(Composite):
    """Correct where one part is: undecided where none is and one cannot say, else wrong.

    Its score is the highest of its parts.
    """

    word = "any"
    examples = (
        ({"prompt": "2 + 2?", "answer": "4"}, "It is 4.", "correct"),
        ({"prompt": "Say it.", "answer": "let it be"}, "let it be", "correct"),
        ({"prompt": "2 + 2?", "answer": "4"}, "It is 5.", "wrong"),
    )

    def __init__(self, parts: Parts, of: Sequence[str] = ("exact", "math")):
        super().__init__(of, parts)

    @property
    def gold_type(self) -> str:
        """`text` where a ground truth must be a correct answer for one part."""
        return "text" if any(_takes_text(part) for part in self.parts.values()) else "json"

    def check_gold(self, problem: Problem) -> str | None:
        """Why no part can use the ground truth."""
        faults = self._bad_golds(problem)
        return "; ".join(faults) if len(faults) == len(self.parts) else None

    def decide(self, found: Sequence[Verdict]) -> tuple[Any, float]:
        """The best of them."""
        said = {verdict.status for verdict in found}
        status = next(s for s in ("correct", "undecided", "wrong") if s in said)
        return status, max(verdict.score for verdict in found)


class Weighted(Composite):
    """The weighted sum of the parts' scores; correct where it reaches `threshold`.

    of: weights by part, above 0; what they add up to counts as 1.
    threshold: from which score, above 0 and at most 1, the status is `correct`.

    Undecided where a part is: its share of the score is not known.
    """

    word = "weighted"
    examples = (
        ({"prompt": "2 + 2?", "answer": "4"}, "<think>4</think><answer>4</answer>", "correct"),
        ({"prompt": "2 + 2?", "answer": "4"}, "It is 4.", "wrong"),
        ({"prompt": "2 + 2?", "answer": "4"}, "<think>5</think><answer>5</answer>", "wrong"),
    )

    def __init__(self, parts: Parts, of: Mapping[str, float] | None = None, threshold: float = 1.0):
        weights = {"math": 0.9, "format": 0.1} if of is None else of
        if not isinstance(weights, Mapping):
            raise ValueError(f"`of` must give each part its weight, not {of!r}")
        if not all(isinstance(w, int | float) and 0 < w < 1e9 for w in weights.values()):
            raise ValueError(f"weights must be above 0, not {dict(weights)}")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, not {threshold}")
        self.threshold = threshold
        total = sum(weights.values())
        self.weights = {name: weight / total for name, weight in weights.items()}
        super().__init__(list(weights), parts)

    def decide(self, found: Sequence[Verdict]) -> tuple[Any, float]:
        """The sum, and whether it is enough."""
        total = sum(self.weights[v.verifier] * v.score for v in found)
        score = min(1.0, round(total, 9))
        if any(verdict.status == "undecided" for verdict in found):
            return "undecided", 0.0
        return ("correct" if score >= self.threshold - TOLERANCE else "wrong"), score
