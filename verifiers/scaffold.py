"""The package of a new verifier: at most 25 lines of Python, which pass the battery as written."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from verifiers import base

NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
MOST = 40
PROJECT = """\
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "{package}"
version = "0.1.0"
description = "The verifier `{name}` for distill"
requires-python = ">=3.11"

[project.entry-points."distill.verifiers"]
{name} = "{module}:{title}"

[tool.setuptools]
py-modules = ["{module}"]
"""
MODULE = """\
import re


class {title}:
    \"""Correct where the last number of the text is the ground truth.\"""

    version = "1"
    gold_type = "text"
    problem = {{"prompt": "2 + 2?", "answer": "4"}}
    examples = ((problem, "2 + 2 is 4", "correct"), (problem, "4? No, 5.", "wrong"))

    def check_gold(self, problem):
        return None if re.fullmatch(r"-?\\d+", str(problem.answer)) else "it is no whole number"

    def verify(self, problem, text):
        numbers = re.findall(r"-?\\d+", text) or [""]
        right = numbers[-1] == str(problem.answer)
        return {{"status": "correct" if right else "wrong", "extracted": numbers[-1]}}
"""
TEST = """\
import asyncio

from verifiers import battery


def test_it_passes_the_battery():
    assert asyncio.run(battery.run("{name}")).passed
"""


def write(name: str, to: Path) -> Path:
    """The folder of a new package for verifier `name` in `to`: project file, module, test.

    Raises ValueError where the name cannot be one or is taken, NotADirectoryError where `to` is no
    folder, FileExistsError where the package's folder is there already.
    """
    if not NAME.fullmatch(name) or len(name) > MOST or keyword.iskeyword(name):
        raise ValueError(
            f"{name!r} cannot be a verifier: small letters, digits and single underscores, "
            f"a letter first, at most {MOST}, no word of Python"
        )
    if name in base.names():
        raise ValueError(f"there is a verifier {name!r} already")
    if not to.is_dir():
        raise NotADirectoryError(f"no such folder: {to}")
    package = f"distill-verifier-{name.replace('_', '-')}"
    folder = to / package
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    module = f"distill_verifier_{name}"
    words = {
        "name": name,
        "module": module,
        "package": package,
        "title": "".join(part.capitalize() for part in name.split("_")),
    }
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(**words))
    (folder / f"{module}.py").write_text(MODULE.format(**words))
    (folder / f"test_{name}.py").write_text(TEST.format(**words))
    return folder
