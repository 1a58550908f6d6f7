"""Recounts from the Parquet files whether a held-out problem was asked or trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.report.load import Run, question

ASKED = ("problems", "chains")
HELDOUT = "heldout"
NOT_TRAINED_ON = {*ASKED, "rejects", "evaluation"}


@dataclass(frozen=True)
class Audit:
    """Distinct problems that are measured on: all, asked, trained on; and training sets nobody
    can check. Only held-out ones must not be asked."""

    name: str
    problems: int
    asked: int
    trained: int
    unchecked: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """True where every training set was checked and nothing leaked."""
        asked = self.asked if self.name == HELDOUT else 0
        return not (asked or self.trained or self.unchecked)


def audits(run: Run) -> list[Audit]:
    """The held-out problems and those of the other sets, where there are any."""
    found = (audit(run, config) for config in run.configs() if _measured_on(config))
    return sorted((a for a in found if a), key=lambda a: (a.name != HELDOUT, a.name))


def _measured_on(config: str) -> bool:
    return config == HELDOUT or config.startswith("evaluate_")


def audit(run: Run, config: str) -> Audit | None:
    """Match by id and by the prompt's words; None where the set is empty."""
    rows = list(run.records(config, ("id", "prompt")))
    if not rows:
        return None
    names = {row["id"]: row["id"] for row in rows}
    prompts = {words: row["id"] for row in rows if (words := _words(row["prompt"]))}
    trained = [
        name for name in run.configs() if name not in NOT_TRAINED_ON and not _measured_on(name)
    ]
    asked_ids, _ = _found(run, ASKED, names, prompts)
    trained_ids, unchecked = _found(run, trained, names, prompts)
    return Audit(
        config.removeprefix("evaluate_"),
        len(names),
        len(asked_ids),
        len(trained_ids),
        tuple(unchecked),
    )


def _found(
    run: Run, configs: Iterable[str], names: dict[str, str], prompts: dict[str, str]
) -> tuple[set[str], list[str]]:
    """The held-out ids in these data sets, and the sets without a column to look in."""
    found: set[str] = set()
    unchecked = []
    for config in configs:
        by_id = "id" if config == "problems" else "problem_id"
        columns = set()
        for batch in run.batches(config, (by_id, "prompt", "messages")):
            for column in batch.schema.names:
                columns.add(column)
                values = batch.column(column).to_pylist()
                known = names if column == by_id else prompts
                keys = values if column == by_id else map(_words, values)
                found |= {known[key] for key in keys if key in known}
        if not columns:
            unchecked.append(config)
    return found, unchecked


def _words(prompt: object) -> str:
    return " ".join(question(prompt).split())
