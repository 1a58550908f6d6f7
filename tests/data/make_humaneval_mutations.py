"""One semantic mutation for each HumanEval solution that changes what its own tests say.

    DISTILL_DATA=... python tests/data/make_humaneval_mutations.py

Mutations are tried in a seeded order, each in a plain process; the first one whose tests fail by an
assertion is kept. The file holds only its number and its operator, no text of the problems.
"""

import ast
import copy
import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
SEED = 5
COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.FloorDiv: ast.Mod, ast.Pow: ast.Mult, ast.BitXor: ast.BitOr,
}  # fmt: skip
Edit = tuple[str, Callable[[], None]]


def problems() -> list[dict]:
    """HumanEval's rows from where the recorded data is."""
    path = Path(os.environ.get("DISTILL_DATA", "missing")) / "HumanEval.jsonl.gz"
    return [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]


def edits(node: ast.AST) -> Iterator[Edit]:
    """What can be changed at one node: the operator's name, and what does it."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARE:
            yield "comparison", lambda: setattr(node, "ops", [COMPARE[type(op)]()])
        case ast.BinOp(op=op) if type(op) in ARITHMETIC:
            yield "arithmetic", lambda: setattr(node, "op", ARITHMETIC[type(op)]())
        case ast.BoolOp(op=op):
            other = ast.Or if isinstance(op, ast.And) else ast.And
            yield "and-or", lambda: setattr(node, "op", other())
        case ast.Constant(value=bool(value)):
            yield "constant", lambda: setattr(node, "value", not value)
        case ast.Constant(value=int(value)):
            yield "off-by-one", lambda: setattr(node, "value", value + 1)
        case ast.Constant(value=str(value)):
            yield "constant", lambda: setattr(node, "value", value + "x")
        case ast.If(test=test) | ast.IfExp(test=test):
            turned = ast.UnaryOp(ast.Not(), test)
            yield "condition", lambda: setattr(node, "test", turned)
        case ast.Return(value=ast.AST() as value):
            yield "return", lambda: setattr(node, "value", ast.List([value], ast.Load()))


def mutants(problem: dict) -> list[tuple[str, str]]:
    """All mutations of a problem's solution: operator and source, always in the same order."""
    tree = ast.parse(problem["prompt"] + problem["canonical_solution"])
    count = sum(1 for node in _body(tree, problem) for _ in edits(node))
    found = []
    for number in range(count):
        changed = copy.deepcopy(tree)
        name, edit = [edit for node in _body(changed, problem) for edit in edits(node)][number]
        edit()
        found.append((name, ast.unparse(ast.fix_missing_locations(changed))))
    return found


def _body(tree: ast.Module, problem: dict) -> Iterator[ast.AST]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name == problem["entry_point"]:
            for statement in function.body[1:]:
                yield from ast.walk(statement)


def outcome(problem: dict, source: str) -> str:
    """What the problem's own tests say of `source` in a plain process: pass, differ or crash."""
    program = f"{source}\n{problem['test']}\ncheck({problem['entry_point']})\n"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=10
        )
    except subprocess.TimeoutExpired:
        return "crash"
    if done.returncode == 0:
        return "pass"
    return "differ" if "AssertionError" in done.stderr else "crash"


def first_that_differs(problem: dict) -> dict:
    """The first mutation, in the seeded order, that the problem's tests tell from the original."""
    rng = random.Random(f"{SEED} {problem['task_id']}")
    tried = list(enumerate(mutants(problem)))
    rng.shuffle(tried)
    tried.sort(key=lambda item: item[1][0] == "return")
    for number, (name, source) in tried:
        if outcome(problem, source) == "differ":
            return {"task_id": problem["task_id"], "number": number, "operator": name}
    raise SystemExit(f"no mutation of {problem['task_id']} changes the outcome")


def main() -> None:
    found = [first_that_differs(problem) for problem in problems()]
    text = "".join(json.dumps(row) + "\n" for row in found)
    (HERE / "humaneval_mutations.jsonl").write_text(text)


if __name__ == "__main__":
    main()
