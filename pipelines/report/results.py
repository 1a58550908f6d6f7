"""What the evaluation says: the headline, a table per problem set, the comparison of runs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from pipelines.report import svg
from pipelines.report.load import Key, Run, Tally
from pipelines.report.stats import Difference, difference

Outcomes = Mapping[Key, Mapping[str, Tally]]


@dataclass(frozen=True)
class Line:
    """A row of a result table."""

    key: Key
    row: Mapping[str, Any]
    step: Difference | None
    step_from: str
    to_teacher: float | None
    undecided: float
    picture: Markup

    @property
    def teacher(self) -> bool:
        """True for the teacher's own row."""
        return self.key.stage == "teacher"


@dataclass(frozen=True)
class Table:
    """All stages on one set of problems."""

    on: str
    lines: list[Line]
    problems: int | None
    samples: int | None
    picture: Markup

    @property
    def measure(self) -> str:
        """What the values are: pass@1, or greedy where nothing was sampled."""
        return str(self.lines[0].row["measure"])

    @property
    def reflections(self) -> list[tuple[Line, dict[str, Any]]]:
        """The stages with how often they check themselves and recover."""
        return [(line, line.row["reflection"]) for line in self.lines if line.row.get("reflection")]


@dataclass(frozen=True)
class Headline:
    """What the student gained from base to its last stage."""

    base: Line
    last: Line
    gain: Difference | None
    teacher: float | None
    picture: Markup

    @property
    def closed(self) -> float | None:
        """Share of the way from base to teacher that was gone; None where there was no way."""
        way = (self.teacher or 0.0) - self.base.row["value"]
        return (self.last.row["value"] - self.base.row["value"]) / way if way > 0.005 else None


@dataclass(frozen=True)
class Compared:
    """A measurement of this run beside another run's; the difference is ours - theirs."""

    label: str
    on: str
    ours: float
    theirs: float
    step: Difference | None

    @property
    def word(self) -> str:
        """What the difference comes to: better, worse, not significant, or no interval."""
        if self.step is None:
            return "no interval"
        return {"improved": "better", "regressed": "worse"}.get(
            self.step.verdict, "not significant"
        )


@dataclass(frozen=True)
class Comparison:
    """This run beside another."""

    name: str
    rows: list[Compared]
    recipe: list[tuple[str, str]] = field(default_factory=list)


def tables(run: Run, outcomes: Outcomes) -> list[Table]:
    """One table per problem set, the held-out one first."""
    sets = sorted(dict.fromkeys(key.on for key in run.evaluation), key=lambda on: on != "heldout")
    return [_table(run, outcomes, on) for on in sets]


def _table(run: Run, outcomes: Outcomes, on: str) -> Table:
    found = {key: row for key, row in run.evaluation.items() if key.on == on}
    teacher = _teacher(found)
    lines, before = [], None
    for key, row in sorted(found.items(), key=lambda pair: pair[0].stage == "teacher"):
        at = None if key.stage == "teacher" else teacher
        step, step_from = _step(row, before, key, found, outcomes)
        kind = "teacher" if key.stage == "teacher" else "student"
        lines.append(
            Line(
                key, row, step, step_from,
                to_teacher=None if at is None else at - row["value"],
                undecided=_undecided(row, outcomes.get(key, {})),
                picture=svg.bar(row["value"], row.get("low"), row.get("high"), at, kind),
            )
        )  # fmt: skip
        before = key
    first = lines[0].row
    picture = _journey(lines, teacher)
    return Table(on, lines, first.get("n"), first.get("samples"), picture)


def _journey(lines: Sequence[Line], teacher: float | None) -> Markup:
    stops = [_stop(line) for line in lines if not line.teacher]
    return svg.journey(stops, teacher) if stops else Markup("")


def _step(
    row: Mapping[str, Any],
    before: Key | None,
    key: Key,
    found: Mapping[Key, Mapping[str, Any]],
    outcomes: Outcomes,
) -> tuple[Difference | None, str]:
    """The difference to the stage before: as evaluated, else from the rows we have."""
    if key.stage == "teacher" or before is None:
        return None, ""
    versus = row.get("vs")
    if versus:
        step = Difference(versus["diff"], versus["low"], versus["high"], "paired")
        return step, str(versus.get("stage") or before.stage)
    raw = outcomes.get(before, {}), outcomes.get(key, {})
    return difference(found[before], row, *raw), before.label


def _undecided(row: Mapping[str, Any], raw: Mapping[str, Tally]) -> float:
    samples = sum(tally.samples for tally in raw.values())
    counted = sum(tally.undecided for tally in raw.values())
    return counted / samples if samples else float(row.get("undecided") or 0.0)


def headline(table: Table, outcomes: Outcomes) -> Headline | None:
    """Base to last stage; None where the student was never measured."""
    students = [line for line in table.lines if not line.teacher]
    if not students:
        return None
    base, last = students[0], students[-1]
    gain = None
    if base is not last:
        raw = outcomes.get(base.key, {}), outcomes.get(last.key, {})
        gain = difference(base.row, last.row, *raw)
    teacher = next((line.row["value"] for line in table.lines if line.teacher), None)
    return Headline(base, last, gain, teacher, table.picture)


def _stop(line: Line) -> svg.Stop:
    value = line.row["value"]
    low, high = line.row.get("low"), line.row.get("high")
    label = line.key.stage if line.key.round == 1 else f"r{line.key.round} {line.key.stage}"
    return svg.Stop(
        label,
        value,
        value if low is None else low,
        value if high is None else high,
        line.row.get("greedy"),
    )


def _teacher(rows: Mapping[Key, Mapping[str, Any]]) -> float | None:
    return next((row["value"] for key, row in rows.items() if key.stage == "teacher"), None)


def teacher_name(run: Run) -> str:
    """The model that wrote the chains, as the first of them says."""
    for row in run.records("chains", ("teacher",)):
        teacher = row["teacher"]
        if isinstance(teacher, str):
            try:
                teacher = json.loads(teacher)
            except ValueError:
                return ""
        if not isinstance(teacher, dict):
            return ""
        return str(teacher.get("model") or str(teacher.get("identity") or "").partition("@")[0])
    return ""


def compare(run: Run, others: Sequence[Run], outcomes: Outcomes) -> list[Comparison]:
    """This run's measurements beside those of the others."""
    names = [one.name for one in (run, *others)]
    return [
        _compare(
            run, other, outcomes, other.outcomes(),
            other.name if names.count(other.name) == 1 else other.folder.resolve().name,
        )
        for other in others
    ]  # fmt: skip


def _compare(run: Run, other: Run, ours: Outcomes, theirs: Outcomes, name: str) -> Comparison:
    """By its recipe's name, or by its folder's where runs of one recipe stand beside each other."""
    pairs = [(key.label, key, key) for key in run.evaluation if key in other.evaluation]
    for on in dict.fromkeys(key.on for key in run.evaluation):
        mine, their = _last(run, on), _last(other, on)
        if mine and their and mine != their:
            pairs.append((f"last: {mine.label} / {their.label}", mine, their))
    rows = []
    for label, mine, their in pairs:
        a, b = run.evaluation[mine], other.evaluation[their]
        if a["measure"] != b["measure"]:
            continue
        step = difference(b, a, theirs.get(their, {}), ours.get(mine, {}))
        rows.append(Compared(label, mine.on, a["value"], b["value"], step))
    return Comparison(name, rows, _recipe_diff(other.recipe, run.recipe))


def _last(run: Run, on: str) -> Key | None:
    students = [key for key in run.evaluation if key.on == on and key.stage != "teacher"]
    return students[-1] if students else None


def _recipe_diff(theirs: str, ours: str) -> list[tuple[str, str]]:
    """Changed lines as (class, line)."""
    kinds = {"- ": "theirs", "+ ": "ours"}
    lines = difflib.ndiff(theirs.splitlines(), ours.splitlines())
    return [(kinds[line[:2]], line) for line in lines if line[:2] in kinds]
