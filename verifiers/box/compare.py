"""Whether what a submission returned is what was expected: on the host, with strict types.

A returned value stays in its wire form (`plain`): no object of the submission is rebuilt, hashed or
compared here, and the work is bounded by the size of the expected value and of the message.
"""

from __future__ import annotations

import math
from typing import Any

RELATIVE = 1e-9
ZERO = 1e-15


def same(expected: Any, wire: Any, json_types: bool = False) -> bool:
    """Whether a JSON value and a returned one are equal, type by type.

    True is not 1, 1 is not 1.0, a tuple is no list. Floats agree to nine digits (`RELATIVE`), zero
    with what is below `ZERO`; NaN equals NaN. `json_types` takes what JSON has no word for as what
    it becomes there: a tuple as a list, a dict's integer keys as texts.
    """
    if expected is None or isinstance(expected, bool | str):
        return type(wire) is type(expected) and wire == expected
    if isinstance(expected, int):
        return not isinstance(wire, bool) and expected == _integer(wire)
    if isinstance(expected, float):
        return isinstance(wire, float) and _close(expected, wire)
    if isinstance(expected, list):
        parts = _parts(wire, json_types)
        return (
            parts is not None
            and len(parts) == len(expected)
            and all(same(e, w, json_types) for e, w in zip(expected, parts, strict=True))
        )
    return _same_dict(expected, wire, json_types)


def _integer(wire: Any) -> int | None:
    if isinstance(wire, int):
        return wire
    digits = _only(wire, "i")
    try:
        return int(digits, 16) if isinstance(digits, str) else None
    except ValueError:
        return None


def _close(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    if one == 0.0:
        return abs(other) <= ZERO
    return math.isclose(one, other, rel_tol=RELATIVE)


def _parts(wire: Any, json_types: bool) -> list[Any] | None:
    parts = _only(wire, "t") if json_types and isinstance(wire, dict) else wire
    return parts if isinstance(parts, list) else None


def _same_dict(expected: dict[str, Any], wire: Any, json_types: bool) -> bool:
    pairs = _only(wire, "d")
    if not isinstance(pairs, list) or len(pairs) != len(expected):
        return False
    seen = set()
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            return False
        key, value = pair
        if json_types and isinstance(key, int) and not isinstance(key, bool):
            key = str(key)
        if not isinstance(key, str) or key in seen or key not in expected:
            return False
        if not same(expected[key], value, json_types):
            return False
        seen.add(key)
    return True


def _only(wire: Any, key: str) -> Any:
    """What stands under the one key of a tagged value, None where it is another."""
    return wire.get(key) if isinstance(wire, dict) and len(wire) == 1 else None
