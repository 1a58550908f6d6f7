"""The parameters that several commands share, and what they print for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

RunDir = Annotated[Path | None, Parameter(help="The run folder; runs/NAME where absent.")]
Set = Annotated[
    list[str], Parameter(help="Change the recipe: KEY=VALUE, as often as needed.", negative=())
]
Shared = Annotated[
    Path | None, Parameter(help="A store to share with other runs, instead of the run's own.")
]
Spend = Annotated[
    str | None,
    Parameter(help="Ask no teacher beyond so much in all, such as 25usd or 100Mtok."),
]


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    """A whole number; cyclopts would round others."""
    return int(tokens[0].value)


Workers = Annotated[int | None, Parameter(converter=_whole)]
Limit = Annotated[
    int | None,
    Parameter(
        converter=_whole,
        help="Ask so many questions only, show them with chains and verdicts, and say what the "
        "whole run would cost. What is paid stays in the store.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", help="Print JSON.", negative=())]


def as_text(value: Any) -> str:
    """`value` as JSON."""
    return json.dumps(value, indent=1)
