"""What an answer can be around expressions: lists, sets, intervals, relations, units, words."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from verifiers.maths.dates import date, named_time
from verifiers.maths.measured import Measured, descending, total
from verifiers.maths.node import Node, Unreadable, symbols
from verifiers.maths.phrases import choice, named_set, unhedged, words
from verifiers.maths.spelling import spelled
from verifiers.maths.tidy import tidy
from verifiers.maths.tokens import tokenize
from verifiers.maths.vocabulary import (
    CLOSING,
    CONSTANTS,
    CUES,
    FIGURES,
    FUNCTIONS,
    JOINS,
    MODULO,
    REGIONS,
    RELATIONS,
    SEPARATORS,
    SETS,
)

RATIO = re.compile(r"\d+(?:\.\d+)?(?:\s+to\s+\d+(?:\.\d+)?)+")
CALLS = re.compile(r"^(?:[A-Za-z]\(\s*-?[\w.]+\s*\)\s*[-+*/]?\s*){2,9}=")
OPERATED = re.compile(
    r"^(?:(?:d/d[a-z]|\\frac\{d\}\{d[a-z]\})\s*[(\[{]?[^=]*|[A-Z]\s*\^\s*\{?\s*(?:T|-1"
    r"|[cC]|\\top)\s*\}?\s*)="
)
ODDS = re.compile(r"(\d+) (?:in|out of) (\d+)")
INVERSE = re.compile(r"^([A-Za-z])\s*\^\s*\{?\s*-1\s*\}?\s*(\([^()=]*\)\s*=)")
EMPTY = re.compile(r"(?:\\?\{\s*\\?\}|\\emptyset)(?:\s*,? \(?(?:the )?empty set\)?)?")
FEET = re.compile(r"(\d+)\s*'\s*(\d+)\s*(?:\"|'')")
EXCEPT = re.compile(
    r"(?:all )?real (?:numbers|values)(?: of)?(?: x)?,? (?:except|other than|but not|besides)"
    r"(?: for)?(?: x =)? ([^a-z]+)",
    re.I,
)
VALUE_OF = re.compile(r"(?<=[<=])\s*[fgh]\(\s*[a-z]\s*\)\s*(?=<)|^[fgh]\(\s*[a-z]\s*\)\s*(?=[<>])")
BEYOND = re.compile(
    r"(?:all )?(?:real )?(?:numbers?|values?)(?: of)?(?: x)? (?:that are )?"
    r"(?:(greater|larger)|less|smaller) than (or equal to )?(.+)",
    re.I,
)
QUANTIFIED = re.compile(
    r"[\s,;(]*(?:\b(?:for|where|with|and)\b\s*)?(?:\b(?:all|any|every|some)\b\s*)?"
    r"(?:\bintegers?\s+[klmnj](?:\s*\)|\b)|\b[klmnj]\s*\\in\s*\\[ZN]\b"
    r"|\b[klmnj]\s+is\s+an(?:y)?\s+integer)[\s).]*$"
)


class Answers(Measured):
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
        if len(items) == 2 and "and" in joints and descending(*items):
            return total(*items)
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
        if not bracket and len(sides) == 1 and sides[0].op == modulus.op == "num" and modulus.value:
            return Node("num", (), sides[0].value % modulus.value)
        first = sides[0] if len(sides) > 1 else sides[-1]
        multiple = first.op == "mul" and symbols(first) and first.args[0].op == "num"
        return Node("mod", (sides[-1], modulus), "multiple" if multiple else None)

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
                    len(text) > 3
                    or (len(text) > 1 and text.isupper())
                    or following.text in ("(", "'")
                )
            elif text in FIGURES:
                named = True
            elif kind not in ("op", "num") and not (depth and text in JOINS):
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
        set_of = self.bars and node.op == "sym"
        if self.token.text == ":" and self.ahead().kind == "num" and not set_of:
            return self.ratio(node)
        if node.op == "num" and self.token.text.lower() in ("am", "pm"):
            return Node("clock", (node, Node("num", (), Fraction(0))), self.take().text.lower())
        while self.token.text in JOINS and _is_set(node):
            join = JOINS[self.take().text]
            right = self.quantity()
            if not _is_set(right):
                raise Unreadable("a union of something that is no set")
            node = Node(join, (node, right))
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
        if opener == r"\begincases":
            return self.cases()
        if opener in SETS:
            return Node("all", (), SETS[opener])
        if opener not in CLOSING and opener != "]":
            raise Unreadable(f"{opener}, where a value is expected")
        closers = (")", "]") if opener in "([]" else (CLOSING[opener],)
        items: list[Node] = []
        self.bars += opener == r"\{"
        while self.token.text not in closers:
            items.append(self.element())
            if self.token.text in ("|", ":") and opener in (r"\{", "{"):
                self.take()
                items = []
            elif self.token.text == "[" and opener in "([]":
                break
            elif not self.accept(",", ";") and self.token.text not in closers:
                raise Unreadable(f"{self.token.text or 'the end'} in brackets")
        self.bars -= opener == r"\{"
        closer = self.take().text
        opener = "(" if opener == "]" else opener
        closer = ")" if closer == "[" else closer
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
        self.transposed()
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
        rows = [row for row in rows if row]
        if not rows or len({len(row) for row in rows}) > 1:
            raise Unreadable("a matrix with uneven rows")
        if self.transposed():
            rows = [list(column) for column in zip(*rows, strict=True)]
        full = [Node("row", tuple(row)) for row in rows]
        return Node("matrix", tuple(full))

    def transposed(self) -> bool:
        """Whether a transposition stands here, which is taken then."""
        place = self.at
        if self.accept("^"):
            braced = self.accept("{")
            if self.accept("T", r"\top") and (not braced or self.accept("}")):
                return True
        self.at = place
        return False

    def cases(self) -> Node:
        """Values with the conditions under which they hold; without conditions a list."""
        rows: list[Node] = []
        while not self.accept(r"\endcases"):
            value = self.element()
            if self.token.text in ("⏎", r"\endcases"):
                rows.append(value)
            else:
                while self.accept("&", ",", ";"):
                    pass
                condition = Node("otherwise") if self.accept(r"\top") else self.element()
                rows.append(Node("case", (value, condition)))
            while self.accept("⏎", ",", ";", "&", "."):
                pass
        if not rows or len({row.op == "case" for row in rows}) > 1:
            raise Unreadable("cases with and without a condition")
        return Node("cases" if rows[0].op == "case" else "list", tuple(rows))


def _is_set(node: Node) -> bool:
    """Whether a node is a set, or the capital letter of one."""
    return node.op in REGIONS or (node.op == "sym" and node.value.isupper())


def _or(joints: set[str]) -> str | None:
    """How a list names alternatives, which are no ordered pair."""
    return "or" if joints & {"or", r"\lor", r"\vee"} else None


@lru_cache(maxsize=4096)
def read(text: str, thousands: bool | None = None) -> Node:
    """The tree of an answer; `words` or `raw` where it is none. Raises TooHard."""
    text = tidy(text)
    text = text[:-60] + QUANTIFIED.sub("", text[-60:])
    if (label := choice(text)) is not None:
        letter, rest = label
        return Node("choice", (read(rest),) if rest else (), letter)
    plain = spelled(unhedged(text))
    plain = OPERATED.sub("Result =", CALLS.sub("Result =", plain))
    if EMPTY.fullmatch(plain):
        return Node("set")
    plain = INVERSE.sub(r"\1inverse\2", plain)
    if (odds := ODDS.fullmatch(plain)) is not None:
        plain = f"{odds[1]}/{odds[2]}"
    if (feet := FEET.fullmatch(plain)) is not None:
        plain = f"{feet[1]} feet {feet[2]} inches"
    if (but := EXCEPT.fullmatch(plain)) is not None:
        plain = rf"\R \setminus \{{{but[1]}\}}"
    if (beyond := BEYOND.fullmatch(plain)) is not None:
        plain = f"x {'>' if beyond[1] else '<'}{'=' if beyond[2] else ''} {beyond[3]}"
    plain = VALUE_OF.sub("y", plain)
    if RATIO.fullmatch(plain):
        plain = plain.replace("to", ":")
    if (known := named_time(plain) or date(plain)) is not None:
        return known
    if plain.isalpha() and len(plain) > 1 and plain not in CONSTANTS:
        return named_set(plain) or words(plain)
    if (known := named_set(plain)) is not None:
        return known
    try:
        return Answers(tokenize(plain, thousands)).answer()
    except Unreadable:
        return words(text)
