"""The fast path: plain numbers and fractions by regular expression, as exact rationals."""

from __future__ import annotations

import re
from fractions import Fraction

DIGITS = 4000
PLAIN = re.compile(
    r"""[\s$]* (?P<sign>[-+]?) \s* (?:\\?\$\s*)? (?P<late>-?)
        (?: \\[dt]?frac \s* 
              (?: \{\s*(?P<top>-?\d+)\s*\} \s* \{\s*(?P<bottom>\d+)\s*\} | (?P<a>\d)(?P<b>\d) )
          | (?P<whole> \d{1,3} (?:(?:,|\{,\})\d{3})+ | \d+ )
              (?P<decimals> \.\d+ )? (?: \s*/\s* (?P<over>\d+) )?
          | (?P<bare> \.\d+ ) )
        \s* (?P<percent> \\?% )? \s* \$? \s* \.? \s* \$? \s*""",
    re.VERBOSE | re.ASCII,
)


def read(text: str) -> tuple[Fraction, bool] | None:
    """The rational that `text` is, and whether it is a percentage; None for anything else."""
    if len(text) > DIGITS:
        return None
    match = PLAIN.fullmatch(text)
    if match is None:
        return None
    top, bottom, whole = match["top"] or match["a"], match["bottom"] or match["b"], match["whole"]
    if top:
        if not int(bottom):
            return None
        value = Fraction(int(top), int(bottom))
    elif whole:
        value = Fraction(whole.replace("{,}", "").replace(",", "") + (match["decimals"] or ""))
        if match["over"]:
            if match["decimals"] or not int(match["over"]):
                return None
            value /= int(match["over"])
    else:
        value = Fraction(match["bare"])
    if match["sign"] == "-":
        value = -value
    if match["late"]:
        value = -value
    percent = bool(match["percent"])
    return (value / 100 if percent else value), percent
