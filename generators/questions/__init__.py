"""Questions: problems with ground truth, from files, hubs and generators.

A source yields a `Problem`, or a `BadRow` where a row cannot be one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from generators.config import (
    DatasetSource,
    EvolveSource,
    JsonlSource,
    QuestionSource,
    ReasoningGymSource,
)
from generators.errors import SourceError
from generators.rows import Column, as_answer, as_prompt, clean, read
from generators.shelf import Shelf
from verifiers.base import in_words, load, names
from verifiers.records import WRITTEN, Message, Problem

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be asked, and why."""

    source: str
    row: int
    reason: str


def questions(
    sources: Sequence[QuestionSource], seed: int, verifiers: Iterable[str] = ()
) -> Iterator[Problem | BadRow]:
    """Distinct problems of all sources that exist, in order; `evolve` has a module of its own.

    `verifiers` are names that a recipe adds.

    Raises SourceError where a source cannot be read or a column is absent from all its rows.
    """
    known = {*names(), *verifiers}
    with Shelf() as seen:
        for number, source in enumerate(sources):
            if isinstance(source, EvolveSource):
                continue
            count = 0
            for found in _open(source, seed * 1_000_003 + number, known):
                if isinstance(found, Problem):
                    if not seen.put(found.id):
                        continue
                    count += 1
                yield found
                if source.n is not None and count >= source.n:
                    break
            if not count:
                which = f"{number + 1} ({source.source})"
                raise SourceError(f"question source {which} gave no new problem")


def _open(
    source: JsonlSource | DatasetSource | ReasoningGymSource, seed: int, known: set[str]
) -> Iterator[Problem | BadRow]:
    if isinstance(source, ReasoningGymSource):
        return _reasoning_gym(source, seed)
    if isinstance(source, JsonlSource):
        rows = read(Path(source.path))
        return _problems(source, rows, Path(source.path).name, known)
    local = Path(source.path).is_absolute()
    name = Path(source.path).name if local else source.path
    return _problems(source, _hub(source), name, known)


def _hub(source: DatasetSource) -> Iterable[Mapping[str, Any]]:
    import datasets

    try:
        return datasets.load_dataset(
            source.path, source.name, split=source.split, revision=source.revision
        )
    except (OSError, ValueError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(f"dataset {source.path!r} cannot be loaded: {first}") from error


def _problems(
    source: JsonlSource | DatasetSource,
    rows: Iterable[Mapping[str, Any]],
    name: str,
    known: set[str],
) -> Iterator[Problem | BadRow]:
    prompt, answer = Column(source.prompt), Column(source.answer)
    named = [source.solution] if isinstance(source.solution, str) else source.solution or []
    solutions = {name: Column(name) for name in named}
    columns_of = {"prompt": source.prompt, "answer": source.answer}
    needed = ("prompt",) if source.gold == "consensus" else ("prompt", "answer")
    columns: set[str] = set()
    ever: set[str] = set()
    judges: set[str] = set()
    for number, row in enumerate(rows, 1):
        columns.update(row)
        values = {"prompt": prompt.of(row), "answer": answer.of(row)}
        written = {name: column.of(row) for name, column in solutions.items()}
        held = {source.prompt: values["prompt"], source.answer: values["answer"], **written}
        ever.update(column for column, value in held.items() if value is not None)
        missing = [key for key in needed if values[key] is None]
        if missing:
            reason = str(row.get("bad_row") or f"no value for {' and '.join(missing)}")
            yield BadRow(name, number, reason)
            continue
        truth = values["answer"]
        if source.answer_after and isinstance(truth, str):
            truth = truth.rpartition(source.answer_after)[2].strip()
        judge = str(row.get(source.verifier, source.verifier))
        judges.add(judge)
        if judge not in known:
            yield BadRow(name, number, f"unknown verifier {judge!r}")
            continue
        meta: dict[str, Any] = {"row": number}
        if written:
            try:
                meta[WRITTEN] = list(dict.fromkeys(_texts(written)))
            except ValueError as error:
                yield BadRow(name, number, str(error))
                continue
        yield _problem(source, values["prompt"], truth, name, number, judge, meta)
    wanted = [(key, column) for key, column in columns_of.items() if key in needed]
    for key, column in wanted + [("solution", column) for column in named]:
        if column not in ever:
            have = ", ".join(sorted(columns - {"bad_row"})) or "no rows"
            raise SourceError(
                f"{source.path}: no row has column {column!r} for {key} (columns: {have})"
            )
    if judges and not judges & known:
        load(min(judges))


def _texts(written: Mapping[str, Any]) -> Iterator[str]:
    """The answers in the columns of a row; raises ValueError where one is no text."""
    for column, value in written.items():
        for text in value if isinstance(value, list) else [value]:
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{column} is neither a text nor a list of texts")
            if text and text.strip():
                yield clean(text)


def _reasoning_gym(source: ReasoningGymSource, seed: int) -> Iterator[Problem | BadRow]:
    import reasoning_gym

    prompt = Column(source.prompt)
    tries = 20 * source.n + 1000
    try:
        items = reasoning_gym.create_dataset(
            source.dataset, size=tries, seed=seed, **source.options
        )
    except (ValueError, TypeError, AssertionError) as error:
        raise SourceError(f"reasoning_gym data set {source.dataset!r}: {error}") from error
    for number in range(tries):
        item = items[number]
        text = prompt.of(item)
        if text is None:
            have = ", ".join([*item, *(f"metadata[{key}]" for key in item["metadata"])])
            raise SourceError(f"{source.dataset}: no {source.prompt!r} in its items (have: {have})")
        meta = {"index": number, "seed": seed, "family": source.dataset}
        name = f"reasoning_gym:{source.dataset}"
        yield _problem(source, text, item["answer"], name, number, source.verifier, meta)


def _problem(
    source: QuestionSource,
    prompt: Any,
    answer: Any,
    name: str,
    number: int,
    verifier: str,
    meta: dict[str, Any],
) -> Problem | BadRow:
    try:
        return Problem(
            prompt=_askable(as_prompt(prompt)),
            answer=as_answer(answer),
            verifier=verifier,
            gold=source.gold,
            source=name,
            meta={"operator": source.source, **meta},
        )
    except ValidationError as error:
        return BadRow(name, number, in_words(error))
    except ValueError as error:
        return BadRow(name, number, str(error))


def _askable(prompt: str | list[Message]) -> str | list[Message]:
    if isinstance(prompt, str):
        return prompt
    for number, message in enumerate(prompt, 1):
        if message.get("role") not in ROLES:
            role = f"unknown role {message['role']!r}" if "role" in message else "no role"
            raise ValueError(f"message {number} of the prompt has {role}")
    if not any(message["role"] == "user" for message in prompt):
        raise ValueError("the prompt has no user turn" if prompt else "the prompt is an empty chat")
    return prompt
