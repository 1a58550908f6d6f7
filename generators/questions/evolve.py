"""Questions that the teacher writes: harder ones than given parents, with computed ground truth.

What the teacher writes is only a question. Its ground truth is computed by the verifier that will
judge answers to it (`solve(prompt) -> answer | None`); where it cannot be computed, the question is
rejected and counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count, islice
from typing import Any

from generators.config import EvolveSource, Sampling
from generators.questions import BadRow
from generators.questions.pile import Pile
from generators.shelf import Scratch
from verifiers.base import Verifier
from verifiers.records import Completion, Problem, problem_id
from verifiers.sampler import Request, Sampler


async def evolve(
    source: EvolveSource,
    pile: Pile,
    sampler: Sampler,
    verifier: Verifier,
    sampling: Sampling,
    seed: int,
    note: Callable[[int], None] = lambda count: None,
) -> AsyncIterator[Problem | BadRow]:
    """Up to `source.n` new problems, in the order of their parents; each problem of `pile` that is
    asked is a parent in turn.

    A BadRow says why a written question cannot be used: not finished, no ground truth, or a prompt
    that the pile knows. `note` is told how many have come.
    """
    with Scratch("CREATE TABLE drafts (turn INTEGER, place INTEGER, body TEXT)") as drafts:
        came = 0
        async for draft in sampler.sample(_requests(source, pile, sampling, seed)):
            place, _ = pile.find(draft.problem_id)
            row = (draft.index, place, draft.model_dump_json(exclude_defaults=True))
            drafts.db.execute("INSERT INTO drafts VALUES (?, ?, ?)", row)
            came += 1
            note(came)
        ordered = drafts.db.execute("SELECT body FROM drafts ORDER BY turn, place")
        for number, (body,) in enumerate(ordered):
            yield _question(source, pile, verifier, number, Completion.model_validate_json(body))


def _question(
    source: EvolveSource, pile: Pile, verifier: Verifier, number: int, draft: Completion
) -> Problem | BadRow:
    _, parent = pile.find(draft.problem_id)
    text = draft.text.strip()
    reason = None
    if draft.finish_reason != "stop":
        reason = "the question was cut off"
    elif text == parent.text.strip():
        reason = "the question is its parent's"
    answer = None if reason else solve(verifier, text)
    if answer is None:
        return BadRow("evolve", number, reason or "no ground truth can be computed")
    if pile.knows(text):
        return BadRow("evolve", number, "the question is known already")
    return Problem(
        id=problem_id(text, answer, source.verifier),
        prompt=text,
        answer=answer,
        verifier=source.verifier,
        gold="computed",
        source="evolve",
        parents=[parent.id],
        meta={
            "operator": "evolve",
            "family": parent.meta.get("family") or parent.source,
            "written_by": draft.id,
        },
    )


def _requests(source: EvolveSource, pile: Pile, sampling: Sampling, seed: int) -> Iterator[Request]:
    chosen = (source.sampling or sampling).chosen()
    numbered = ((turn, parent) for turn in count() for parent in pile.asked())
    for turn, parent in islice(numbered, source.n):
        text = source.prompt.replace("{prompt}", parent.text)
        yield Request(
            problem_id=parent.id, messages=[{"role": "user", "content": text}], sampling=chosen,
            seed=seed, index=turn,
        )  # fmt: skip


def solve(verifier: Verifier, prompt: str) -> Any:
    """The ground truth that `verifier` computes for a prompt, or None."""
    compute = getattr(verifier, "solve", None)
    return compute(prompt) if compute is not None else None
