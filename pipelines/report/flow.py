"""How the data flowed and where the time went: funnel, rejects, training curves, seconds."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from pipelines.report import svg
from pipelines.report.load import Run

COUNTED = ("chains", "verify")
UNITS = {
    "loss": "loss", "validation_loss": "loss on rows kept out",
    "accuracy": "accuracy of the pairs", "margin": "margin of the pairs",
    "chosen": "chosen answers", "rejected": "rejected answers",
    "reward": "reward", "pass_rate": "pass rate", "length": "length (tokens)",
    "entropy": "entropy (nats)", "kl": "KL to the reference", "moved": "KL to its samples",
    "clipped": "clipped tokens", "zero_variance": "zero-variance groups",
    "self_check": "self-checks",
    "wrong_step": "wrong steps",
    "recovered": "wrong step, right end",
}  # fmt: skip


@dataclass(frozen=True)
class Amount:
    """A named number with its bar."""

    name: str
    value: float
    note: str
    picture: Markup


@dataclass(frozen=True)
class Chart:
    """One metric of one training stage."""

    stage: str
    name: str
    first: float
    last: float
    picture: Markup


def funnel(run: Run) -> list[Amount]:
    """Problems, completions, correct ones, what each filter left, and the rows of each set."""
    chains, curate = run.counts("chains"), run.counts("curate")
    problems = run.counts("questions").get("problems") or run.rows("problems")
    completions = chains.get("completions") or run.rows("chains")
    heeded = "correct" in chains and "unconfirmed" not in curate
    left = [("confirmed correct", chains["correct"])] if heeded else []
    left += [(f"after {name}", n) for name, n in curate.get("funnel", []) if name not in COUNTED]
    each = f"{completions / problems:.1f} each" if problems else ""
    steps = [
        ("problems asked", problems, "problem", ""),
        ("completions", completions, "chain", each),
        *((name, n, "chain", _percent(n, completions)) for name, n in left),
        *((f"{name} rows", n, "set", "") for name, n in curate.get("sets", {}).items()),
    ]
    widest = max(n for _, n, _, _ in steps)
    return [
        Amount(name, n, note, svg.length(n, widest, kind))
        for name, n, kind, note in steps
        if widest
    ]


def written(run: Run) -> str:
    """What became of the questions that the teacher wrote; empty where it wrote none."""
    asked, drawn = run.counts("questions"), run.counts("chains")
    if "written" not in asked:
        return ""
    told = f"{asked['written']:,} of the problems were written by the teacher."
    if "harder_than_parent" in drawn:
        told += f" {_percent(drawn['harder_than_parent'], 1)} of them have a lower measured pass "
        told += "rate than the problem they were made from"
        easier = drawn.get("easier_than_parent")
        told += "." if easier is None else f", {_percent(easier, 1)} a higher one."
    others = ("problems", "heldout", "written", "bad_row")
    lost = [f"{why}, {n:,}" for why, n in asked.items() if why not in others]
    return told + (f" Rejected: {'; '.join(lost)}." if lost else "")


def unconfirmed(run: Run) -> tuple[int, int] | None:
    """Rows of `sft` that ground truth does not confirm, and all; None where verdicts counted."""
    counts = run.counts("curate")
    if "unconfirmed" not in counts:
        return None
    return counts["unconfirmed"], counts["sets"]["sft"]


def rejects(run: Run, most: int = 12) -> list[Amount]:
    """What was dropped, most frequent reason first; rare ones together."""
    counts = run.counts("curate").get("rejects") or run.counts("chains").get("reasons") or {}
    ordered = sorted(((n, str(name)) for name, n in counts.items() if n), reverse=True)
    rest = sum(n for n, _ in ordered[most:])
    shown = ordered[:most] + ([(rest, f"{len(ordered) - most} other reasons")] if rest else [])
    total, widest = sum(n for n, _ in shown), max((n for n, _ in shown), default=0)
    return [
        Amount(name, n, _percent(n, total), svg.length(n, widest, "reject")) for n, name in shown
    ]


def verdicts(run: Run) -> tuple[list[tuple[str, int]], Markup] | None:
    """The chains' verdicts as one bar; None where they were not counted."""
    counts = run.counts("chains")
    parts = [(name, int(counts.get(name, 0))) for name in ("correct", "wrong", "undecided")]
    return (parts, svg.stack(parts)) if any(n for _, n in parts) else None


def charts(run: Run) -> list[Chart]:
    """The curves of all training stages: their losses side by side, then what else each has."""
    curves = [
        (stage, name, points)
        for stage, metrics in run.curves().items()
        for name, points in metrics.items()
    ]
    return [
        Chart(stage, UNITS[name], points[0][1], points[-1][1], svg.curve(points, f"{stage} {name}"))
        for stage, name, points in sorted(curves, key=lambda curve: curve[1] != "loss")
    ]


def seconds(run: Run) -> list[Amount]:
    """The time of each stage, in the order in which they ran, and the tokens it took."""
    stages = run.manifest.get("stages", {})
    spent = {name: float(entry.get("seconds") or 0.0) for name, entry in stages.items()}
    total, longest = sum(spent.values()), max(spent.values(), default=0.0)
    if not total:
        return []
    return [
        Amount(name, s, _tokens(run, name), svg.length(s, longest, name.partition(":")[0]))
        for name, s in spent.items()
    ]


def _tokens(run: Run, stage: str) -> str:
    tokens = run.counts(stage).get("tokens")
    return f"{tokens:,} tokens" if tokens else ""


def _percent(part: float, of: float) -> str:
    return f"{100 * part / of:.1f} %" if of else ""
