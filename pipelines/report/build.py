"""Builds RUN/report.html: one static page that needs nothing but itself.

Every text from a run is hostile: it passes Jinja's autoescape, and the page's content security
policy lets only the two inline blocks of this package run.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.report import flow, results
from pipelines.report.audit import audits
from pipelines.report.load import ReportError, Run
from pipelines.report.samples import by_stage, pairs, samples

HERE = Path(__file__).parent


def build(run_dir: Path, compare: Sequence[Path] = ()) -> Path:
    """Write the report of a run, beside others where given; the page's path.

    Raises ReportError where a folder is no run or one of its files is damaged.
    """
    run, others = Run(Path(run_dir)), [Run(Path(other)) for other in compare]
    try:
        page = _environment().get_template("template.html.j2").render(_context(run, others))
    except (pa.ArrowInvalid, LookupError, TypeError, AttributeError) as error:
        raise ReportError(f"{run.folder}: what it holds is damaged: {error}") from error
    target = run.folder / "report.html"
    beside = run.folder / f".report.html.{os.getpid()}"
    beside.write_bytes(page.encode("utf-8", "replace"))
    beside.replace(target)
    return target


def comparisons(run_dir: Path, compare: Sequence[Path]) -> list[results.Comparison]:
    """A run's measurements beside those of others, as its report shows them; raises as `build`."""
    run = Run(Path(run_dir))
    return results.compare(run, [Run(Path(other)) for other in compare], run.outcomes())


def _context(run: Run, others: Sequence[Run]) -> dict[str, Any]:
    outcomes = run.outcomes()
    tables = results.tables(run, outcomes)
    kept, dropped = samples(run)
    return {
        "run": run,
        "audits": audits(run),
        "headline": results.headline(tables[0], outcomes) if tables else None,
        "teacher_name": results.teacher_name(run),
        "tables": tables,
        "funnel": flow.funnel(run),
        "written": flow.written(run),
        "unconfirmed": flow.unconfirmed(run),
        "rejects": flow.rejects(run),
        "verdicts": flow.verdicts(run),
        "charts": flow.charts(run),
        "seconds": flow.seconds(run),
        "kept": kept,
        "dropped": dropped,
        "reasons": list(dict.fromkeys(sample.reason for sample in dropped)),
        "pairs": pairs(run),
        "stages": by_stage(run),
        "comparisons": results.compare(run, others, outcomes),
        "style": _block("style.css"),
        "script": _block("script.js"),
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_percent, points=_points, number=_number, duration=_duration, digest=_digest
    )
    return environment


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    """A difference of shares in points, signed."""
    return f"{100 * share + 0.0:+.1f}".replace("-", "−")


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def _block(name: str) -> Markup:
    """A file of this package, to stand in the page as it is."""
    return Markup((HERE / name).read_text())


def _digest(block: str) -> str:
    """The hash by which a content security policy knows an inline block."""
    return "sha256-" + base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
