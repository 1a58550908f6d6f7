"""Questions that the teacher writes: harder ones than given parents, with computed ground truth.

What the teacher writes is only a question. Its ground truth is computed by the verifier that will
judge answers to it (`solve(prompt) -> answer | None`); where it cannot be computed, the question is
rejected and counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from generators.config import EvolveSource, Sampling
from generators.questions import BadRow
from verifiers.base import Verifier
from verifiers.records import Problem, problem_id
from verifiers.sampler import Request, Sampler


async def evolve(
    source: EvolveSource,
    parents: Sequence[Problem],
    sampler: Sampler,
    verifier: Verifier,
    sampling: Sampling,
    seed: int,
) -> AsyncIterator[Problem | BadRow]:
    """Up to `source.n` new problems, in the order of their parents; each parent is asked in turn.

    A BadRow says why a written question cannot be used: not finished, no ground truth, or the
    same as its parent.
    """
    chosen = source.sampling or sampling
    by_id = {parent.id: parent for parent in parents}

    def requests() -> Iterator[Request]:
        for number in range(source.n):
            parent = parents[number % len(parents)]
            text = source.prompt.replace("{prompt}", parent.text)
            yield Request(
                problem_id=parent.id,
                messages=[{"role": "user", "content": text}],
                sampling=chosen.chosen(),
                seed=seed,
                index=number // len(parents),
            )

    order = {parent.id: n for n, parent in enumerate(parents)}
    written = [completion async for completion in sampler.sample(requests())]
    written.sort(key=lambda c: (c.index, order[c.problem_id]))
    for number, completion in enumerate(written):
        parent = by_id[completion.problem_id]
        text = completion.text.strip()
        reason = None
        if completion.finish_reason != "stop":
            reason = "the question was cut off"
        elif text == parent.text.strip():
            reason = "the question is its parent's"
        answer = None if reason else solve(verifier, text)
        if answer is None:
            yield BadRow("evolve", number, reason or "no ground truth can be computed")
            continue
        yield Problem(
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
                "written_by": completion.id,
            },
        )


def solve(verifier: Verifier, prompt: str) -> Any:
    """The ground truth that `verifier` computes for a prompt, or None."""
    compute = getattr(verifier, "solve", None)
    return compute(prompt) if compute is not None else None
