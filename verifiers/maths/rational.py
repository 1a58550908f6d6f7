"""The fast path: plain numbers and fractions by regular expression, as exact rationals."""

from __future__ import annotations

import re
from fractions import Fraction

DIGITS = 4000
PLAIN = re.compile(
    r"""[\s$]* (?P<sign>[-+]?) \s* (?:\\?\$\s*)? (?P<late>-?)
        (?: \\[dt]?frac \s* 
              (?: \{\s*(?P<top>-?\d+)\s*\} \s* \{\s*(?P<bottom>\d+)\s*\} | (?P<a>\d)(?P<b>\d) )
          | (?P<whole> [1-9]\d{0,2} (?:(?:,|\{,\})\d{3})+ | \d+ )
              (?P<decimals> \.\d+ )? (?: \s*/\s* (?P<over>\d+) )?
          | (?P<bare> \.\d+ ) )
        \s* (?P<percent> \\?% )? \s* \$? \s* \.? \s* \$? \s*""",
    re.VERBOSE | re.ASCII,
)


def read(text: str) -> tuple[Fraction | int, bool] | None:
    """The rational that `text` is, and whether it is a percentage; None for anything else."""
    if len(text) > DIGITS:
        return None
    match = PLAIN.fullmatch(text)
    if match is None:
        return None
    whole, over = match["whole"], match["over"]
    value: Fraction | int
    if whole and not match["decimals"]:
        value = int(whole.replace("{,}", "").replace(",", ""))
        if over:
            if not int(over):
                return None
            value = Fraction(value, int(over))
    elif whole or match["bare"]:
        if over:
            return None
        value = Fraction((whole or "").replace("{,}", "").replace(",", "") + _decimals(match))
    else:
        top, bottom = match["top"] or match["a"], match["bottom"] or match["b"]
        if not int(bottom):
            return None
        value = Fraction(int(top), int(bottom))
    if (match["sign"] == "-") != bool(match["late"]):
        value = -value
    percent = bool(match["percent"])
    return (Fraction(value, 100) if percent else value), percent


def _decimals(match: re.Match[str]) -> str:
    return match["decimals"] or match["bare"] or ""
