"""What a constraint is: the arguments it needs and how a text is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Args = Mapping[str, Any]
Check = Callable[[str, Args], tuple[bool, str]]
MOST = 1_000_000
LONG = 2_000


class Constraint(NamedTuple):
    """A check and its arguments, each with what reads it from the ground truth.

    `check(text, args)` says whether the text satisfies it, and in a few words what was found.
    """

    check: Check
    args: Mapping[str, Callable[[Any], Any]]


def count(value: Any) -> int:
    """A whole number from 1; raises ValueError."""
    whole = isinstance(value, float) and value.is_integer()
    if isinstance(value, bool) or not (isinstance(value, int) or whole) or not 1 <= value <= MOST:
        raise ValueError("must be a whole number from 1")
    return int(value)


def phrase(value: Any) -> str:
    """A text that is not blank; raises ValueError."""
    if not isinstance(value, str) or not value.strip() or len(value) > LONG:
        raise ValueError(f"must be a text of 1 to {LONG} characters")
    return value.strip()


def whole_text(value: Any) -> str:
    """A text of any length that is not blank; raises ValueError."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text")
    return value.strip()


def phrases(value: Any) -> list[str]:
    """A list of texts, none of them blank; raises ValueError."""
    if not isinstance(value, list) or not 0 < len(value) <= 100:
        raise ValueError("must be a list of texts")
    return [phrase(item) for item in value]


def letter(value: Any) -> str:
    """One character that is not blank; raises ValueError."""
    if not isinstance(value, str) or len(value.strip()) != 1:
        raise ValueError("must be one character")
    return value.strip()


def relation(value: Any) -> str:
    """`at least` or `less than`; raises ValueError."""
    if value not in ("at least", "less than"):
        raise ValueError("must be 'at least' or 'less than'")
    return str(value)


def compare(found: int, relation: str, wanted: int, what: str) -> tuple[bool, str]:
    """Whether a number stands to another as wanted, and what was found."""
    right = found >= wanted if relation == "at least" else found < wanted
    return right, f"{found} {what}, {relation} {wanted} wanted"


def exactly(found: int, wanted: int, what: str) -> tuple[bool, str]:
    """Whether a number is the one that is wanted, and what was found."""
    return found == wanted, f"{found} {what}, {wanted} wanted"
