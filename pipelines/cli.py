"""The command line. Thin: each command loads what it needs and says what came of it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

from cyclopts import (
    App,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnusedCliTokensError,
)

from pipelines.errors import PipelineError, UsageError
from pipelines.parameters import Json, Limit, RunDir, Set, Shared, Spend, Workers, as_text
from pipelines.verifier_commands import verifiers_app

UNSAFE_LOCAL, UNSAFE = "--unsafe-local", "DISTILL_UNSAFE_LOCAL"

app = App(
    name="distill",
    help="From a teacher's question to a student whose gain is measured.\n\n"
    "--unsafe-local, in any place: where no box can be built, run what models wrote without one.",
    help_format="plaintext",
    version_flags=[],
    suppress_keyboard_interrupt=False,
)
app.command(verifiers_app)


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
        print(as_text(trial.as_json(tried)) if as_json else trial_text.text(tried))
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
    print(as_text(result) if json else planning.text(result))


@app.command
def verify(
    input: Path,
    *,
    output: Path | None = None,
    verifier: str = "math",
    workers: Workers = None,
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

    if not input.exists():
        raise UsageError(f"no such file, and no such run folder: {input}")
    if not input.is_dir():
        if output is None and not explain:
            raise UsageError("--output is missing: the file to write the verdicts to")
        counts = verify_file(input, output, verifier, workers, show if explain else None)
        if json:
            print(as_text(counts))
        print(", ".join(f"{status} {count}" for status, count in counts.items()), file=sys.stderr)
        return
    check_workers(workers)
    with beside(output) as stream:
        changes = judge_run(input, stream, workers, show if explain else None)
    print(as_text(changes.rows()) if json else changes.text())


@app.command
def report(
    run: Path,
    *,
    compare: Annotated[list[Path], Parameter(negative=(), consume_multiple=1)] = [],  # noqa: B006
) -> None:
    """Write RUN/report.html.

    Args:
        run: A run folder.
        compare: Further run folders to set beside it; the differences are printed too.
    """
    from pipelines.report.build import build, comparisons
    from pipelines.table import comparison_table

    for folder in (run, *compare):
        if not (folder / "manifest.json").is_file():
            raise UsageError(f"{folder} is not a run folder")
    print(build(run, compare))
    for beside in comparisons(run, compare):
        print(f"\n{comparison_table(beside)}")


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
        print(as_text(history))
    else:
        show(history)


@app.command
def export(run: Path, *, to: str, stage: str | None = None) -> None:
    """A folder that can be published: dataset and student, each with its card.

    Args:
        run: A run folder.
        to: The new folder; DIR/dataset and DIR/student are written there.
        stage: The training stage whose student, or reward model, is exported; the last student
            where absent.
    """
    from pipelines import export as exporting

    for folder in exporting.export(run, to, stage):
        print(folder)


@app.command
def doctor(*, json: Json = False) -> None:
    """What this machine can do."""
    from pipelines.doctor import examine

    found = examine()
    if json:
        print(as_text(found))
        return
    for name, value in found.items():
        print(f"{name:12} {value}")


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
        _fail(_said(error), 2)
    except PipelineError as error:
        _fail(str(error), error.status)
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on from here", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except (OSError, sqlite3.DatabaseError) as error:
        _fail(str(error), 1)


def _said(error: CycloptsError) -> str:
    """What is wrong with the words of a command, in the names of its help."""
    command = " ".join(error.command_chain or ())
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"{command}: one argument too many: {error.unused_tokens[0]}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        if error.argument.field_info.is_positional:
            return f"{command}: {name.removeprefix('--').upper()} is missing"
        return f"{command}: {name} needs a value"
    return str(error)


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
