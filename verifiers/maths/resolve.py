"""From what was written to what it says: chains are checked, ± is expanded, lists are flattened."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from verifiers.maths.node import Node, TooHard, symbols, walk
from verifiers.maths.numeric import same, value
from verifiers.maths.quantities import quantities
from verifiers.maths.regions import FLIPPED
from verifiers.maths.vocabulary import EXPRESSIONS, SIGNED, VALUES

MAX_ITEMS = 400
FALSE = Node("false")


@lru_cache(maxsize=4096)
def resolve(node: Node) -> Node:
    """The meaning of a tree from `answers.read`.

    Chains become `assign` (a name and its value), `equation`, `inequality`, a value, or `false`
    where a link does not hold; ± becomes a list; nested lists and sets are flat. An `approx` is an
    exact value with its rounding. Raises TooHard.
    """
    op, args, extra = node
    if len(args) > MAX_ITEMS:
        raise TooHard("too many elements")
    if op == "chain":
        return _chain(node)
    if op in SIGNED:
        variants = list(_variants(node))
        return variants[0] if len(variants) == 1 else _collection("list", variants, "or")
    if op == "quantity":
        inner = resolve(args[0])
        if inner.op in ("list", "tuple"):
            parts = tuple(Node("quantity", (part,), extra) for part in inner.args)
            return Node(inner.op, parts, inner.value)
        return Node("quantity", (inner,), extra)
    if op in ("list", "set"):
        return _collection(op, [resolve(arg) for arg in args], extra)
    if op == "tuple" and any(part.op in ("pm", "mp") for part in args):
        return _collection("list", [resolve(one) for one in _variants(node)], "or")
    if op in ("tuple", "interval", "matrix", "row", "union", "minus", "intersection",
              "ratio", "clock", "mod", "cases", "case"):  # fmt: skip
        if op == "matrix" and sum(len(row.args) for row in args) > MAX_ITEMS:
            raise TooHard("too many elements")
        return Node(op, tuple(resolve(arg) for arg in args), extra)
    return node


def _collection(op: str, items: list[Node], joined: str | None) -> Node:
    """A flat list or set; joined by "or" where its elements are alternatives."""
    flat: list[Node] = []
    for item in items:
        flat.extend(item.args if item.op == "list" else [item])
    if any(item.op == "false" for item in flat):
        return FALSE
    if op == "list":
        named = _shared_name(flat)
        if named is not flat or any(item.op == "list" and item.value for item in items):
            joined = "or"
        flat = [part for item in named for part in (item.args if item.op == "list" else [item])]
    first = flat[0] if flat else FALSE
    if flat and all(item == first or (item.op in VALUES and alike(first, item)) for item in flat):
        return first if op == "list" else Node(op, (first,))
    return Node(op, tuple(flat), joined)


def _shared_name(items: list[Node]) -> list[Node]:
    """x = 2, x = 3 and x = 2, 3 are the values 2 and 3."""
    name = items[0].value if items[0].op == "assign" else None
    if name is None:
        return items
    kind = items[0].args[0].op
    values = [
        item.args[0] if item.op == "assign" and item.value == name else item for item in items
    ]
    return values if all(one.op in (kind, "list", *VALUES) for one in values) else items


def _variants(node: Node) -> Iterator[Node]:
    """The readings of ±: both signs together where ∓ occurs too, else each on its own."""
    signs = [part.op for part in walk(node) if part.op in ("pm", "mp")]
    if not signs:
        yield node
        return
    together = "mp" in signs
    count = 1 if together else len(signs)
    if count > 3:
        raise TooHard("too many signs")
    for choice in range(1 << count):
        bits = [bool(choice >> place & 1) for place in range(count)]
        yield _signed(node, bits, together)


def _signed(node: Node, bits: list[bool], together: bool) -> Node:
    args = node.args
    if node.op in ("pm", "mp"):
        minus = bits[0] if together else bits.pop()
        inner = _signed(args[0], bits, together)
        return Node("neg", (inner,)) if minus != (node.op == "mp") else inner
    return Node(node.op, tuple(_signed(arg, bits, together) for arg in args), node.value)


def _chain(node: Node) -> Node:
    """What a chain of relations says."""
    relations = list(node.value)
    sides = [arg if arg.op == "name" else resolve(arg) for arg in node.args]
    if any(side.op == "false" for side in sides):
        return FALSE
    if relations == ["in"]:
        return sides[1]
    if relations[-1] == "in" and all(relation in FLIPPED for relation in relations[:-1]):
        sides, relations = sides[:-1], relations[:-1]
    if all(relation in ("=", "~") for relation in relations):
        return _equalities(sides, relations)
    if all(relation in FLIPPED or relation == "!=" for relation in relations):
        return _ordered(sides, relations)
    if relations == ["to"] * len(relations):
        return Node("maps", tuple(sides))
    return Node("raw", (), "relations")


def _ordered(sides: list[Node], relations: list[str]) -> Node:
    """An inequality, with a variable in it: one between constants is no answer."""
    if not any(symbols(side) for side in sides):
        return FALSE
    if relations == ["!="] and sides[1].op == "list":
        each = [Node("inequality", (sides[0], one), ("!=",)) for one in sides[1].args]
        return _collection("list", each, None)
    return Node("inequality", tuple(sides), tuple(relations))


def _equalities(sides: list[Node], relations: list[str]) -> Node:
    """A chain of = and ≈."""
    label = _label(sides[0])
    if len(sides) > 2:
        known = _settled(sides, ["=", *relations])
        common = _value([side for side, _ in known], [link for _, link in known[1:]])
        if common is not None and len(known) < len(sides):
            return Node("assign", (common,), label) if label else common
    if label is not None and (len(sides) > 2 or not _free(sides[0], sides[1])):
        rest, links = sides[1:], relations[1:]
        if (common := _value(rest, links)) is not None:
            return Node("assign", (common,), label)
    if len(sides) == 2 and _label(sides[1]) is not None and not symbols(sides[0]):
        return Node("assign", (sides[0],), _label(sides[1]))
    if (common := _value(sides, relations)) is not None:
        return common
    if len(sides) == 2 and relations == ["="] and any(symbols(side) for side in sides):
        return Node("equation", tuple(sides), _sum_of_symbols(sides[0]))
    if sides[0].op in EXPRESSIONS and sides[-1].op in ("tuple", "matrix", "cases", "set"):
        return sides[-1]
    if len(sides) > 2 and symbols(sides[-1]) and not any(map(symbols, sides[:-1])):
        constant = _value(sides[:-1], relations[:-1])
        if constant is not None and constant.op != "approx":
            return sides[-1]
    return FALSE


def _settled(sides: list[Node], relations: list[str]) -> list[tuple[Node, str]]:
    """The sides of a definition that hold no other variables than its last one does."""
    last = symbols(sides[-1])
    pairs = list(zip(sides, relations, strict=True))
    letters = sides[0].op == "quantity" and sides[0].value.nouns and sides[-1].op != "quantity"
    if sides[0].op == "name" or letters or not symbols(sides[0]) <= last:
        return [pair for pair in pairs[1:] if pair[0].op != "name" and symbols(pair[0]) <= last]
    return pairs


def _free(left: Node, right: Node) -> bool:
    """Whether the right side holds the variable of the left."""
    return left.op == "sym" and left.value in symbols(right)


def _label(side: Node) -> str | None:
    if side.op == "tuple" and all(arg.op == "sym" for arg in side.args):
        return "".join(("(", ",".join(arg.value for arg in side.args), ")"))
    return side.value if side.op in ("name", "sym") else None


def _sum_of_symbols(side: Node) -> bool:
    """Whether a side is made of variables alone, as m + n is."""
    parts = list(walk(side))
    return all(
        part.op in ("sym", "add", "neg", "mul", "div") or part.value in ("gcd", "lcm")
        for part in parts
    )


def _value(sides: list[Node], relations: list[str]) -> Node | None:
    """The common value of sides that are all equal; None where they are not."""
    exact, *others = _converted(sides)
    for side, relation in zip(others, relations, strict=True):
        if side.op == "name" or exact.op == "name":
            return None
        if relation == "=":
            if not alike(exact, side):
                return None
            exact = side if side.op == "quantity" else exact
        elif rounds(exact, side):
            return Node("approx", (exact, side))
        else:
            return None
    return exact


def _converted(sides: list[Node]) -> list[Node]:
    """Sides with the unit that the next one has, between two quantities: 1 h = 60 = 60 min."""
    found = list(sides)
    for k in range(len(sides) - 2, 0, -1):
        measured = found[k + 1].op == "quantity" and found[k + 1].value.dimensions
        if measured and found[k].op in EXPRESSIONS and sides[k - 1].op == "quantity":
            found[k] = Node("quantity", (found[k],), found[k + 1].value)
    return found


def alike(one: Node, two: Node) -> bool:
    """Whether two values are equal; a unit may stand at one of them only."""
    if one.op == "quantity" and two.op == "quantity":
        return quantities(one, two, False) or same(one.args[0], two.args[0])
    plain = [ratio(side.args[0] if side.op == "quantity" else side) for side in (one, two)]
    if all(side.op in EXPRESSIONS for side in plain):
        return same(*plain)
    if plain[0].op == plain[1].op == "ratio" and len(plain[0].args) == len(plain[1].args) == 2:
        (a, b), (c, d) = plain[0].args, plain[1].args
        return same(Node("mul", (a, d)), Node("mul", (b, c)))
    if plain[0].op == plain[1].op and len(plain[0].args) == len(plain[1].args):
        return bool(plain[0].args) and all(map(alike, plain[0].args, plain[1].args))
    return plain[0] == plain[1]


def ratio(node: Node) -> Node:
    """A time of day without am or pm as the ratio that 9:25 may be."""
    return Node("ratio", node.args) if node.op == "clock" and not node.value else node


def rounds(exact: Node, rounded: Node) -> bool:
    """Whether a decimal is a value rounded, or cut off, at its last digit."""
    a, b = ((side.args[0] if side.op == "quantity" else side) for side in (exact, rounded))
    if a.op not in EXPRESSIONS or b.op not in EXPRESSIONS or symbols(a) or symbols(b):
        return False
    if b.op == "pct":
        a, b = Node("mul", (a, Node("num", (), Fraction(100)))), b.args[0]
    near, far = value(a), value(b)
    if near is None or far is None:
        return False
    places = 9
    if b.op == "num":
        places = next((k for k in range(12) if (b.value * 10**k).denominator == 1), 12)
    unit = 10.0**-places
    return abs(near - far) <= 0.5001 * unit or 0 <= abs(near) - abs(far) < unit
