"""Expressions, in LaTeX or plain text, by recursive descent. Nothing is ever evaluated here."""

from __future__ import annotations

from fractions import Fraction

from verifiers.maths.calls import read_call
from verifiers.maths.cursor import Cursor
from verifiers.maths.node import Node, Unreadable, number
from verifiers.maths.numerals import based, letters, mixed, product, recurring, repeating
from verifiers.maths.operators import determinant, progression, read_big, read_determinant
from verifiers.maths.tokens import END, Token
from verifiers.maths.units import CURRENCY, SCALES, SINGLE, TABLE
from verifiers.maths.vocabulary import (
    ATOMS,
    BIG,
    CLOSING,
    CONSTANTS,
    FUNCTIONS,
    GREEK,
    MODULO,
    PERCENT,
    SIGNS,
    STRUCTURES,
)


class Grammar(Cursor):
    """A reader over tokens: `expression` and all below it."""

    def __init__(self, tokens: list[Token]):
        super().__init__(tokens)
        self.bars = 0
        self.functions = 0
        self.money: str | None = None

    def expression(self) -> Node:
        """Sum of terms; a ± b is read too."""
        parts = [self.term()]
        while self.token.text in ("+", "-", r"\pm", r"\mp") and self.token.kind != "end":
            sign = self.take().text
            if sign == "+" and self.accept(r"\ldots"):
                self.expect("+")
                parts = [progression(parts, self.term())]
                continue
            term = self.term()
            parts.append(term if sign == "+" else Node(SIGNS[sign], (term,)))
        return parts[0] if len(parts) == 1 else Node("add", tuple(parts))

    def term(self) -> Node:
        """Product and quotient, `*` or side by side."""
        node = self.unary()
        while True:
            if self.accept("*"):
                node = Node("mul", (node, self.operand()))
            elif self.money and self.token.text == "/" and self.ahead().text in TABLE:
                return node
            elif self.accept("/"):
                node = Node("div", (node, self.operand()))
            elif node.op not in STRUCTURES and self.begins_factor():
                right = self.fraction() if self.token.kind == "num" else self.power()
                node = product(node, right)
            else:
                return node

    def operand(self) -> Node:
        """What a sign multiplies or divides by: a mixed number is one."""
        node = self.unary()
        plain = self.token.kind == "num" and self.begins_factor()
        if node.op == "num" and (plain or self.token.text == r"\frac"):
            tokens, place = list(self.tokens), self.at
            right = self.fraction() if plain else self.power()
            if mixed(node, right):
                return product(node, right)
            self.tokens, self.at = tokens, place
        return node

    def fraction(self) -> Node:
        """The fraction of a mixed number written plainly, as in 3 1/2."""
        top = number(Fraction(self.take().text))
        self.expect("/")
        return Node("div", (top, self.atom()))

    def unary(self) -> Node:
        """An operand with its signs."""
        sign = self.token.text
        if self.token.kind != "end" and sign in ("+", "-", r"\pm", r"\mp"):
            self.take()
            node = self.deeper(self.unary)
            return node if sign == "+" else Node(SIGNS[sign], (node,))
        return self.power()

    def power(self) -> Node:
        base = self.postfix()
        if self.accept("^", "**"):
            exponent = self.deeper(self.exponent)
            return self.suffix(Node("pow", (base, exponent)))
        return base

    def exponent(self) -> Node:
        if self.token.text == "{":
            return self.argument()
        if self.token.text in ("-", "+"):
            return self.unary()
        return self.power()

    def postfix(self) -> Node:
        return self.suffix(self.atom())

    def suffix(self, node: Node) -> Node:
        """What may follow an operand: factorial, percent, degrees, a word of scale."""
        while self.token.kind != "end":
            text = self.token.text
            if text == "!":
                double = self.ahead().text == "!" and not self.ahead().space
                self.at += double
                node = (
                    Node("call", (node,), "double factorial") if double else Node("fact", (node,))
                )
            elif text in PERCENT:
                node = Node("pct", (node,))
            elif text in SCALES:
                node = Node("mul", (node, number(SCALES[text])))
            elif text == "°" and self.functions:
                node = Node("mul", (node, Node("div", (Node("const", (), "pi"), number(180)))))
            elif text == "_" and node.op == "num":
                self.take()
                node = based(node, self.argument())
                continue
            else:
                return node
            self.take()
        return node

    def begins_factor(self) -> bool:
        """Whether the next token continues a product without a sign."""
        kind, text, space = self.token
        before = self.tokens[self.at - 1]
        if kind == "num":
            return (
                before.kind == "num"
                and space
                and self.ahead().text == "/"
                and before.text.isdigit()
            )
        if kind == "word":
            return self.symbolic(self.token)
        if kind == "cmd":
            return text[1:] in ATOMS
        if text == "(" and self.ahead().text in MODULO:
            return False
        return text in ("(", "{") or (text == "|" and not self.bars)

    def symbolic(self, token: Token) -> bool:
        """Whether a word stands for variables, a constant or a function rather than a unit."""
        text = token.text
        if text in TABLE and text in FUNCTIONS and self.ahead().text != "(":
            return False
        if text in FUNCTIONS or text in CONSTANTS:
            return True
        before = self.tokens[self.at - 1] if self.at else END
        if len(text) == 1:
            return not (
                text in SINGLE and token.space and before.kind == "num" and self.unit_end(1)
            )
        return not token.space and letters(text)

    def unit_end(self, count: int) -> bool:
        """Whether what follows could follow a unit."""
        token = self.ahead(count)
        if token.text == "*" and self.ahead(count + 1).text in TABLE:
            return True
        return token.kind in ("end", "word", "num") or token.text in (
            "^",
            "/",
            ",",
            "=",
            ")",
            r"\approx",
            "°",
        )

    def atom(self) -> Node:
        kind, text, _ = self.token
        if kind == "end":
            raise Unreadable("the end, where a value is expected")
        if kind == "num":
            self.take()
            if "." in text and self.accept(r"\overline"):
                return repeating(text, self.digits())
            if self.accept(r"\ldots"):
                return recurring(text)
            return number(Fraction(text))
        if kind == "word":
            return self.word()
        if kind == "cmd":
            return self.command()
        if text in CURRENCY:
            self.take()
            self.money = text
            return self.unary()
        if text == "|":
            return self.absolute()
        if text == "." and self.ahead().text == r"\overline":
            self.at += 2
            return repeating("0.", self.digits())
        if text in ("(", "[", "{", "]"):
            return self.deeper(self.bracket)
        raise Unreadable(f"{text}, where a value is expected")

    def digits(self) -> str:
        self.expect("{")
        token = self.take()
        if not token.text.isdigit():
            raise Unreadable("digits expected")
        self.expect("}")
        return token.text

    def word(self) -> Node:
        token = self.take()
        text = token.text
        if text in FUNCTIONS:
            return read_call(self, text)
        if text in CONSTANTS:
            return Node("const", (), CONSTANTS[text])
        if text in GREEK:
            return self.symbol(text)
        if len(text) == 1:
            return self.symbol(text)
        if letters(text):
            self.at -= 1
            self.tokens[self.at : self.at + 1] = [Token("word", letter) for letter in text]
            return self.word()
        raise Unreadable(f"the word {text}")

    def symbol(self, name: str) -> Node:
        """A variable with its subscript and primes."""
        if self.accept("_"):
            start = self.at
            self.subscript()
            name += "_" + "".join(
                t.text for t in self.tokens[start : self.at] if t.text not in "{}"
            )
        while self.token.text == "'" and self.token.kind == "op":
            self.take()
            name += "'"
        return Node("sym", (), name)

    def subscript(self) -> None:
        """Step over a subscript, which may be several, as in x_{1,2}."""
        if self.token.text != "{":
            self.argument()
            return
        while self.token.kind != "end" and self.take().text != "}":
            pass

    def command(self) -> Node:
        text = self.take().text
        name = text[1:]
        if name == "frac":
            top = self.argument(single=True)
            return Node("div", (top, self.argument(single=True)))
        if name in ("binom", "dbinom", "tbinom"):
            return Node("call", (self.argument(single=True), self.argument(single=True)), "binom")
        if name in FUNCTIONS:
            return read_call(self, name)
        if name in CONSTANTS:
            return Node("const", (), CONSTANTS[name])
        if name in GREEK:
            return self.symbol(name)
        if name in ("lfloor", "lceil"):
            inner = self.deeper(self.expression)
            self.expect(rf"\r{name[1:]}")
            return Node("call", (inner,), "floor" if name == "lfloor" else "ceil")
        if name in ("vec", "hat", "bar"):
            return self.argument(single=True)
        if name == "det":
            return read_determinant(self)
        if name in BIG:
            return read_big(self, name)
        self.at -= 1
        return self.deeper(self.bracket)

    def argument(self, single: bool = False) -> Node:
        """A group in braces, or one token; of a number only its first digit where `single`."""
        if self.token.text == "{":
            self.take()
            node = self.deeper(self.expression)
            self.expect("}")
            return node
        token = self.token
        if token.kind == "num":
            if single and token.text.isdigit() and len(token.text) > 1:
                self.tokens[self.at] = Token("num", token.text[1:])
                return number(int(token.text[0]))
            self.take()
            return number(Fraction(token.text))
        return self.deeper(self.atom)

    def absolute(self) -> Node:
        self.take()
        self.bars += 1
        node = self.deeper(self.expression)
        self.bars -= 1
        self.expect("|")
        if node.op == "matrix":
            return determinant(node)
        return Node("call", (node,), "abs")

    def bracket(self) -> Node:
        """A group; structures in brackets are read by a subclass."""
        opener = self.take().text
        if opener not in ("(", "[", "{"):
            raise Unreadable(f"{opener}, where a value is expected")
        node = self.expression()
        self.expect(CLOSING[opener])
        return node
