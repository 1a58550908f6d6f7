"""Find the JSON value that a text gives, and read it strictly.

Duplicate keys, NaN and infinities are no JSON (RFC 8259, RFC 7493); depth and size are bounded.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from verifiers.marks import TAG
from verifiers.visible import visible

LONGEST = 1_000_000
DEEPEST = 100
DIGITS = 1_000
TRIES = 50
FENCE = re.compile(r"```[ \t]{0,9}([\w+-]{0,20})[^\n]{0,200}\n(.*?)(?:\n[ \t]*```|\Z)", re.S)
KINDS = ("", "json", "jsonc", "json5", "javascript", "js", "text")
OPENING = re.compile(r"[{\[]")
LINE_END = re.compile(r"[ \t]*[`*]{0,3}[.]?[ \t]*(?:\n|\Z)")
CODE = re.compile(r"[{}\[\]()<>=]|[\"']\s*\Z")
BROKEN = re.compile(r"\{|(?m:^)[ \t]*\[\s*[\[{\"\d-]")


class Fault(ValueError):
    """A text that is no JSON value, or too big a one; `reason` as verdicts have it."""

    def __init__(self, what: str, reason: str = "no_answer"):
        super().__init__(what)
        self.reason = reason


class Value(NamedTuple):
    """A JSON value, where it stood in the text, and how it was found."""

    value: Any
    start: int
    end: int
    how: str


class _Strict:
    """Hooks that note what JSON does not allow, so that reading goes on to the value's end."""

    def __init__(self) -> None:
        self.fault = ""
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant,
            parse_int=self._integer, parse_float=self._real,
        )  # fmt: skip

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = (
                next(name for name in names if names.count(name) > 1) if len(names) < 99 else "?"
            )
            self.fault = self.fault or f"the key {twice[:40]!r} stands twice in an object"
        return found

    def _constant(self, name: str) -> float:
        self.fault = self.fault or f"{name} is no JSON number"
        return 0.0

    def _integer(self, digits: str) -> int:
        if len(digits) > DIGITS:
            self.fault = self.fault or f"a number of over {DIGITS} digits"
            return 0
        return int(digits)

    def _real(self, digits: str) -> float:
        value = float(digits) if len(digits) <= DIGITS else float("inf")
        if value in (float("inf"), float("-inf")):
            self.fault = self.fault or "a number that no double holds"
            return 0.0
        return value


def find(text: str, strict: bool = False) -> Value:
    """The JSON value that `text` gives; raises Fault.

    The last fenced block, else the last answer tag, else the whole text, else the last object or
    array that ends its line. Where `strict`, the whole text must be the value.
    """
    seen = visible(text)
    at = text.rfind(seen) if seen else 0
    if not seen.strip():
        raise Fault("the text is empty")
    if len(seen) > LONGEST:
        raise Fault(f"the text is longer than {LONGEST} characters", "output")
    body = seen.strip().removeprefix("\ufeff")
    start = seen.find(body)
    try:
        return Value(_read(body), at + start, at + start + len(body), "whole")
    except Fault as error:
        if strict or error.reason != "no_answer" or str(error) not in (NO_JSON, TRAILING):
            raise
    blocks = [m for m in FENCE.finditer(seen) if m[1].lower() in KINDS and m[2].strip()]
    if blocks:
        start, end = blocks[-1].span(2)
        return Value(_read(seen[start:end].strip()), at + start, at + end, "fenced")
    if tag := tagged(seen):
        return Value(_read(seen[slice(*tag)].strip()), at + tag[0], at + tag[1], "tagged")
    value, start, end = _embedded(seen)
    return Value(value, at + start, at + end, "bare")


NO_JSON = "there is no JSON value"
TRAILING = "something follows the JSON value"


def _read(body: str) -> Any:
    value, end = _decode(body, 0)
    if body[end:].strip():
        raise Fault(TRAILING)
    return value


def _decode(body: str, start: int) -> tuple[Any, int]:
    """The value at `start` and its end; raises Fault."""
    strict = _Strict()
    try:
        value, end = strict.decoder.raw_decode(body, start)
    except RecursionError as error:
        raise Fault(f"it is nested deeper than {DEEPEST} levels", "output") from error
    except ValueError as error:
        raise Fault(NO_JSON) from error
    if strict.fault:
        raise Fault(strict.fault, "different")
    if _deep(value):
        raise Fault(f"it is nested deeper than {DEEPEST} levels", "output")
    return value, end


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def tagged(seen: str) -> tuple[int, int] | None:
    """Where the content of the last answer tag stands; None where it is not closed."""
    for tag in list(TAG.finditer(seen))[-1:] if "<" in seen else []:
        end = seen.find(f"</{tag[1]}>", tag.end())
        if end > 0:
            return tag.end(), end
    return None


def _embedded(seen: str) -> tuple[Any, int, int]:
    """The last object or array in prose that ends its line, with only words before it there."""
    seen = FENCE.sub(lambda block: " " * len(block[0]), seen)
    found: tuple[Any, int, int] | None = None
    fault = Fault(NO_JSON)
    place = tries = 0
    while tries < TRIES and (match := OPENING.search(seen, place)):
        tries += 1
        place, start = match.end(), match.start()
        try:
            value, end = _decode(seen, start)
        except Fault as error:
            if str(error) != NO_JSON:
                raise
            line = seen.rfind("\n", 0, start) + 1
            if BROKEN.match(seen, start) or BROKEN.match(seen, line):
                found = None
            continue
        words = not CODE.search(seen[seen.rfind("\n", 0, start) + 1 : start])
        if words and LINE_END.match(seen, end):
            found, place = (value, start, end), end
        else:
            found, fault, place = None, Fault(TRAILING), _line_end(seen, end)
    if found is None:
        raise fault
    return found


def _line_end(seen: str, place: int) -> int:
    end = seen.find("\n", place)
    return len(seen) if end < 0 else end
