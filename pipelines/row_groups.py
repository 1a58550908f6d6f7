"""Rows of a file as problems and texts, and those that a verifier judges together.

Rows are a group where they name the same verifier and have the same `problem_id`, or, without one,
the same prompt. They may stand anywhere in the file: as soon as the first of them is met, the file
is read once more for the texts of all groups, and only these are held in memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from generators.rows import as_answer, as_prompt
from verifiers.base import VerifierError, in_words
from verifiers.pool import VerdictPool
from verifiers.records import Problem, Verdict, content_id


class Row(NamedTuple):
    """A row of the file: its line, id and text, the problem or why there is none, its group."""

    line: int
    id: Any
    text: str
    verifier: str
    problem: Problem | str
    group: str | None = None


class Reader:
    """Makes rows of what stands in a file; `verifier` judges those that name none."""

    def __init__(self, pool: VerdictPool, verifier: str):
        self.pool, self.verifier = pool, verifier
        self.present: Counter[str] = Counter()
        self.objects = 0

    def absent(self) -> list[str]:
        """The columns that no row has, where any row is a JSON object."""
        return [c for c in ("answer", "completion") if self.objects and not self.present[c]]

    def read(self, given: tuple[int, Mapping[str, Any]]) -> Row:
        """The row of one line."""
        line, fields = given
        name = str(fields.get("verifier") or self.verifier)
        text = fields.get("completion")
        said = text if isinstance(text, str) else ""
        group = None
        try:
            problem: Problem | str = self._problem(name, fields)
            if self.pool.together(name):
                group = _group(name, fields)
        except ValidationError as error:
            problem = in_words(error)
        except (VerifierError, ValueError) as error:
            problem = str(error).splitlines()[0]
        return Row(line, fields.get("id"), said, name, problem, group)

    def _problem(self, name: str, fields: Mapping[str, Any]) -> Problem:
        if "bad_row" in fields:
            raise ValueError(str(fields["bad_row"]))
        self.objects += 1
        self.present.update(key for key, value in fields.items() if value is not None)
        together = self.pool.together(name)
        self.present["answer"] += together
        needed = ("completion",) if together else ("answer", "completion")
        if absent := [column for column in needed if fields.get(column) is None]:
            raise ValueError(f"no {' and no '.join(absent)}")
        if not isinstance(fields["completion"], str):
            raise ValueError("completion is not a text")
        self.pool.judge_id(name)
        prompt, answer = as_prompt(fields.get("prompt") or ""), as_answer(fields.get("answer"))
        return Problem(prompt=prompt, answer=answer, verifier=name)


def _group(name: str, fields: Mapping[str, Any]) -> str:
    owner = fields.get("problem_id")
    if owner is None and not fields.get("prompt"):
        raise ValueError(f"{name} judges groups: the row needs a problem_id or a prompt")
    what = ["problem", owner] if owner is not None else ["prompt", fields["prompt"]]
    return content_id([name, *what])


class Groups:
    """The verdicts on rows that are judged together; `rows` reads the whole file again."""

    def __init__(self, pool: VerdictPool, rows: Callable[[], Iterable[Row]]):
        self.pool, self.rows = pool, rows
        self._members: dict[str, list[Row]] = {}
        self._judged: dict[str, asyncio.Future[list[Verdict]]] = {}

    async def verdict(self, row: Row) -> Verdict:
        """The verdict on one row of a group."""
        assert row.group is not None
        if not self._members:
            for other in self.rows():
                if other.group is not None and isinstance(other.problem, Problem):
                    self._members.setdefault(other.group, []).append(other)
        members = self._members[row.group]
        if row.group not in self._judged:
            problem = members[0].problem
            assert isinstance(problem, Problem)
            texts = [member.text for member in members]
            judging = asyncio.ensure_future(self.pool.verify_group(problem, texts))
            self._judged[row.group] = judging
        verdicts = await self._judged[row.group]
        return verdicts[[member.line for member in members].index(row.line)]
