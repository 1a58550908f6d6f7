"""Functions and roots with their arguments, with or without brackets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from verifiers.maths.node import Node, number
from verifiers.maths.vocabulary import CLOSING, FUNCTIONS, INVERSE, RENAMED

if TYPE_CHECKING:
    from verifiers.maths.grammar import Grammar


def read_call(reader: Grammar, name: str) -> Node:
    """A function and its argument, with or without brackets."""
    name = RENAMED.get(name, name)
    if name == "sqrt":
        return _root(reader)
    exponent: Node | None = None
    base: Node | None = None
    if name == "log" and reader.accept("_"):
        follows = reader.ahead().kind in ("num", "word", "cmd") or reader.ahead().text in (
            "(",
            "{",
            "|",
        )
        base = reader.argument(single=not follows)
    if reader.accept("^"):
        exponent = reader.deeper(reader.exponent)
    reader.functions += 1
    if reader.token.text in ("(", "[", "{"):
        arguments = _arguments(reader)
    else:
        arguments = (reader.deeper(partial(_bare_argument, reader)),)
    reader.functions -= 1
    if exponent == Node("neg", (number(1),)) and name in INVERSE:
        name, exponent = INVERSE[name], None
    node = Node("call", arguments, name)
    if name == "cis":
        turn = Node("mul", (Node("const", (), "i"), Node("call", arguments, "sin")))
        return Node("add", (Node("call", arguments, "cos"), turn))
    if name == "exp":
        node = Node("pow", (Node("const", (), "e"), *arguments))
    if base is not None:
        node = Node("div", (Node("call", arguments, "ln"), Node("call", (base,), "ln")))
    return node if exponent is None else Node("pow", (node, exponent))


def _root(reader: Grammar) -> Node:
    degree = number(2)
    if reader.accept("["):
        degree = reader.deeper(reader.expression)
        reader.expect("]")
    node = reader.argument() if reader.token.text != "(" else reader.deeper(reader.bracket)
    return Node("root", (node, degree))


def _arguments(reader: Grammar) -> tuple[Node, ...]:
    opener = reader.take().text
    nodes = [reader.deeper(reader.expression)]
    while reader.accept(","):
        nodes.append(reader.deeper(reader.expression))
    reader.expect(CLOSING[opener])
    return tuple(nodes)


def _bare_argument(reader: Grammar) -> Node:
    """What a function without brackets applies to: the product that follows."""
    node = _unary_or_power(reader)
    while reader.begins_factor() and not _is_function(reader):
        node = Node("mul", (node, reader.power()))
    tight = reader.token.text == "/" and not reader.token.space
    if (
        tight
        and reader.ahead().text.lstrip("\\") not in FUNCTIONS
        and node.op in ("sym", "const", "num", "mul")
    ):
        reader.take()
        node = Node("div", (node, reader.power()))
    return node


def _unary_or_power(reader: Grammar) -> Node:
    return reader.unary() if reader.token.text == "-" else reader.power()


def _is_function(reader: Grammar) -> bool:
    return reader.token.text.lstrip("\\") in FUNCTIONS
