"""The policies: when two answers are the same answer. See docs/math.md."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from verifiers.maths import families, regions
from verifiers.maths.dates import same_date, same_time
from verifiers.maths.node import Node, number, symbols, walk
from verifiers.maths.numeric import fold, proportional, same
from verifiers.maths.quantities import quantities
from verifiers.maths.resolve import FALSE, ratio
from verifiers.maths.vectors import components
from verifiers.maths.vocabulary import EXPRESSIONS, VALUES

ROWS_OF_LETTERS = ("abc", "xyz", "pqr", "mn", "uvw", "rst")
ROWS = frozenset(("tuple", "interval"))


def equal(gold: Node, text: Node, percent: bool = False) -> bool:
    """Whether the resolved tree `text` is the same answer as the resolved tree `gold`.

    `percent`: the question asks for a percentage. Raises TooHard.
    """
    if FALSE in (gold, text) or "raw" in (gold.op, text.op):
        return gold == text != FALSE
    if "choice" in (gold.op, text.op):
        return _choice(gold, text, percent)
    if "approx" in (gold.op, text.op):
        return _rounded(gold, text, percent)
    if "words" in (gold.op, text.op):
        return gold == text or (gold.op == text.op and _same_letters(gold.value, text.value))
    if gold.op == "assign" or text.op == "assign":
        return _assigned(gold, text, percent)
    if text.op == "equation" and gold.op in VALUES:
        return bool(text.value) and equal(gold, text.args[1], percent)
    if gold.op == "equation" and text.op in VALUES:
        named = bool(gold.value) and not symbols(gold.args[0]) & {"x", "y", "z"}
        return named and equal(gold.args[1], text, percent)
    if gold.op == text.op == "equation":
        return _equations(gold, text)
    if "mod" in (gold.op, text.op):
        return _congruent(gold, text)
    if gold.op in VALUES and text.op in VALUES:
        return _values(gold, text, percent)
    return _structures(gold, text, percent)


def _same_letters(one: str, two: str) -> bool:
    """Whether two words are the same product of neighbouring letters, as ab and ba are."""
    row = any(set(one) <= set(letters) for letters in ROWS_OF_LETTERS)
    return row and len(one) == len(set(one)) and sorted(one) == sorted(two)


def _values(gold: Node, text: Node, percent: bool) -> bool:
    if "based" in (gold.op, text.op):
        return _based(gold, text)
    if quantities(gold, text, percent):
        return True
    names = families.parameter(gold), families.parameter(text)
    if names[0] and names[1]:
        return families.equal(gold, text, (names[0], names[1]))
    if "C" in symbols(gold) and "c" in symbols(text) - symbols(gold) and "C" not in symbols(text):
        return _values(gold, _renamed(text, "c", "C"), percent)
    if families.antiderivatives(gold, text):
        return True
    return _has_log(gold) and quantities(_natural(gold), _natural(text), percent)


def _based(gold: Node, text: Node) -> bool:
    """Numbers in a base: the gold's base may be left out."""
    if gold.op == "based" and text.op == "num":
        return bool(text.value == int(gold.value[0]))
    return same(gold, text)


def _congruent(gold: Node, text: Node) -> bool:
    """Residues: equal up to the modulus, which one side may leave out."""
    if gold.op != text.op:
        value, other = (gold, text) if gold.op == "mod" else (text, gold)
        if value.value or other.op not in VALUES:
            return False
        return same(value.args[0], other) or families.runs(other, *value.args)
    (mine, modulus), (yours, other) = gold.args, text.args
    if not same(modulus, other):
        return False
    if any(node.op not in EXPRESSIONS or symbols(node) for node in (mine, yours, modulus)):
        return same(mine, yours)
    quotient = fold(Node("div", (Node("add", (mine, Node("neg", (yours,)))), modulus)))
    return bool(quotient.op == "num" and quotient.value.denominator == 1)


def _renamed(node: Node, old: str, new: str) -> Node:
    """The tree with one variable renamed: the constant of integration may be c or C."""
    value = new if node.op == "sym" and node.value == old else node.value
    return Node(node.op, tuple(_renamed(arg, old, new) for arg in node.args), value)


def _has_log(node: Node) -> bool:
    return any(part.op == "call" and part.value == "log" for part in walk(node))


def _natural(node: Node) -> Node:
    """The tree with every log read as the natural logarithm."""
    value = "ln" if node.op == "call" and node.value == "log" else node.value
    return Node(node.op, tuple(_natural(arg) for arg in node.args), value)


def _choice(gold: Node, text: Node, percent: bool) -> bool:
    """A choice is known by its letter; its content counts where the gold is not a letter."""
    letters = [_letter(node) for node in (gold, text)]
    if letters[0] and letters[1]:
        return letters[0] == letters[1]
    if gold.op == "choice" and text.op == "sym" and text.value.upper() == gold.value:
        return True
    if text.op == "choice" and text.args:
        return equal(gold, text.args[0], percent)
    return bool(gold.args) and equal(gold.args[0], text, percent)


def _letter(node: Node) -> str | None:
    if node.op == "choice":
        return str(node.value)
    if node.op == "sym" and len(node.value) == 1 and "A" <= node.value <= "J":
        return str(node.value)
    return None


def _rounded(gold: Node, text: Node, percent: bool) -> bool:
    """An exact value given with its rounding is the one, or the other where that is a decimal."""
    if gold.op == "approx":
        return any(equal(part, text, percent) for part in gold.args)
    exact, rounding = text.args
    if equal(gold, exact, percent):
        return True
    decimal = gold.op == "num" and gold.value.denominator != 1
    return decimal and equal(gold, rounding, percent)


def _assigned(gold: Node, text: Node, percent: bool) -> bool:
    """x = 5 is 5; two names must agree."""
    if gold.op == text.op == "assign":
        if gold.value != text.value and _variable(gold.value) and _variable(text.value):
            return _equations(_as_equation(gold), _as_equation(text))
        return equal(gold.args[0], text.args[0], percent)
    if "equation" in (gold.op, text.op):
        return _equations(_as_equation(gold), _as_equation(text))
    if gold.op == "assign":
        return equal(gold.args[0], text, percent)
    return equal(gold, text.args[0], percent)


def _variable(name: str) -> bool:
    return len(name.split("_")[0].rstrip("'")) == 1


def _as_equation(node: Node) -> Node:
    if node.op == "assign":
        return Node("equation", (Node("sym", (), node.value), node.args[0]))
    return node


def _equations(gold: Node, text: Node) -> bool:
    """Equal up to rearrangement: left minus right, cleared of denominators, up to a constant."""
    if any(side.op not in EXPRESSIONS for node in (gold, text) for side in node.args):
        return all(map(equal, gold.args, text.args))
    one, two = (_cleared(_difference(node)) for node in (gold, text))
    return symbols(one) == symbols(two) and proportional(one, two) is not None


def _difference(node: Node) -> Node:
    return Node("add", (node.args[0], Node("neg", (node.args[1],))))


def _cleared(node: Node) -> Node:
    return _fraction(node)[0]


def _fraction(node: Node) -> tuple[Node, Node]:
    """Numerator and denominator of an expression."""
    one = number(Fraction(1))
    if node.op == "neg":
        top, bottom = _fraction(node.args[0])
        return Node("neg", (top,)), bottom
    if node.op == "div":
        (a, b), (c, d) = map(_fraction, node.args)
        return Node("mul", (a, d)), Node("mul", (b, c))
    if node.op == "mul":
        parts = [_fraction(arg) for arg in node.args]
        return Node("mul", tuple(a for a, _ in parts)), Node("mul", tuple(b for _, b in parts))
    if node.op == "add" and any(part.op == "div" for part in walk(node)):
        top, bottom = _fraction(node.args[0])
        for arg in node.args[1:]:
            a, b = _fraction(arg)
            if b == bottom:
                top = Node("add", (top, a))
            else:
                left, right = Node("mul", (top, b)), Node("mul", (a, bottom))
                top, bottom = Node("add", (left, right)), Node("mul", (bottom, b))
        return top, bottom
    return node, one


def _structures(gold: Node, text: Node, percent: bool) -> bool:
    if (decided := _assignments(gold, text, percent)) is not None:
        return decided
    if gold.op == text.op == "inequality" and _inequalities(gold, text):
        return True
    one, two = regions.region(gold), regions.region(text)
    plain = gold.op == text.op == "tuple"
    if one is not None and two is not None and not plain:
        return regions.equal(one, two)
    if gold.op == text.op:
        if gold.op == "ratio":
            return _ratios(gold.args, text.args)
        if gold.op in ("list", "set"):
            return _any_order(gold.args, text.args, percent, gold.op == "set")
        if gold.op == "clock":
            return same_time(gold, text)
        if gold.op == "date":
            return same_date(gold, text)
        if gold.op == "cases":
            return _any_order(gold.args, text.args, percent, False)
        return gold.value == text.value and _in_order(gold.args, text.args, percent)
    return _mixed(gold, text, percent)


def _mixed(gold: Node, text: Node, percent: bool) -> bool:
    """Structures of two kinds that may still be one answer."""
    if (plain := (ratio(gold), ratio(text))) != (gold, text):
        return _structures(*plain, percent)
    kinds = {gold.op, text.op}
    if kinds == {"union", "list"}:
        parts = gold if gold.op == "list" else text
        if all(part.op in ROWS and regions.region(part) is not None for part in parts.args):
            one, two = (regions.region(node._replace(op="union")) for node in (gold, text))
            return one is not None and two is not None and regions.equal(one, two)
    if kinds == {"list", "set"}:
        return _any_order(gold.args, text.args, percent, False)
    if kinds == {"list", "tuple"}:
        return "or" not in (gold.value, text.value) and _in_order(gold.args, text.args, percent)
    for left, right in ((gold, text), (text, gold)):
        if left.op == "set" and len(left.args) == 1 and right.op in VALUES:
            return equal(left.args[0], right, percent)
        if left.op == "tuple" and right.op in VALUES:
            return _in_order(left.args, components(right, len(left.args)), percent)
        if left.op == "matrix" and right.op in ROWS:
            return _as_matrix(left, right, percent)
        if left.op == "ratio" and right.op in VALUES and len(left.args) == 2:
            return equal(Node("div", left.args), right, percent)
    return False


def _ratios(gold: Sequence[Node], text: Sequence[Node]) -> bool:
    """3:4 and 6:8 are one ratio."""
    return len(gold) == len(text) and all(
        same(Node("mul", (a, text[0])), Node("mul", (b, gold[0])))
        for a, b in zip(gold, text, strict=True)
    )


def _as_matrix(matrix: Node, rows: Node, percent: bool) -> bool:
    """A matrix against [[1,2],[3,4]], or against a tuple where it has one row or column."""
    if all(row.op in ROWS for row in rows.args):
        return len(matrix.args) == len(rows.args) and all(
            _in_order(mine.args, yours.args, percent)
            for mine, yours in zip(matrix.args, rows.args, strict=True)
        )
    flat = tuple(entry for row in matrix.args for entry in row.args)
    single = len(matrix.args) == 1 or len(matrix.args[0].args) == 1
    return single and rows.op == "tuple" and _in_order(flat, rows.args, percent)


def _assignments(gold: Node, text: Node, percent: bool) -> bool | None:
    """x = 1, y = 2 against itself in any order, or against (1, 2); None where nothing is named."""
    maps = [_by_name(node) for node in (gold, text)]
    if maps == [None, None]:
        return None
    if maps[0] is not None and maps[1] is not None:
        if maps[0].keys() != maps[1].keys():
            return False
        return all(equal(value, maps[1][name], percent) for name, value in maps[0].items())
    named, other = (maps[0], text) if maps[0] is not None else (maps[1] or {}, gold)
    if other.op not in ("tuple", "list", "set"):
        return False
    if other.op != "tuple" and len({name.split("_")[0] for name in named}) == 1:
        return _any_order(tuple(named.values()), other.args, percent, False)
    orders = [[named[name] for name in sorted(named)]]
    if other is text:
        orders.append(list(named.values()))
    return other.op != "set" and any(_in_order(order, other.args, percent) for order in orders)


def _by_name(node: Node) -> dict[str, Node] | None:
    if node.op not in ("list", "tuple", "set") or not node.args:
        return None
    if any(arg.op != "assign" for arg in node.args):
        return None
    named = {arg.value: arg.args[0] for arg in node.args}
    return named if len(named) == len(node.args) else None


def _in_order(gold: Sequence[Node], text: Sequence[Node], percent: bool) -> bool:
    return len(gold) == len(text) and all(
        equal(a, b, percent) for a, b in zip(gold, text, strict=True)
    )


def _any_order(gold: Sequence[Node], text: Sequence[Node], percent: bool, distinct: bool) -> bool:
    """Whether the elements pair up; in a set each counts once."""
    if distinct:
        gold, text = _distinct(gold), _distinct(text)
    if len(gold) != len(text):
        return False
    left = list(text)
    for item in gold:
        place = next((k for k, other in enumerate(left) if equal(item, other, percent)), None)
        if place is None:
            return False
        del left[place]
    return True


def _distinct(items: Sequence[Node]) -> list[Node]:
    kept: list[Node] = []
    for item in items:
        if not any(equal(item, other) for other in kept):
            kept.append(item)
    return kept


def _inequalities(gold: Node, text: Node) -> bool:
    """One relation each, equal up to a positive factor."""
    if len(gold.args) != 2 or len(text.args) != 2:
        return False
    flip = regions.FLIPPED | {"!=": "!="}
    sign = proportional(_difference(gold), _difference(text))
    if sign is None:
        return False
    relation = text.value[0]
    return bool(gold.value[0] == (relation if sign > 0 else flip[relation]))
