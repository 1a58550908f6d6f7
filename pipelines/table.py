"""The table of a run's evaluation, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.report.results import Comparison

HEAD = ("stage", "pass@1", "95 % interval", "greedy", "tokens", "against before", "", "to teacher")


def text_table(rows: list[dict[str, Any]]) -> str:
    """evaluation.json for a terminal, one table a problem set, a line a reward model."""
    policies, ranked = _kinds(rows)
    names = dict.fromkeys(row["on"] for row in policies)
    tables = [_table([row for row in policies if row["on"] == on]) for on in names]
    return "\n\n".join([*tables, *map(_ranked, ranked)])


def _kinds(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(rows of policies, rows of reward models)."""
    ranked = [row for row in rows if "accuracy" in row]
    return [row for row in rows if "accuracy" not in row], ranked


def _ranked(row: dict[str, Any]) -> str:
    return (
        f"{row['stage']} ranks {_percent(row['accuracy'])} % [{_percent(row['low'])}, "
        f"{_percent(row['high'])}] of {row['n']:,} held-out pairs right"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    lines = _aligned([HEAD, *(_cells(row) for row in rows)])
    n, on = rows[0]["n"], rows[0]["on"]
    samples = rows[0]["samples"]
    drawn = f"{samples} samples each" if samples else "one greedy answer each"
    lines.append(f"{n:,} problems ({on}), {drawn}; rates in percent")
    for row in rows:
        lines += [f"{row['stage']} {how}: {row[how]}" for how in ("skipped", "ended") if how in row]
    return "\n".join(lines)


def _aligned(cells: list[tuple[str, ...]]) -> list[str]:
    """Lines of a table, its head underlined."""
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return [line.rstrip() for line in lines]


def comparison_table(beside: Comparison) -> str:
    """A run beside another for a terminal."""
    if not beside.rows:
        return f"nothing was measured here and in {beside.name} alike"
    cells: list[tuple[str, ...]] = [
        ("stage", "problems", "this run", beside.name, "difference", "")
    ]
    for row in beside.rows:
        found = row.step
        step = {"diff": found.value, "low": found.low, "high": found.high} if found else None
        told = (_percent(row.ours), _percent(row.theirs), _difference(step), row.word)
        cells.append((row.label, row.on, *told))
    return "\n".join(_aligned(cells))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    sampled = "pass@1" in row
    return (
        row["stage"],
        _percent(row["pass@1"]) if sampled else "-",
        f"{_percent(row['low'])} - {_percent(row['high'])}" if sampled else "-",
        _percent(row["greedy"]) if "greedy" in row else "-",
        f"{row['tokens_mean']:.1f}",
        _difference(row.get("vs")),
        row.get("verdict", ""),
        _difference(row.get("to_teacher")),
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _difference(vs: dict[str, Any] | None) -> str:
    if vs is None:
        return "-"
    low, high = 100 * vs["low"], 100 * vs["high"]
    return f"{100 * vs['diff']:+.1f} [{low:+.1f}, {high:+.1f}]"


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """evaluation.json for a card, one table a problem set, a line a reward model."""
    policies, ranked = _kinds(rows)
    parts = []
    for on in dict.fromkeys(row["on"] for row in policies):
        mine = [row for row in policies if row["on"] == on]
        cells = [HEAD, ("---",) * len(HEAD), *(_cells(row) for row in mine)]
        table = "\n".join(f"| {' | '.join(row)} |" for row in cells)
        parts.append(f"On `{on}`, {mine[0]['n']:,} problems:\n\n{table}")
    return "\n\n".join([*parts, *(f"{_ranked(row)}." for row in ranked)])
