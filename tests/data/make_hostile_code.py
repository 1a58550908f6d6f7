"""Make the mutated and fuzzed rows of hostile_code.jsonl anew from a seed; rows by hand are kept.

    python tests/data/make_hostile_code.py

The expected status follows from how a row was made, never from the verifier: attacks by hand are
carried into other forms and wrappings, values and outputs are changed by one small step, and so is
the text around a program.
"""

import base64
import json
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROWS = Path(__file__).with_name("hostile_code.jsonl")
SEED = 20
SOURCE = "```python\n{}\n```"
SCRIPT = {
    "kind": "script",
    "entry_point": "add",
    "test": "def check(candidate):\n    for a, b in ((2, 3), (7, 11), (-1, 1)):\n"
    "        assert candidate(a, b) == a + b\n",
}
STDIO = {
    "kind": "stdio",
    "tests": [{"stdin": "2 3\n", "stdout": "5\n"}, {"stdin": "7 11\n", "stdout": "18\n"}],
}
CARRIED = (
    "lying-object", "patched", "early-exit", "forged-report", "leak-files", "leak-env", "leak-network",
    "leak-processes", "leak-kernel", "left-behind", "poison", "huge-result", "bomb",
)  # fmt: skip
Row = dict[str, Any]


def row(category: str, by: str, answer: Any, completion: str, expected: str, why: str) -> Row:
    return {"category": category, "by": by, "answer": answer, "completion": completion,
            "expected": expected, "why": why}  # fmt: skip


def to_program(source: str) -> str:
    return f"{source}\na, b = map(int, input().split())\nprint(add(a, b))"


def encoded(source: str) -> str:
    data = base64.b85encode(zlib.compress(source.encode(), 9)).decode()
    return f"import base64, zlib\nexec(zlib.decompress(base64.b85decode({data!r})).decode(), globals())"


def in_thread(source: str) -> str:
    return f"""{source}
import threading as _threading
def _in_thread(inner):
    def add(a, b):
        box = []
        t = _threading.Thread(target=lambda: box.append(inner(a, b)))
        t.start()
        t.join()
        return box[0] if box else None
    return add
add = _in_thread(add)"""


def in_child(source: str) -> str:
    return f"""import os as _os
_ready, _go = _os.pipe()
if _os.fork() == 0:
    _os.close(_ready)
    exec({source!r}, globals())
    try:
        add(2, 3)
    finally:
        _os._exit(0)
_os.close(_go)
_os.read(_ready, 1)
def add(a, b):
    return a - b - 1"""


def at_deletion(source: str) -> str:
    return f"""class _Late:
    def __del__(self, run=exec, source={source!r}):
        run(source, {{"__name__": "late"}})
_late = _Late()
def add(a, b):
    global _late
    _late = None
    return [a, b]"""


def as_default(source: str) -> str:
    return f"""def add(a, b, _payload=exec({source!r}, globals())):
    return str(a + b)"""


def at_import(source: str) -> str:
    return f"""import sys, types
class _Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "payload":
            exec({source!r}, globals())
sys.meta_path.insert(0, _Finder())
try:
    import payload
except ImportError:
    pass
_inner = globals().get("add")
def add(a, b):
    got = _inner(a, b) if _inner else None
    return got"""


FORMS: dict[str, tuple[Callable[[str], str], Any]] = {
    "script": (str, SCRIPT),
    "program": (to_program, STDIO),
    "program, encoded": (lambda source: encoded(to_program(source)), STDIO),
    "encoded": (encoded, None),
    "script, encoded": (encoded, SCRIPT),
    "in a thread": (in_thread, None),
    "script, in a thread": (in_thread, SCRIPT),
    "in a child": (in_child, None),
    "script, at deletion": (at_deletion, SCRIPT),
    "at deletion": (at_deletion, None),
    "as a default": (as_default, None),
    "by an import hook": (at_import, None),
    "script, by an import hook": (at_import, SCRIPT),
}


def carried(rng: random.Random, hand: list[Row]) -> Iterator[Row]:
    """Attacks on `add` by hand, carried into another form or wrapping."""
    for category in CARRIED:
        attacks = [
            old for old in hand
            if old["category"] == category and isinstance(old["completion"], str)
            and isinstance(old["answer"], dict) and old["answer"].get("entry_point") == "add"
            and "def add" in old["completion"]
        ]  # fmt: skip
        names = list(FORMS)
        rng.shuffle(names)
        for name, old in zip(names, rng.sample(attacks, min(len(attacks), 9)), strict=False):
            wrap, answer = FORMS[name]
            source = wrap(old["completion"].removeprefix("```python\n").removesuffix("\n```"))
            new = row(
                category, "mutation", answer or old["answer"], SOURCE.format(source), "wrong",
                f"{old['id']}, {name}",
            )  # fmt: skip
            yield {**new, "limit": max(3, old.get("limit", 0))}


def value(rng: random.Random, depth: int = 3) -> Any:
    """A random JSON value."""
    kind = rng.randrange(7 if depth else 5)
    if kind == 5:
        return [value(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
    if kind == 6:
        return {rng.choice("abcdxyz") + str(i): value(rng, depth - 1) for i in range(2)}
    return (
        rng.randrange(-9, 99), rng.random() * 8, rng.random() < 0.5, None,
        "".join(rng.choice("ab é\n0'") for _ in range(rng.randrange(4))),
    )[kind]  # fmt: skip


def near(rng: random.Random, old: Any) -> tuple[str, str]:
    """The source of a value that is almost `old`, and what was changed."""
    if isinstance(old, list) and old and rng.random() < 0.75:
        at = rng.randrange(len(old))
        inner, why = near(rng, old[at])
        return f"[{', '.join([*map(repr, old[:at]), inner, *map(repr, old[at + 1 :])])}]", why
    if isinstance(old, dict) and old and rng.random() < 0.75:
        at = rng.choice(list(old))
        inner, why = near(rng, old[at])
        items = [f"{k!r}: {inner if k == at else repr(v)}" for k, v in old.items()]
        return f"{{{', '.join(items)}}}", why
    liar = f"type('L', (type({old!r}),), {{'__eq__': lambda s, o: True, '__hash__': None}})"
    if old is None:
        return rng.choice([("False", "False for None"), ("0", "0 for None"), ("''", "'' for None")])
    if isinstance(old, bool):
        return rng.choice([(repr(int(old)), "an int for a bool"), (repr(not old), "the other bool"),
                           (repr(str(old)), "its text")])  # fmt: skip
    if isinstance(old, int):
        return rng.choice([(f"{old}.0", "a float for an int"), (repr(str(old)), "its text"),
                           (repr(old + 1), "one more"), (f"{liar}({old} + 1)", "a liar")])  # fmt: skip
    if isinstance(old, float):
        return rng.choice([(repr(round(old, 2) + 1e-3), "rounded"), (repr(str(old)), "its text"),
                           ("float('nan')", "not a number"), (f"{liar}(-1.0)", "a liar")])  # fmt: skip
    if isinstance(old, str):
        return rng.choice([(repr(old + " "), "a blank more"), (repr(old.encode()), "bytes"),
                           (repr([*old]), "its characters"), (f"{liar}('?')", "a liar")])  # fmt: skip
    return rng.choice([(f"{old!r} and str({old!r})", "its text"), (f"({old!r}, )", "inside a tuple"),
                       (f"[{old!r}]", "inside a list"), ("None", "None")])  # fmt: skip


def values(rng: random.Random) -> Iterator[Row]:
    """Results that are right, and results that are off by one small step."""
    for _ in range(124):
        gold = value(rng)
        answer = {"kind": "function", "entry_point": "f", "tests": [{"args": [], "expected": gold}]}
        source, why = near(rng, gold)
        yield row("near-value", "fuzz", answer, SOURCE.format(f"def f():\n    return {source}"),
                  "wrong", why)  # fmt: skip
    for _ in range(12):
        gold = value(rng)
        answer = {
            "kind": "function",
            "entry_point": "f",
            "tests": [{"args": [gold], "expected": gold}],
        }
        yield row("honest-value", "fuzz", answer, SOURCE.format("def f(x):\n    return x"),
                  "correct", "the argument given back")  # fmt: skip


def outputs(rng: random.Random) -> Iterator[Row]:
    """Outputs that differ in what counts, and outputs that differ in what does not."""
    for index in range(72):
        lines = [str(rng.randrange(-50, 200)) for _ in range(rng.randrange(2, 5))]
        at = rng.randrange(len(lines))
        seen = list(lines)
        good = index % 5 == 0
        if good:
            seen = [line + rng.choice(["", " ", "\t", "  \t", "\r"]) for line in lines]
            text = "\n".join(seen) + rng.choice(["", "\n", "\n\n", "\n \n\t\n"])
            why = "blanks at line ends, empty lines at the end"
        else:
            step = rng.randrange(8)
            if step == 0:
                seen.pop(at)
            elif step == 1:
                seen.insert(at, rng.choice(["", "0", lines[at]]))
            elif step == 2:
                seen[at] = " " + seen[at]
            elif step == 3:
                seen[at] = f"{seen[at]}{rng.choice(['.', '0', ',', '.0', ' 0', chr(0xA0) + '1'])}"
            elif step == 4:
                seen[at] = rng.choice("xX#$=") + seen[at]
            elif step == 5:
                seen[at : at + 2] = [rng.choice(" ,;\t").join([*seen[at : at + 2], "1"])]
            elif step == 6:
                seen[at] = str(int(seen[at]) + rng.choice([-1, 1, 10]))
            joint = rng.choice("\x0b\x0c\x1c\x1d\x85\u2028\u2029") if step == 7 else "\n"
            text = joint.join(seen) + "\n"
            why = ("a line lost", "a line more", "a blank in front", "a tail", "a head", "lines joined",
                   "another number", "a separator that is no newline")[step]  # fmt: skip
        answer = {"kind": "stdio", "tests": [{"stdin": "", "stdout": "\n".join(lines) + "\n"}]}
        yield row(
            "honest-output" if good else "near-output", "fuzz", answer,
            SOURCE.format(f"print({text!r}, end='')"), "correct" if good else "wrong", why,
        )  # fmt: skip


GOOD = "def add(a, b):\n    return a + b\n"
BAD = ("def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b + (b > 5)\n",
       "def add(a, b):\n    return f'{a + b}'\n", "def add(a, b):\n    return\n")  # fmt: skip
ADD = {
    "kind": "function",
    "entry_point": "add",
    "tests": [{"args": [2, 3], "expected": 5}, {"args": [10, 20], "expected": 30}],
}


def texts(rng: random.Random) -> Iterator[Row]:
    """A last program that is right or wrong, in random surroundings."""
    for index in range(126):
        good = index % 4 == 0
        last, other = (GOOD, rng.choice(BAD)) if good else (rng.choice(BAD), GOOD)
        fence = rng.choice(["```", "~~~", "````"])
        tag = rng.choice(["python", "py", "Python", "python3", ""])
        thought = rng.choice(["", f"<think>\n{fence}python\n{other}{fence}\n</think>\n"])
        before = rng.choice(
            ["", f"A first try:\n{fence}python\n{other}{fence}\nNo: that was a mistake.\n"]
        )
        prose = rng.choice(
            ["", "Here it is.\n\n", "**Solution**\n", "Let `a` and `b` be numbers.\n"]
        )
        after = rng.choice(["", "\nIt runs in O(1).", f"\nOutput:\n{fence}\n5\n{fence}\n", "\n\n"])
        text = f"{thought}{before}{prose}{fence}{tag}\n{last}{fence}{after}"
        if rng.random() < 0.25:
            text = text.replace("\n", "\r\n")
        yield row("honest-text" if good else "near-text", "fuzz", ADD, text,
                  "correct" if good else "wrong", "the last program counts")  # fmt: skip


def main() -> None:
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
    hand = [old for old in rows if old["by"] == "hand"]
    rng = random.Random(SEED)
    made = [*carried(rng, hand), *values(rng), *outputs(rng), *texts(rng)]
    for number, new in enumerate(made):
        new["id"] = f"{new['category']}-m{number:03d}"
    kept = [*hand, *({"id": new.pop("id"), **new} for new in made)]
    ROWS.write_text("".join(json.dumps(one) + "\n" for one in kept))


if __name__ == "__main__":
    main()
