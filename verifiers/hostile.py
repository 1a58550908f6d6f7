"""Texts that no verifier may call correct, stumble over, or run; each with what it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from verifiers.records import Problem

NONSENSE = "Quixotic zebras hum, says nobody; qwxz vlmpf."
MEGABYTE = 1_000_000


def nonsense() -> Iterator[tuple[str, str]]:
    """Texts that answer nothing."""
    yield "nonsense", NONSENSE
    yield "empty text", ""
    yield "white space", " \t\r\n \u00a0\u2003\n" * 40


def candidates(problem: Problem) -> Iterator[tuple[str, str]]:
    """Texts that name many answers and commit to none."""
    yield "all options at once", "The answer is A or B or C or D or E."
    yield "a list of numbers", "The answer is one of " + ", ".join(map(str, range(-99, 1000))) + "."
    gold = problem.answer
    if isinstance(gold, str) and gold.strip():
        yield "the gold among others", f"The answer is {gold} or {gold}0 or 1{gold} or none."
    options = gold.get("options") if isinstance(gold, Mapping) else None
    if isinstance(options, Mapping | list):
        named = options.items() if isinstance(options, Mapping) else zip("ABCDEFGH", options)  # noqa: B905
        said = " or ".join(f"({key}) {value}" for key, value in named)
        yield "all its options", f"The answer is {said}."


def golds() -> Iterator[tuple[str, Any]]:
    """Ground truths that cannot be used, or are of a form that was not meant."""
    nested: Any = "4"
    for _ in range(50):
        nested = [nested]
    yield "none", None
    yield "empty text", ""
    yield "blanks", " \n\t"
    yield "a boolean", True
    yield "an empty list", []
    yield "an empty object", {}
    yield "an object of another form", {"kind": "no such kind", "tests": 7}
    yield "a list of odd things", [None, {"a": [1.5]}, ""]
    yield "deep lists", nested
    yield "1 MB of words", "the answer " * (MEGABYTE // 11)
    yield "1 MB of brackets", "(" * MEGABYTE
    yield "control characters", "\0\x1b[2J\u202e\ufeff"


def many() -> Iterator[str]:
    """Long texts, each another one."""
    for number in range(160):
        yield f"{number} {NONSENSE} " * (100_000 // len(NONSENSE))


def hostile() -> Iterator[tuple[str, str]]:
    """Texts that are made to crash, hang or confuse a reader."""
    for label, piece in MEGABYTES.items():
        yield f"1 MB of {label}", (piece * (MEGABYTE // len(piece) + 1))[:MEGABYTE]
    for label, (opening, core, closing) in NESTED.items():
        yield f"deep nesting: {label}", opening * 20_000 + core + closing * 20_000
    yield "NUL bytes", f"\0{NONSENSE}\0\0 \\boxed{{\0}}"
    yield "control characters", "".join(map(chr, range(1, 32))) + NONSENSE + "\x1b[2J\x7f\x9b"
    yield "lone surrogates", f"\ud800 {NONSENSE} \udfff\\boxed{{\udc80}}"
    yield "right-to-left marks", f"\u202e\u2067{NONSENSE}\u200f \u202d\u2069 \\boxed{{\u202e}}"
    yield "invisible characters", "\ufeff\u200b\u2060\u00ad\u034f" * 500
    yield "combining marks", "Z" + "\u0301\u0316" * 8_000
    for label, text in HUGE.items():
        yield f"huge number: {label}", text


MEGABYTES = {
    "words": "the answer is ",
    "digits": "7",
    "sums": "1+",
    "blanks": " ",
    "line ends": "\n",
    "open boxes": "\\boxed{",
    "dollars": "$x$ ",
    "backslashes": "\\",
    "equals signs": "a=",
    "commas": "1,",
    "tags": "<answer>",
    "one letter": "a",
}
NESTED = {
    "round brackets": ("(", "1", ")"),
    "open brackets": ("(", "", ""),
    "lists": ("[", "1", "]"),
    "objects": ('{"a":', "1", "}"),
    "fractions": ("\\frac{1}{", "1", "}"),
    "roots": ("\\sqrt{", "1", "}"),
    "powers": ("2^{", "1", "}"),
}
HUGE = {
    "tower": "\\boxed{10^{10^{10^{6}}}}",
    "10**10**6": "The answer is 10**10**6",
    "factorials": "\\boxed{((1000000!)!)!}",
    "exponent": "The answer is 1e999999999",
    "many digits": "The answer is " + "9" * 100_000,
    "long fraction": "\\boxed{\\frac{" + "7" * 50_000 + "}{" + "3" * 50_000 + "}}",
    "sum to infinity": "\\boxed{\\sum_{k=1}^{10^{12}} \\frac{1}{k^k}}",
}
FRAMES = {
    "bare": "{}",
    "boxed": "\\boxed{{{}}}",
    "prose": "The answer is {}",
    "code": "```python\n{}\n```",
    "tag": "<answer>{}</answer>",
}
ESCAPE = (
    "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
    ".__init__.__globals__['system']({!r})"
)


def canaries(folder: Path) -> Iterator[tuple[str, str]]:
    """Texts that make a file in `folder` if they are run as Python, YAML, a template or a shell."""

    def touch(name: str) -> str:
        return f"touch {shlex.quote(str(folder / name))}"

    for frame, around in FRAMES.items():
        system = f"__import__('os').system({touch(f'system-{frame}')!r})"
        opened, in_exec = (f"open({str(folder / f'{n}-{frame}')!r}, 'w')" for n in ("open", "exec"))
        for what, code in (
            ("system", system),
            ("open", opened),
            ("exec", f"exec({in_exec!r})"),
            ("escape", ESCAPE.format(touch(f"escape-{frame}"))),
        ):
            yield f"{what}, {frame}", around.format(code)
    yield "yaml", f"!!python/object/apply:os.system [{touch('yaml')!r}]"
    yield "template", f"{{{{ cycler.__init__.__globals__.os.system({touch('template')!r}) }}}}"
    yield "shell", f"$({touch('shell')}) `{touch('ticks')}`; {touch('semicolon')}"
