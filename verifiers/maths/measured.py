"""Expressions with their units."""

from __future__ import annotations

from verifiers.maths.grammar import Grammar
from verifiers.maths.node import Node, Unreadable, symbols
from verifiers.maths.tokens import Token
from verifiers.maths.units import TABLE, Unit, compatible, noun, power, times
from verifiers.maths.vocabulary import BLOCKING, FILLERS, SEPARATORS


class Measured(Grammar):
    """A reader of quantities."""

    def quantity(self) -> Node:
        """An expression with its unit; 5 feet 6 inches are one."""
        node = self.measured()
        if node.op != "quantity":
            return node
        unit = node.value
        while self.token.text in ("+", "-") and self.token.kind == "op" and unit.dimensions:
            minus = self.take().text == "-"
            rest = self.measured()
            if rest.op != "quantity" or not compatible(unit, rest.value):
                raise Unreadable("a sum of different quantities")
            value = Node("neg", rest.args) if minus else rest.args[0]
            node = total(node, Node("quantity", (value,), rest.value))
        while self.token.kind == "num" and unit.dimensions:
            rest = self.quantity()
            if not descending(node, rest):
                raise Unreadable("two quantities side by side")
            node = total(node, rest)
        return node

    def measured(self) -> Node:
        """One expression with its unit, if any."""
        self.money = None
        node = self.expression()
        unit = self.unit(not symbols(node))
        return node if unit is None else Node("quantity", (node,), unit)

    def unit(self, counts: bool) -> Unit | None:
        """The unit that follows an expression: known units, else a noun where it is a count."""
        unit = TABLE["¤" if self.money == "$" else self.money] if self.money else None
        while True:
            sign = -1 if unit is not None and self.accept("per", "/") else 1
            if unit is not None and sign > 0:
                self.accept("*")
            if (known := self.divisor() if sign < 0 else self.known_unit()) is None:
                break
            unit = known if unit is None else times(unit, known, sign)
        if unit is not None:
            self.skip_words()
            return unit
        nouns: set[str] = set()
        while counts and self.token.kind == "word" and not self.blocked():
            if self.token.text.lower() in FILLERS:
                self.skip_words()
                break
            nouns.add(noun(self.take().text))
            if self.accept("^"):
                self.argument()
        return Unit(nouns=frozenset(nouns)) if nouns else None

    def divisor(self) -> Unit | None:
        """What a unit is divided by: one unit, or several in brackets, as in J/(kg K)."""
        if not self.accept("("):
            return self.known_unit()
        unit = self.unit(False)
        self.expect(")")
        return unit

    def blocked(self) -> bool:
        """Whether a word cannot be part of a noun phrase."""
        text = self.token.text.lower()
        if text in BLOCKING:
            raise Unreadable(f"the word {text}")
        return text in SEPARATORS or self.token.text == "U" or text in ("mod", "am", "pm")

    def skip_words(self) -> None:
        while self.token.kind == "word" and self.ahead().text != "=" and not self.blocked():
            self.take()

    def known_unit(self) -> Unit | None:
        """One unit of the table with its power, also "square metre" and degrees of temperature."""
        start, exponent = self.at, 1
        if self.accept("square", "sq", "squared"):
            exponent = 2
            self.accept(".")
        elif self.accept("cubic", "cu"):
            exponent = 3
        if self.ahead().text == "^":
            self.unglue()
        text = self.token.text
        unit = TABLE.get(text) or TABLE.get(text.lower() if len(text) > 2 else text)
        if (
            unit is None
            and text == "in"
            and (exponent > 1 or self.ahead().kind == "end" or self.ahead().text == "^")
        ):
            unit = TABLE["inch"]
        if unit is None or self.token.kind == "cmd":
            self.at = start
            return None
        self.take()
        if unit.degrees and self.token.text.lower() in ("c", "f", "celsius", "fahrenheit"):
            return TABLE["°" + self.take().text[0].upper()]
        if self.accept("^"):
            value = self.argument()
            if value.op == "neg" and value.args[0].op == "num":
                exponent = -int(value.args[0].value)
            elif value.op == "num" and value.value.denominator == 1 and value.value < 10:
                exponent = int(value.value)
            else:
                raise Unreadable("the power of a unit")
        elif self.accept("squared"):
            exponent = 2
        elif self.accept("cubed"):
            exponent = 3
        return power(unit, exponent) if exponent != 1 else unit

    def unglue(self) -> None:
        """Part two units that were written as one word before a power, as in kgm^{-3}."""
        text, negative = self.token.text, "-" in (self.ahead(2).text, self.ahead(3).text)
        if text in TABLE and not (text == "ms" and negative):
            return
        for cut in (2, 1):
            if text[:cut] in TABLE and text[cut:] in TABLE:
                parts = [Token("word", text[:cut], True), Token("word", text[cut:], True)]
                self.tokens[self.at : self.at + 1] = parts
                return


def descending(one: Node, two: Node) -> bool:
    """Whether two quantities are parts of one, as hours and minutes are."""
    if one.op != "quantity" or two.op != "quantity":
        return False
    big, small = one.value, two.value
    return bool(big.dimensions) and compatible(big, small) and big.factor > small.factor


def total(one: Node, two: Node) -> Node:
    """The sum of two quantities in base units."""
    parts = []
    for part in (one, two):
        factor = Node("num", (), part.value.factor)
        parts.append(Node("mul", (part.args[0], factor)))
    unit = Unit(one.value.dimensions, degrees=one.value.degrees)
    return Node("quantity", (Node("add", tuple(parts)),), unit)
