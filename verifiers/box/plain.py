"""Plain values on the wire: what a submission returns, as JSON that keeps Python's types apart.

null, booleans, texts, numbers and lists stand for themselves; all else is an object of one key:
`t` tuple, `d` dict (pairs), `s` set, `f` frozenset, `b` bytes (hex), `i` an integer that 64 bits
do not hold (hex), `c` complex, `r` range, `?` anything else, by the name of its type. Of a subclass
only the value of its base is taken, read by the base's own methods, so that no overridden one is
asked.
"""

from __future__ import annotations

import json
from typing import Any

DEPTH = 150
NODES = 400_000
SMALL = 1 << 63


numpy: Any = None
"""The module, where it was imported before any submission ran: its numbers are plain."""


class TooLarge(Exception):
    """The value is nested too deeply or has too many parts."""


def pack(value: Any) -> Any:
    """The wire form of `value`; raises TooLarge."""
    return _pack(value, DEPTH, [NODES])


def dumps(message: Any) -> bytes:
    """A message of wire forms as bytes."""
    return json.dumps(message, separators=(",", ":")).encode()


def _pack(value: Any, depth: int, left: list[int]) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is int:
        return value if -SMALL <= value < SMALL else {"i": hex(value)}
    left[0] -= 1
    if depth == 0 or left[0] < 0:
        raise TooLarge
    depth -= 1
    for base, key, parts in CONTAINERS:
        if issubclass(kind, base):
            left[0] -= base.__len__(value)
            if left[0] < 0:
                raise TooLarge
            packed = [_pack(part, depth, left) for part in parts(value)]
            return packed if key == "l" else {key: packed}
    if issubclass(kind, dict):
        left[0] -= dict.__len__(value)
        pairs = [[_pack(k, depth, left), _pack(v, depth, left)] for k, v in dict.items(value)]
        return {"d": pairs}
    return _scalar(value, kind, depth, left)


def _scalar(value: Any, kind: type, depth: int, left: list[int]) -> Any:
    for base, plain in SCALARS:
        if issubclass(kind, base):
            return _pack(plain(value), depth, left)
    if issubclass(kind, bytes):
        return {"b": bytes.hex(value)}
    if issubclass(kind, complex):
        return {"c": [float(value.real), float(value.imag)]}
    if issubclass(kind, range):
        return {"r": [value.start, value.stop, value.step]}
    if numpy is not None and issubclass(kind, numpy.generic):
        item = value.item()
        if type(item) in (int, float, bool, complex):
            return _pack(item, depth, left)
    return {"?": kind.__name__[:100]}


CONTAINERS: tuple[tuple[Any, str, Any], ...] = (
    (list, "l", list.__iter__),
    (tuple, "t", tuple.__iter__),
    (set, "s", set.__iter__),
    (frozenset, "f", frozenset.__iter__),
)
SCALARS: tuple[tuple[Any, Any], ...] = (
    (int, lambda value: int.__add__(value, 0)),
    (float, float.__float__),
    (str, lambda value: str.__add__(value, "")),
)


class Malformed(Exception):
    """A message that is not of the wire form."""


def unpack(wire: Any) -> Any:
    """The value of a wire form; only where a hostile one can do no harm. Raises Malformed."""
    if isinstance(wire, list):
        return [unpack(part) for part in wire]
    if not isinstance(wire, dict):
        return wire
    try:
        ((key, part),) = wire.items()
        return UNPACKED[key](part)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(str(error)) from error


class Opaque:
    """A value that could not cross; equal to nothing but itself."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


UNPACKED: dict[str, Any] = {
    "t": lambda parts: tuple(unpack(part) for part in parts),
    "d": lambda pairs: {unpack(key): unpack(value) for key, value in pairs},
    "s": lambda parts: {unpack(part) for part in parts},
    "f": lambda parts: frozenset(unpack(part) for part in parts),
    "b": bytes.fromhex,
    "i": lambda digits: int(digits, 16),
    "c": lambda parts: complex(*parts),
    "r": lambda parts: range(*parts),
    "?": lambda name: Opaque(str(name)),
}


def opaque(wire: Any) -> list[str]:
    """The types of what could not cross in a wire form."""
    if isinstance(wire, dict):
        if "?" in wire:
            return [str(wire["?"])]
        wire = list(wire.values())
    return [name for part in wire for name in opaque(part)] if isinstance(wire, list) else []
