"""What an answer can be around expressions: lists, sets, intervals, relations, units, words."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from verifiers.maths.grammar import Grammar
from verifiers.maths.node import Node, Unreadable, symbols
from verifiers.maths.phrases import choice, named_set, spelled, unhedged, words
from verifiers.maths.tidy import tidy
from verifiers.maths.tokens import tokenize
from verifiers.maths.units import TABLE, Unit, compatible, noun, power, times
from verifiers.maths.vocabulary import (
    BLOCKING,
    CLOSING,
    CONSTANTS,
    CUES,
    FIGURES,
    FILLERS,
    FUNCTIONS,
    MODULO,
    REGIONS,
    RELATIONS,
    SEPARATORS,
    SETS,
)


class Answers(Grammar):
    """A reader of whole answers."""

    def answer(self) -> Node:
        """Everything up to the end: one element, or a bare list of them."""
        items = [self.element()]
        joints: set[str] = set()
        while self.token.text in SEPARATORS:
            while self.token.text in SEPARATORS:
                joints.add(self.take().text)
            if self.token.kind == "end" and not joints & {"and", "or"}:
                break
            items.append(self.element())
        if self.token.kind != "end":
            raise Unreadable(f"{self.token.text} is not expected")
        if len(items) == 2 and "and" in joints and _descending(*items):
            return _sum(*items)
        return items[0] if len(items) == 1 else Node("list", tuple(items), _or(joints))

    def element(self) -> Node:
        """A value, or a chain of relations between values."""
        name = self.name()
        sides = [name or self.side()]
        relations: list[str] = []
        while self.token.kind != "end" and self.token.text in RELATIONS:
            relations.append(RELATIONS[self.take().text])
            sides.append(self.side())
        modulus = self.ahead() if self.token.text == "(" else self.token
        if relations == ["mod"] or modulus.text in MODULO:
            return self.congruence(sides)
        if not relations:
            return sides[0]
        return Node("chain", tuple(sides), tuple(relations))

    def congruence(self, sides: list[Node]) -> Node:
        """x ≡ 3 (mod 7), also with the modulus in brackets."""
        bracket = self.accept("(")
        if not self.accept(*MODULO):
            raise Unreadable("a congruence without a modulus")
        modulus = self.argument()
        if bracket:
            self.expect(")")
        return Node("mod", (sides[-1], modulus))

    def name(self) -> Node | None:
        """The left side of an assignment that is no expression: f(x) =, Area =, \\angle ABC =."""
        place, depth, named = self.at, 0, False
        while self.tokens[place].kind != "end":
            kind, text, _ = self.tokens[place]
            if text in ("=", r"\approx") and not depth:
                break
            depth += (text in "({") - (text in ")}")
            if (
                text.lower() in CUES
                or (kind == "num" and not depth)
                or text in FUNCTIONS
                or text.lstrip("\\") in FUNCTIONS
            ):
                return None
            if kind == "op" and not depth and text not in "()|{}_':":
                return None
            named |= text == ":"
            following = self.tokens[place + 1]
            if kind == "word" and text not in SEPARATORS:
                named |= (
                    len(text) > 3 or (len(text) > 1 and text.isupper()) or following.text == "("
                )
            elif text in FIGURES:
                named = True
            elif kind not in ("op", "num"):
                return None
            place += 1
        if self.tokens[place].kind == "end" or not named:
            return None
        value = "".join(token.text for token in self.tokens[self.at : place])
        self.at = place
        return Node("name", (), value)

    def side(self) -> Node:
        """A quantity, a ratio, or a union of sets."""
        node = self.quantity()
        if self.token.text == ":" and self.ahead().kind == "num":
            return self.ratio(node)
        if node.op == "num" and self.token.text.lower() in ("am", "pm"):
            return Node("clock", (node, Node("num", (), Fraction(0))), self.take().text.lower())
        while self.token.text in (r"\cup", "U", r"\setminus") and node.op in REGIONS:
            union = self.take().text != r"\setminus"
            right = self.quantity()
            if right.op not in REGIONS:
                raise Unreadable("a union of something that is no set")
            node = Node("union" if union else "minus", (node, right))
        return node

    def quantity(self) -> Node:
        """An expression with its unit; 5 feet 6 inches are one."""
        self.money = None
        node = self.expression()
        unit = self.unit(not symbols(node))
        if unit is None:
            return node
        node = Node("quantity", (node,), unit)
        while self.token.kind == "num" and unit.dimensions:
            rest = self.quantity()
            if not _descending(node, rest):
                raise Unreadable("two quantities side by side")
            node = _sum(node, rest)
        return node

    def ratio(self, first: Node) -> Node:
        """3:4:5, or a time of day where it looks like one."""
        texts = [self.tokens[self.at - 1].text]
        items = [first]
        while self.accept(":"):
            texts.append(self.token.text)
            items.append(self.expression())
        clock = (
            all(map(str.isdigit, texts))
            and [len(t) for t in texts[1:]] == [2]
            and len(texts[0]) < 3
        )
        half = ""
        if clock and self.token.text.lower() in ("am", "pm"):
            half = self.take().text.lower()
        return Node("clock" if clock else "ratio", tuple(items), half)

    def bracket(self) -> Node:
        """A group, tuple, interval, set, vector or matrix."""
        opener = self.take().text
        if opener == r"\beginmatrix":
            return self.matrix()
        if opener in SETS:
            return Node("all", (), SETS[opener])
        if opener not in CLOSING:
            raise Unreadable(f"{opener}, where a value is expected")
        closers = (")", "]") if opener in "([" else (CLOSING[opener],)
        items: list[Node] = []
        self.bars += opener == r"\{"
        while self.token.text not in closers:
            items.append(self.element())
            if self.token.text in ("|", ":") and opener in (r"\{", "{"):
                self.take()
                items = []
            elif not self.accept(",", ";") and self.token.text not in closers:
                raise Unreadable(f"{self.token.text or 'the end'} in brackets")
        self.bars -= opener == r"\{"
        closer = self.take().text
        if opener == r"\{" or (opener == "{" and len(items) > 1):
            return Node("set", tuple(items))
        if not items:
            raise Unreadable("empty brackets")
        if len(items) == 1:
            if closer != CLOSING[opener]:
                raise Unreadable("brackets that do not match")
            return items[0]
        if len(items) == 2 and opener in "([" and opener + closer != "()":
            return Node("interval", tuple(items), opener + closer)
        return Node("tuple", tuple(items))

    def matrix(self) -> Node:
        """Rows of a matrix."""
        rows: list[list[Node]] = [[]]
        while not self.accept(r"\endmatrix"):
            if self.accept("⏎"):
                rows.append([])
            elif not self.accept("&"):
                rows[-1].append(self.side())
            if self.token.kind == "end":
                raise Unreadable("a matrix without its end")
        full = [Node("row", tuple(row)) for row in rows if row]
        if not full or len({len(row.args) for row in full}) > 1:
            raise Unreadable("a matrix with uneven rows")
        return Node("matrix", tuple(full))

    def unit(self, counts: bool) -> Unit | None:
        """The unit that follows an expression: known units, else a noun where it is a count."""
        unit = TABLE["¤" if self.money == "$" else self.money] if self.money else None
        while True:
            sign = -1 if unit is not None and self.accept("per", "/") else 1
            if unit is not None and sign > 0:
                self.accept("*")
            if (known := self.known_unit()) is None:
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

    def blocked(self) -> bool:
        """Whether a word cannot be part of a noun phrase."""
        text = self.token.text.lower()
        if text in BLOCKING:
            raise Unreadable(f"the word {text}")
        return text in SEPARATORS or self.token.text == "U" or text in ("mod", "am", "pm")

    def skip_words(self) -> None:
        while self.token.kind == "word" and not self.blocked():
            self.take()

    def known_unit(self) -> Unit | None:
        """One unit of the table with its power, also "square metre" and degrees of temperature."""
        start, exponent = self.at, 1
        if self.accept("square", "sq", "squared"):
            exponent = 2
            self.accept(".")
        elif self.accept("cubic", "cu"):
            exponent = 3
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


def _or(joints: set[str]) -> str | None:
    """How a list names alternatives, which are no ordered pair."""
    return "or" if joints & {"or", r"\lor", r"\vee"} else None


def _descending(one: Node, two: Node) -> bool:
    """Whether two quantities are parts of one, as hours and minutes are."""
    if one.op != "quantity" or two.op != "quantity":
        return False
    big, small = one.value, two.value
    return bool(big.dimensions) and compatible(big, small) and big.factor > small.factor


def _sum(one: Node, two: Node) -> Node:
    parts = []
    for part in (one, two):
        factor = Node("num", (), part.value.factor)
        parts.append(Node("mul", (part.args[0], factor)))
    unit = Unit(one.value.dimensions, degrees=one.value.degrees)
    return Node("quantity", (Node("add", tuple(parts)),), unit)


@lru_cache(maxsize=4096)
def read(text: str, thousands: bool | None = None) -> Node:
    """The tree of an answer; `words` or `raw` where it is none. Raises TooHard."""
    text = tidy(text)
    if (label := choice(text)) is not None:
        letter, rest = label
        return Node("choice", (read(rest),) if rest else (), letter)
    plain = spelled(unhedged(text))
    if plain.isalpha() and len(plain) > 1 and plain not in CONSTANTS:
        return named_set(plain) or words(plain)
    if (known := named_set(plain)) is not None:
        return known
    try:
        return Answers(tokenize(plain, thousands)).answer()
    except Unreadable:
        return words(text)
