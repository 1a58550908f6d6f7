"""Regular expressions that end: searched with a limit of time, whatever pattern and text are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import regex

SECONDS = 0.5
LONGEST = 5_000
DEEPEST = 100


class BadPattern(ValueError):
    """A pattern that cannot be compiled, or is too big to be tried."""


@lru_cache(maxsize=1024)
def compiled(pattern: str, flags: int = 0) -> regex.Pattern[str]:
    """The compiled pattern, in the syntax of the package `regex`; raises BadPattern."""
    import regex

    if len(pattern) > LONGEST or pattern.count("(") > DEEPEST:
        raise BadPattern(f"a pattern of over {LONGEST} characters or {DEEPEST} groups")
    try:
        return regex.compile(pattern, flags)
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise BadPattern(f"{pattern[:80]!r} is no pattern: {error}") from error


def find(
    pattern: regex.Pattern[str], text: str, whole: bool = False, seconds: float = SECONDS
) -> Any:
    """The match of `pattern` in `text`, or with all of it; None where there is none.

    Raises TimeoutError after `seconds` of wall time.
    """
    return (pattern.fullmatch if whole else pattern.search)(text, timeout=seconds)
