"""The command line. Thin: each command loads what it needs and says what came of it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter, Token

from pipelines.errors import PipelineError, UsageError

UNSAFE_LOCAL, UNSAFE = "--unsafe-local", "DISTILL_UNSAFE_LOCAL"

app = App(
    name="distill",
    help="From a teacher's question to a student whose gain is measured.\n\n"
    "--unsafe-local, in any place: where no box can be built, run what models wrote without one.",
    help_format="plaintext",
    version_flags=[],
    suppress_keyboard_interrupt=False,
)
verifiers_app = App(name="verifiers", help="The verifiers that are installed.")
app.command(verifiers_app)

RunDir = Annotated[Path | None, Parameter(help="The run folder; runs/NAME where absent.")]
Set = Annotated[
    list[str], Parameter(help="Change the recipe: KEY=VALUE, as often as needed.", negative=())
]
Shared = Annotated[
    Path | None, Parameter(help="A store to share with other runs, instead of the run's own.")
]
Spend = Annotated[
    str | None,
    Parameter(help="Ask no teacher beyond so much in all, such as 25usd or 100Mtok."),
]


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    """A whole number; cyclopts would round others."""
    return int(tokens[0].value)


Limit = Annotated[
    int | None,
    Parameter(
        converter=_whole,
        help="Ask so many questions only, show them with chains and verdicts, and say what the "
        "whole run would cost. What is paid stays in the store.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", help="Print JSON.", negative=())]


@app.command
def run(
    recipe: str,
    *,
    run_dir: RunDir = None,
    store: Shared = None,
    budget: Spend = None,
    limit: Limit = None,
    set: Set = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Do everything that a recipe says; again = go on where it stopped.

    Args:
        recipe: A file, or the name of a recipe that ships, such as quickstart.
    """
    parts = ("generate", "curate", "train", "evaluate")
    _parts(recipe, run_dir, set, json, parts, store, budget, limit)


@app.command
def generate(
    recipe: str,
    *,
    run_dir: RunDir = None,
    store: Shared = None,
    budget: Spend = None,
    limit: Limit = None,
    set: Set = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Questions, chains and verdicts only."""
    _parts(recipe, run_dir, set, json, ("generate",), store, budget, limit)


@app.command
def curate(recipe: str, *, run_dir: RunDir = None, set: Set = [], json: Json = False) -> None:  # noqa: B006
    """Filters and training sets only."""
    _parts(recipe, run_dir, set, json, ("curate",))


@app.command
def train(recipe: str, *, run_dir: RunDir = None, set: Set = [], json: Json = False) -> None:  # noqa: B006
    """Training stages only."""
    _parts(recipe, run_dir, set, json, ("train",))


@app.command
def evaluate(
    recipe: str,
    *,
    run_dir: RunDir = None,
    store: Shared = None,
    budget: Spend = None,
    set: Set = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Evaluation only."""
    _parts(recipe, run_dir, set, json, ("evaluate",), store, budget)


def _parts(
    name: str,
    run_dir: Path | None,
    overrides: list[str],
    as_json: bool,
    parts: tuple[str, ...],
    store: Path | None = None,
    budget: str | None = None,
    limit: int | None = None,
) -> None:
    from pipelines import recipe as recipes
    from pipelines import run as running
    from pipelines.table import text_table

    recipe = recipes.load(name, overrides)
    folder = run_dir or Path("runs") / recipe.name
    if limit is not None:
        from pipelines import trial, trial_text

        tried = running.attempt(recipe, folder, limit, parts, store=store, budget=budget)
        print(_json(trial.as_json(tried)) if as_json else trial_text.text(tried))
        return
    rows = running.run(recipe, folder, parts, store=store, budget=budget)
    if as_json:
        print(json.dumps({"run": str(folder), "evaluation": rows}))
        return
    if rows:
        print(text_table(rows))
    print(f"report: {folder / 'report.html'}")


@app.command
def plan(recipe: str, *, run_dir: RunDir = None, set: Set = [], json: Json = False) -> None:  # noqa: B006
    """What a run would do: stages, requests, tokens, disk. Touches nothing."""
    from pipelines import plan as planning
    from pipelines import recipe as recipes

    loaded = recipes.load(recipe, set)
    result = planning.plan(loaded, run_dir or Path("runs") / loaded.name)
    print(_json(result) if json else planning.text(result))


@app.command
def verify(
    input: Path,
    *,
    output: Path | None = None,
    verifier: str = "math",
    workers: Annotated[int | None, Parameter(converter=_whole)] = None,
    explain: Annotated[bool, Parameter(negative=())] = False,
    json: Json = False,
) -> None:
    """Judge the completions of a file, or of a run again, with today's verifiers.

    Args:
        input: JSONL of {"id", "answer", "completion"[, "prompt", "verifier"]}, or a run folder: its
            stored chains are judged again, nobody is asked, and what changed is shown.
        output: JSONL of verdicts, in the same order; may be left out for a run, and with --explain.
        verifier: For rows that name none.
        workers: Worker processes; the CPUs that may be used where absent.
        explain: Print for each row what was found, where, how it was compared, and why.
    """
    from pipelines.rejudge import judge_run
    from pipelines.verify import beside, check_workers, verify_file
    from verifiers.explain import block

    def show(name: Any, verdict: Any, text: str) -> None:
        print(block(str(name), verdict, text))

    if not input.is_dir():
        if output is None and not explain:
            raise UsageError("--output is missing: the file to write the verdicts to")
        counts = verify_file(input, output, verifier, workers, show if explain else None)
        if json:
            print(_json(counts))
        print(", ".join(f"{status} {count}" for status, count in counts.items()), file=sys.stderr)
        return
    check_workers(workers)
    with beside(output) as stream:
        changes = judge_run(input, stream, workers, show if explain else None)
    print(_json(changes.rows()) if json else changes.text())


@app.command
def report(run: Path, *, compare: Annotated[list[Path], Parameter(negative=())] = []) -> None:  # noqa: B006
    """Write RUN/report.html.

    Args:
        run: A run folder.
        compare: Further run folders to set beside it.
    """
    from pipelines.report.build import build

    for folder in (run, *compare):
        if not (folder / "manifest.json").is_file():
            raise UsageError(f"{folder} is not a run folder")
    print(build(run, compare))


@app.command
def trace(run: Path, sample_id: str, *, json: Json = False) -> None:
    """The whole history of a row: question, chain, verdicts, teacher, cost, ancestors.

    Args:
        run: A run folder; it may be at work.
        sample_id: The id of a training row, of a completion or of a problem.
    """
    from pipelines import trace as tracing
    from pipelines.trace_text import show

    history = tracing.trace(run, sample_id)
    if json:
        print(_json(history))
    else:
        show(history)


@app.command
def export(run: Path, *, to: str, stage: str | None = None) -> None:
    """A folder that can be published: dataset and student, each with its card.

    Args:
        run: A run folder.
        to: The new folder; DIR/dataset and DIR/student are written there.
        stage: The training stage whose student is exported; the last one where absent.
    """
    from pipelines import export as exporting

    for folder in exporting.export(run, to, stage):
        print(folder)


@verifiers_app.command(name="list")
def list_verifiers(*, json: Json = False) -> None:
    """All verifiers that a recipe may name, with their mistakes on their own labelled lists."""
    from pipelines import verifier_list

    rows = verifier_list.rows()
    print(_json(rows) if json else verifier_list.text(rows))


@verifiers_app.command(name="test")
def run_battery(
    name: str,
    *,
    recipe: str | None = None,
    set: Set = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Run the probes that every verifier must survive; exit status 1 where one fails.

    Args:
        name: A verifier, built in or installed, or one that the recipe names.
        recipe: Set the verifier up as the `verifiers` section of this recipe says.
    """
    import asyncio

    from pipelines import recipe as recipes
    from verifiers import battery
    from verifiers.base import VerifierError

    if set and recipe is None:
        raise UsageError("--set changes a recipe: name it with --recipe")
    section = recipes.load(recipe, set).verifiers if recipe else {}
    try:
        report = asyncio.run(battery.run(name, section))
    except VerifierError as error:
        raise UsageError(str(error)) from error
    print(_json(battery.as_json(report)) if json else battery.text(report))
    if not report.passed:
        sys.exit(1)


@verifiers_app.command(name="new")
def new_verifier(name: str, *, to: Path = Path(".")) -> None:
    """Write the package of a verifier of your own, which passes the battery as it is.

    Args:
        name: What recipes will call it: small letters, digits and underscores.
        to: The folder that the package's folder is written into.
    """
    from verifiers import scaffold

    try:
        folder = scaffold.write(name, to)
    except (ValueError, FileExistsError, NotADirectoryError) as error:
        raise UsageError(str(error)) from error
    print(f"{folder}\nnext: pip install -e {folder}; distill verifiers test {name}")


@app.command
def doctor(*, json: Json = False) -> None:
    """What this machine can do."""
    from pipelines.doctor import examine

    found = examine()
    if json:
        print(_json(found))
        return
    for name, value in found.items():
        print(f"{name:12} {value}")


def _json(value: Any) -> str:
    return json.dumps(value, indent=1)


def _allowed(argv: list[str] | None) -> list[str]:
    """The arguments without `--unsafe-local`, which is set for this process and its workers."""
    words = sys.argv[1:] if argv is None else argv
    if UNSAFE_LOCAL in words:
        os.environ[UNSAFE] = "1"
    return [word for word in words if word != UNSAFE_LOCAL]


def main(argv: list[str] | None = None) -> None:
    """The entry point: exit status 0 done, 1 failed, 2 bad usage, 130 interrupted."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(_allowed(argv), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(str(error), 2)
    except PipelineError as error:
        _fail(str(error), error.status)
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on from here", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except (OSError, sqlite3.DatabaseError) as error:
        _fail(str(error), 1)


def _interrupt(*_: object) -> None:
    """SIGTERM ends a run as Ctrl-C does, which asyncio takes as a cancellation, not anywhere."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _fail(message: str, status: int) -> None:
    print(f"distill: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
