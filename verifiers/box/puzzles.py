"""Run a reasoning-gym checker on an answer, where nothing the answer says is executed.

Several checkers hand the answer to `eval`, by themselves or through sympy. Here `eval` takes
expressions of numbers, texts, lists and the functions of its namespace only, and `exec` nothing:
no attribute, no item, no name of the interpreter. So an answer cannot reach the score.
"""

from __future__ import annotations

import ast
import builtins
import math
import sys
from types import CodeType
from typing import Any

from . import plain, remote

ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Constant, ast.Name,
    ast.Load, ast.Call, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.keyword,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
HARMLESS = {"abs", "min", "max", "sum", "round", "int", "float", "pow"}
SYMPY = "from sympy import *"


class Refused(ValueError):
    """An answer that is a program."""


def score(task: dict[str, Any], channels: list[int]) -> int:
    """The score of `answer` for the entry of a data set: one message."""
    channel = remote.Channel(channels[0])
    import reasoning_gym

    with _guarded():
        try:
            checker = reasoning_gym.get_score_answer_fn(task["dataset"])
        except BaseException as fault:
            channel.send({"bad": remote.error(fault)}, now=True)
            return 0
        try:
            value = checker(task["answer"], task["entry"])
            if value != 1:  # some compare with the tuples that an entry held before it was JSON
                value = max(value, checker(task["answer"], _tuples(task["entry"])))
        except BaseException as fault:
            channel.send(remote.error(fault), now=True)
            return 0
    right = type(value) in (int, float, bool) and math.isfinite(value)
    channel.send(
        {"score": float(value)} if right else {"bad": plain.pack(str(type(value)))}, now=True
    )
    return 0


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(part) for key, part in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


class _guarded:
    """Replaces `eval` and `exec` for as long as the checker runs."""

    def __enter__(self) -> None:
        self._eval, self._exec = builtins.eval, builtins.exec
        setattr(builtins, "eval", self._evaluate)  # noqa: B010
        setattr(builtins, "exec", self._execute)  # noqa: B010

    def __exit__(self, *_: object) -> None:
        setattr(builtins, "eval", self._eval)  # noqa: B010
        setattr(builtins, "exec", self._exec)  # noqa: B010

    def _evaluate(self, source: Any, names: Any = None, more: Any = None) -> Any:
        if isinstance(source, CodeType):
            raise Refused("compiled code")
        known = {**(names or {}), **(more or {})}
        tree = ast.parse(source.strip(), mode="eval")
        for node in ast.walk(tree):
            if not isinstance(node, ALLOWED):
                raise Refused(type(node).__name__)
            if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
                raise Refused("a call of something else than a function's name")
            if isinstance(node, ast.Name) and not self._fair(node.id, known):
                raise Refused(f"the name {node.id}")
        return self._eval(compile(tree, "answer", "eval", dont_inherit=True), known)

    def _fair(self, name: str, known: dict[str, Any]) -> bool:
        if name.startswith("_"):
            return False
        if name not in known:
            return name in HARMLESS
        module = getattr(known[name], "__module__", None) or type(known[name]).__module__
        return str(module).split(".")[0] in ("sympy", "builtins") and not hasattr(builtins, name)

    def _execute(self, source: Any, names: Any = None, more: Any = None) -> None:
        if sys._getframe(1).f_code.co_filename.startswith("<frozen importlib"):
            self._exec(source, names, more)
            return
        if source != SYMPY:
            raise Refused("a program")
        names.update(
            {key: value for key, value in vars(sys.modules["sympy"]).items() if key[0] != "_"}
        )
