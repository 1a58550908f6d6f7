"""The verifiers that a recipe may name, with what each said of its own labelled list."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from verifiers import base

FIGURES = Path(base.__file__).parent / "figures.json"
HEAD = ("name", "version", "trust", "texts", "FP", "FN", "about")
ABOUT = 72


def rows() -> list[dict[str, Any]]:
    """Name, version, trust, figures and one line about every verifier.

    `figures` are of the verifier's labelled list: texts, correct ones, false positives and false
    negatives; None where it has none or they are of another version.
    """
    known = json.loads(FIGURES.read_text())
    found = []
    for name in base.names():
        row: dict[str, Any] = {"name": name, "version": "?", "trust": "?", "figures": None}
        try:
            verifier = base.load(name)
            row["about"] = (inspect.getdoc(type(verifier)) or "").split("\n")[0]
            row["version"] = str(getattr(verifier, "version", "")) or "?"
            row["trust"] = str(getattr(verifier, "trust", "pure"))
            figures = known.get(name, {})
            if figures.get("version") == row["version"]:
                row["figures"] = {k: figures[k] for k in ("texts", "correct", *MISTAKES)}
        except base.VerifierError as error:
            row["about"] = str(error)
        found.append(row)
    return found


MISTAKES = ("false positives", "false negatives")


def text(found: list[dict[str, Any]]) -> str:
    """The rows as a table; FP and FN are false positives and false negatives."""
    cells = [HEAD]
    for row in found:
        figures = row["figures"] or {}
        counts = (str(figures.get(key, "-")) for key in ("texts", *MISTAKES))
        cells.append((row["name"], row["version"], row["trust"], *counts, row["about"][:ABOUT]))
    widths = [max(len(row[n]) for row in cells) for n in range(len(HEAD))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    lines.append(
        "FP and FN are false positives and false negatives among the texts of its labelled list"
    )
    return "\n".join(line.rstrip() for line in lines)
