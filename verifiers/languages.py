"""Programs in other languages than Python: how their source is named, built and run.

A recipe adds some: `verifiers: {code: {languages: {rust: {file: main.rs, build: "rustc -O main.rs",
run: ./main}}}}`.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verifiers.base import VerifierError
from verifiers.submission import PYTHON

PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Language:
    """How a program is made of a source.

    Args:
        file: the name that the source gets.
        run: the command line that runs it.
        build: the one that builds it first; none where it is interpreted.
        check: the one that only looks whether it compiles; `build` where absent.
        fences: names that fenced blocks of it carry, besides its own name and none.
    """

    file: str
    run: str
    build: str = ""
    check: str = ""
    fences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.file or "/" in self.file or not self.run:
            raise ValueError("a language needs a `file` without a folder, and a `run`")
        for line in (self.run, self.build, self.check):
            shlex.split(line)

    def missing(self) -> str | None:
        """The program that this machine lacks to run it, or None."""
        for line in filter(None, (self.build, self.run, self.check)):
            program = shlex.split(line)[0]
            if "/" not in program and shutil.which(program, path=PATH) is None:
                return program
        return None


BUILT_IN = {
    "c": Language("main.c", "./main", "gcc -O2 -o main main.c -lm", fences=("h",)),
    "c++": Language("main.cpp", "./main", "g++ -O2 -o main main.cpp", fences=("cpp", "cc", "cxx")),
    "javascript": Language(
        "main.js", "node main.js", check="node --check main.js", fences=("js", "node", "mjs")
    ),
}
OTHER_NAMES = {"cpp": "c++", "js": "javascript", "node": "javascript", "py": "python"}


class Languages:
    """The languages that can be named: Python, the built-in ones, and those of the recipe.

    Raises ValueError or TypeError where one of `added` is no language.
    """

    def __init__(self, added: Mapping[str, Mapping[str, Any]]):
        self._known = dict(BUILT_IN)
        for name, fields in added.items():
            fences = tuple(fields.get("fences", ()))
            self._known[name.lower()] = Language(**{**fields, "fences": fences})

    def name(self, gold: Mapping[str, Any]) -> str:
        """The language that a ground truth asks for."""
        name = str(gold.get("language", "python")).lower()
        return name if name in self._known else OTHER_NAMES.get(name, name)

    def check(self, gold: Mapping[str, Any]) -> str | None:
        """Why its language cannot be used, or None."""
        name = self.name(gold)
        known = ", ".join(("python", *self._known))
        return (
            None
            if name == "python" or name in self._known
            else (
                f"no language {name!r} is known (known: {known}; the option `languages` adds some)"
            )
        )

    def get(self, name: str) -> Language:
        """Language `name`; raises VerifierError where its compiler is not on this machine."""
        language = self._known[name]
        if program := language.missing():
            raise VerifierError(f"{program} is not installed, which {name} needs")
        return language

    def fences(self, name: str) -> tuple[str, ...]:
        """Names of fenced blocks that hold it."""
        return PYTHON if name == "python" else ("", name, *self._known[name].fences)
