"""`choice`: the option that a text settles on is the right one.

docs/verifiers.md states the policies. `verifiers.choices` reads options and claims.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from verifiers import scope
from verifiers.choices.claims import ALONE, EXPLICIT, JUDGED, Claim, Reader
from verifiers.choices.options import BadOptions, Options, clean
from verifiers.choices.phrases import BESIDE, COUNTED, SENTENCE, VOID
from verifiers.golds import structured
from verifiers.marks import BOX, closing
from verifiers.records import Problem, Verdict, canonical_json
from verifiers.visible import visible

LONGEST_SENTENCE = 500
LAST = 20_000
TAGS = 20
CLAIMS = 200
LONGEST_GOLD = 100_000
CLOSED = re.compile(r"</(answer|final_answer|ans)>", re.I)
HASHES = re.compile(r"(?m)^[ \t]*####[ \t]*(\S.*)$")
TURNED = re.compile(
    rf"{scope.RETRACTION.pattern}|\bor (?:is|was|maybe|perhaps)\b|\b(?:(?:just )?kidding|mistake\w*"
    r"|re-?(?:check|consider|read|think)\w*|chang(?:e|ing) (?:my|the) (?:answer|mind)|instead"
    r"|revis\w+|i was wrong)\b",
    re.I,
)
DENIED = re.compile(r"(?:\bnot|n't|\bnever|\bthan|\binstead of)[\s(\[]*$", re.I)
GLUE = re.compile(r"[\s,$;&.\\]*(?:and|or)?[\s,$;&.\\]*", re.I)
SPREAD = 3


class Choice:
    """Correct where the text settles on the right option, and on no other."""

    version = "9"
    trust = "pure"
    gold_type = "json"
    examples = (
        (
            {
                "prompt": "Capital of France?",
                "answer": {"options": ["Rome", "Paris"], "correct": "B"},
            },
            "I would say (B) Paris.",
            "correct",
        ),
        ({"prompt": "Which?\nA) tin\nB) iron", "answer": "A"}, "The answer is tin.", "correct"),
        ({"prompt": "Which?\nA) tin\nB) iron", "answer": "A"}, "A? No, it is B.", "wrong"),
        ({"prompt": "Which?\nA) tin\nB) iron", "answer": "A"}, "A or B", "wrong"),
        ({"prompt": "Which?\nA) tin\nB) iron", "answer": "B"}, "It can't be B.", "wrong"),
        ({"prompt": "Which?\nA) tin\nB) iron", "answer": "C"}, "C", "undecided"),
    )

    def check_gold(self, problem: Problem) -> str | None:
        """Options must be told apart, and the right answer must be among them."""
        try:
            _reader(canonical_json(structured(problem.answer)), problem.text)
        except (BadOptions, ValueError) as error:
            return str(error)
        return None

    def vote(self, problem: Problem, text: str) -> Any:
        """What the text answers, as a ground truth; None where it settles on nothing."""
        gold = structured(problem.answer)
        options = gold.get("options") if isinstance(gold, dict) else None
        first = {"options": options, "correct": 0} if options else "A"
        reader = _reader(canonical_json(first), problem.text)
        claim = settled(reader, text)
        if claim is None or claim.labels is None:
            return None
        labels = sorted(claim.labels)
        return {"options": options, "correct": labels} if options else labels

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Find the option that the text settles on."""
        reader = _reader(canonical_json(structured(problem.answer)), problem.text)
        claim = settled(reader, text)
        if claim is None:
            return Verdict(
                status="wrong", reason="no_answer", method="choice",
                why="no sentence, box or tag settles on an option",
            )  # fmt: skip
        gold, named = reader.options.right, claim.labels
        right = named == gold
        said = "several options, held open" if named is None else _list(named)
        return Verdict(
            status="correct" if right else "wrong",
            reason="" if right else "different",
            extracted=text[claim.start : claim.end] if named is None else _list(named),
            span=(claim.start, claim.end),
            method=f"choice/{claim.how}",
            why=f"by its {claim.how} the text settles on {said}; right is {_list(gold)}",
        )


def _list(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels))


def _reader(answer: str, prompt: str) -> Reader:
    if len(answer) > LONGEST_GOLD:
        raise BadOptions(f"an answer of over {LONGEST_GOLD} characters")
    return _read(answer, prompt[-LAST:])


@lru_cache(maxsize=256)
def _read(answer: str, prompt: str) -> Reader:
    return Reader(Options(json.loads(answer), prompt))


def settled(reader: Reader, text: str) -> Claim | None:
    """The claim that counts, at its place in the whole text; None where nothing is settled."""
    seen = visible(text)
    skipped = text.rfind(seen) if seen else 0
    if len(seen) > LAST:
        skipped += len(seen) - LAST
        seen = seen[-LAST:]
    plain = clean(seen)
    placed = _boxes(reader, seen, plain)
    made = list(reader.claims(plain))
    stands = made[:-CLAIMS] + [
        c for c in made[-CLAIMS:] if c.denied or not scope.governed(plain, c.start, c.end)
    ]
    claims = sorted([*placed, *stands], key=lambda claim: claim.end)
    claim = _final(reader, claims, plain)
    if claim is None and not any(c.labels is None or not c.denied for c in claims):
        last = _last_sentence(plain)
        claim = reader.told(plain[last:], last) if len(plain) - last < LONGEST_SENTENCE else None
        if claim and any(c.denied and c.labels == claim.labels for c in claims):
            claim = None
    if claim is None:
        return None
    return claim._replace(start=claim.start + skipped, end=claim.end + skipped)


def _last_sentence(plain: str) -> int:
    body = plain.rstrip()
    cuts = [cut.end() for cut in SENTENCE.finditer(body)]
    return cuts[-1] if cuts else 0


def _boxes(reader: Reader, seen: str, plain: str) -> list[Claim]:
    """Claims of boxes, tags and marked lines; boxes side by side are one claim."""
    places: list[tuple[int, int, str]] = []
    over = 0
    for match in BOX.finditer(seen):
        start = match.end()
        if start < over:
            continue
        end = closing(seen, start) if seen[start] == "{" else start + 1
        over = len(seen) if end is None else end
        places.append((start, over, "box" if end else "open box"))
    places += _tags(seen)
    opened = seen.rfind("<answer>")
    if opened >= 0 and "</answer>" not in seen[opened:]:
        places.append((opened, len(seen), "open tag"))
    places += [(m.start(1), m.end(1), "mark") for m in HASHES.finditer(seen)]
    found: list[Claim] = []
    for start, end, how in sorted(places)[-100:]:
        payload = plain[start:end]
        if found and start < found[-1].end:
            continue
        claim = reader.read(payload, EXPLICIT, start, how) if not how.startswith("open") else None
        claim = claim or Claim(EXPLICIT, None, start, end, how)
        if "?" in payload:
            claim = claim._replace(labels=None)
        if DENIED.search(plain[max(0, start - 40) : start]):
            claim = claim._replace(denied=True)
        if not payload.strip():
            continue
        claim = claim._replace(end=end)
        last = found[-1] if found else None
        between = seen[last.end + 1 : start].partition("\\boxed")[0] if last else "-"
        if last and how == last.how == "box" and GLUE.fullmatch(between):
            both = last.labels and claim.labels and "or" not in between
            labels = last.labels | claim.labels if both and last.labels and claim.labels else None
            claim = found.pop()._replace(labels=labels, end=claim.end)
        found.append(claim)
    return found


def _tags(seen: str) -> Iterator[tuple[int, int, str]]:
    """What stands in the last answer tags."""
    lowered = seen.lower()
    for close in list(CLOSED.finditer(seen))[-TAGS:]:
        opening = f"<{close[1].lower()}>"
        start = lowered.rfind(opening, 0, close.start())
        if start >= 0:
            yield start + len(opening), close.start(), "tag"


def _final(reader: Reader, claims: list[Claim], plain: str) -> Claim | None:
    """The last claim of the highest rank, unless what follows takes it back."""
    made = [
        claim
        for claim in claims
        if not claim.denied
        and not (
            claim.rank == ALONE and COUNTED.search(plain[max(0, claim.start - 20) : claim.start])
        )
    ]
    if not made:
        return None
    rank = max(claim.rank for claim in made)
    best = [claim for claim in made if claim.rank == rank]
    final = best[-1]
    if rank <= JUDGED and not _agree(best, plain):
        final = final._replace(labels=None)
    if rank == EXPLICIT and len({claim.labels for claim in best}) >= SPREAD:
        first = next(c for c in reversed(best[:-1]) if c.labels != final.labels)
        if not TURNED.search(plain[first.end : final.start]):
            final = final._replace(labels=None)
    void = VOID.search(plain[final.end : final.end + LAST])
    if void:
        later = [c for c in made if c.start >= final.end + void.start()]
        return later[-1] if later else None
    beside = BESIDE.search(plain, final.end)
    if beside and reader.others(plain[beside.start() :], final.labels):
        return final._replace(labels=None)
    cue = TURNED.search(plain, final.end)
    if cue:
        later = [c for c in made if c.start >= cue.start() and c.rank > ALONE]
        later = later or [c for c in made if c.start >= cue.start()]
        if not later and reader.others(plain[cue.start() :], final.labels):
            return final._replace(labels=None)
        final = later[-1] if later else final
    for claim in claims:
        if claim.denied and claim.start > final.end and claim.labels == final.labels:
            return None
    return final


def _agree(claims: list[Claim], plain: str) -> bool:
    """Whether claims of a low rank name one option, but for those that are taken back."""
    for before, after in pairwise(claims):
        if before.labels != after.labels and not TURNED.search(plain[before.end : after.start]):
            return False
    return True
