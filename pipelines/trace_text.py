"""A history as text: coloured in a terminal, plain where it is piped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from pipelines.trace import History
from verifiers.explain import excerpt, why
from verifiers.records import Verdict

UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
GOLD = {
    "given": "given with the question",
    "computed": "computed",
    "consensus": "what most answers agreed on",
    "tests": "tests",
}
STYLES = {"correct": "green", "wrong": "red", "undecided": "yellow"}
Line = tuple[int, str, str, str]
"""Indent, label, what is said, style of what is said."""


def show(history: History, console: Console | None = None) -> None:
    """Print a history."""
    console = console or Console(highlight=False)
    for indent, label, said, style in lines(history):
        text = Text("  " * indent)
        if label:
            text.append(f"{label:<14}" if said else label, "dim" if said else "bold")
        text.append(UNSAFE.sub(_escaped, said), style)
        text.rstrip()
        console.print(text, soft_wrap=True)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def lines(history: History) -> Iterator[Line]:
    """A history, line by line."""
    held = (history["problem"] or {}).get("table") not in (None, "problems")
    what = "Held-out problem" if held and history["kind"] == "problem" else history["kind"].title()
    yield 0, f"{what} {history['id']} of {history['run']}", "", ""
    for use in history["rows"]:
        yield from _row(use, whole=history["kind"] == "row")
    for completion in history["completions"]:
        yield 0, "", "", ""
        yield from _completion(completion, 0)
    if history["problem"] is not None:
        yield 0, "", "", ""
        yield from _problem(history["problem"], 0, "Problem")
    for answer in history["answers"]:
        kind = "greedy" if answer["index"] < 0 else f"sample {answer['index']}"
        yield 0, "", "", ""
        yield 0, f"Answer of {answer['stage']}, {kind}", "", ""
        yield 1, "verdict", _status(answer), STYLES.get(answer["status"], "")
        yield from _block(1, answer["text"])


def _row(use: History, whole: bool) -> Iterator[Line]:
    row = use["row"]
    if use["set"] == "rejects":
        what = f"completion {row['completion_id']}" if row["completion_id"] else "the problem"
        said = ": ".join(filter(None, (f"{what} by {row['filter']}", row["reason"], row["detail"])))
        yield 1, "dropped", said, ""
        return
    read = f"read by {', '.join(use['read_by'])}" if use["read_by"] else "read by no stage"
    name = "" if whole else f"{row.get('sample_id', '')} "
    yield 1, "row", f"{name}of {use['set']}, {read}", ""
    if whole:
        for key, value in row.items():
            if key not in ("sample_id", "problem_id") and not key.endswith("_id"):
                yield 1, key, "" if _long(value) else str(value), ""
                if _long(value):
                    yield from _block(2, value)


def _long(value: Any) -> bool:
    return isinstance(value, str) and (len(value) > 80 or "\n" in value)


def _completion(completion: History, indent: int) -> Iterator[Line]:
    yield indent, f"{completion['role'].capitalize()} {completion['id']}", "", ""
    if completion.get("missing"):
        yield indent + 1, "missing", "this run no longer holds it", "yellow"
        return
    teacher = dict(completion["teacher"])
    name = teacher.pop("identity", "") or "not known"
    yield indent + 1, "teacher", ", ".join([name, *(v for v in teacher.values() if v)]), ""
    yield indent + 1, "sampling", _pairs(completion["sampling"]), ""
    usage = completion["usage"]
    cost = "no bill" if completion["free"] else "price not known"
    cost = cost if usage["cost"] is None else f"{usage['cost']:.6f} USD"
    tokens = f"{usage['prompt_tokens']:,} tokens in, {usage['completion_tokens']:,} out, {cost}"
    yield indent + 1, "paid", tokens, ""
    yield indent + 1, "request key", completion["request_key"], ""
    yield (
        indent + 1,
        "sample",
        f"{completion['index']}, finished: {completion['finish_reason']}",
        "",
    )
    yield from _verdict(completion["verdict"], indent + 1, "verdict", completion["text"])
    for other in completion["other_verdicts"]:
        yield from _verdict(other, indent + 1, "another", completion["text"])
    if completion["reasoning"]:
        yield indent + 1, "reasoning", "", ""
        yield from _block(indent + 2, completion["reasoning"])
    yield from _block(indent + 1, completion["text"])


def _verdict(verdict: History | None, indent: int, label: str, text: str) -> Iterator[Line]:
    if verdict is None:
        yield indent, label, "none: it was never judged", ""
        return
    parts = [_status(verdict), f"score {verdict['score']:g}"]
    if verdict["extracted"] is not None:
        parts.append(f"found {_short(verdict['extracted'])}")
    yield indent, label, ", ".join(parts), STYLES[verdict["status"]]
    if where := excerpt(text, verdict["span"]):
        yield indent, "where", where, ""
    yield indent, "why", why(Verdict(**verdict)), ""
    by = f"{verdict['verifier']} {verdict['version']}".strip()
    facts = [verdict["method"] and f"method {verdict['method']}", verdict["detail"]]
    facts += [f"{verdict['seconds']:.4f} s", f"isolation {verdict['isolation']}"]
    yield indent, "by", ", ".join([by, *filter(None, facts)]), ""


def _status(verdict: History) -> str:
    return ": ".join(filter(None, (verdict["status"], verdict["reason"])))


def _problem(problem: History, indent: int, label: str) -> Iterator[Line]:
    yield indent, f"{label} {problem['id']}", "", ""
    if problem.get("missing"):
        yield indent + 1, "missing", "this run does not hold it", "yellow"
        return
    prompt = problem["prompt"]
    chat = prompt if isinstance(prompt, list) else [{"role": "", "content": prompt}]
    for message in chat:
        if message.get("role"):
            yield indent + 1, message["role"], "", ""
        yield from _block(indent + 1, str(message.get("content", "")))
    answer = problem["answer"]
    said = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    gold = GOLD.get(problem["gold"], problem["gold"])
    yield indent + 1, "answer", f"{_short(said)} ({gold}; judged by {problem['verifier']})", ""
    operator = problem["meta"].get("operator")
    source = [problem["source"] or "not known", operator and f"made by {operator}"]
    yield indent + 1, "source", ", ".join(filter(None, source)), ""
    yield indent + 1, "measured", _measured(problem), ""
    if problem["read_by"]:
        yield indent + 1, "read by", ", ".join(problem["read_by"]), ""
    if problem["written_by"] is not None:
        yield from _completion(problem["written_by"], indent + 1)
    for parent in problem["parents"]:
        yield from _problem(parent, indent + 1, "Parent")


def _measured(problem: History) -> str:
    """How difficult a problem is, in words."""
    if problem["table"] != "problems":
        return f"held out ({problem['table']}): the teacher was not asked to write for it"
    measured = problem["measured"]
    if measured is None:
        return "not yet: no chain of it is in data/chains"
    decided = measured["correct"] + measured["wrong"]
    said = f"{measured['correct']} of {decided} correct"
    if measured["undecided"]:
        said += f", {measured['undecided']} undecided"
    return f"{said} ({measured['level']})" if measured["level"] else said


def _block(indent: int, text: str) -> Iterator[Line]:
    """A text of somebody's, set off by a bar."""
    for line in text.split("\n"):
        yield indent, "", f"| {line}", ""


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "defaults"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:199]}…"
