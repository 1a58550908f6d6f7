"""A place in a list of tokens, with a bound on how deep a reader may nest."""

from __future__ import annotations

from collections.abc import Callable

from verifiers.maths.node import Node, TooHard, Unreadable
from verifiers.maths.tokens import END, Token

MAX_DEPTH = 40


class Cursor:
    """Steps over tokens."""

    def __init__(self, tokens: list[Token]):
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def ahead(self, count: int = 1) -> Token:
        place = self.at + count
        return self.tokens[place] if place < len(self.tokens) else END

    def take(self) -> Token:
        token = self.token
        self.at += token.kind != "end"
        return token

    def accept(self, *texts: str) -> bool:
        """Step over the next token where it is one of `texts`."""
        if self.token.kind != "end" and self.token.text in texts:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Unreadable(f"{text} expected, {self.token.text or 'the end'} found")

    def deeper(self, read: Callable[[], Node]) -> Node:
        """`read` one level down; deep nesting is refused before Python's stack is."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooHard("nested too deeply")
        node = read()
        self.depth -= 1
        return node
