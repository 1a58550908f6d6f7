"""`distill verifiers`: what is installed, whether it survives the battery, and a new one."""

from __future__ import annotations

import sys
from pathlib import Path

from cyclopts import App

from pipelines.errors import UsageError
from pipelines.parameters import Json, Set, as_text

verifiers_app = App(name="verifiers", help="The verifiers that are installed.")


@verifiers_app.command(name="list")
def list_verifiers(*, json: Json = False) -> None:
    """All verifiers that a recipe may name, with their mistakes on their own labelled lists."""
    from pipelines import verifier_list

    rows = verifier_list.rows()
    print(as_text(rows) if json else verifier_list.text(rows))


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
    print(as_text(battery.as_json(report)) if json else battery.text(report))
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
