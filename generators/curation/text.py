"""Prompts and chains as the filters read them: words, and what must be equal exactly.

Numbers and operators are exact: two texts that differ in one of them are different texts, however
alike their words. Numbers may be digits or spelled out; operators are the signs, brackets, LaTeX
commands, the words plus, minus, times, divided, multiplied, and the signs that puzzles are drawn
with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from verifiers.records import Message

Trigram = tuple[str, str, str]

_SPELLED = """
0 zero|1 one first once 一|2 two second twice double 二 两|3 three third thrice triple 三
4 four fourth 四|5 five fifth 五|6 six sixth 六|7 seven seventh 七|8 eight eighth 八
9 nine ninth 九|10 ten tenth 十|11 eleven eleventh|12 twelve twelfth dozen|13 thirteen|14 fourteen
15 fifteen|16 sixteen|17 seventeen|18 eighteen|19 nineteen|20 twenty|30 thirty|40 forty|50 fifty
60 sixty|70 seventy|80 eighty|90 ninety|100 hundred 百|1000 thousand 千|10000 万|1000000 million
1000000000 billion|0.5 half|0.25 quarter
+ plus|- minus|* times multiplied|/ divided
"""
SPELLED = {
    word: entry.split()[0]
    for entry in re.split(r"[|\n]", _SPELLED.strip())
    for word in entry.split()[1:]
}
SIGNS = str.maketrans(
    {"×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "−": "-"}
    | {sign: f"^{n}" for n, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
    | {sign: str(n) for n, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")}
    | {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}  # full-width ASCII
)
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0965\u0971-\u0dff\u0e31-\u0e4e"
_OTHERS = (
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:[.:]\d+)*|\.\d+"  # numbers
    r"|\\[a-z]+|(?<=[\d)])!|'(?=\()|[-+*/=<>^%|~&()\[\]{}±¬√\u2190-\u22ff]"  # operators
    r"|[#@_\u2300-\u2bff\U0001f000-\U0001faff]|\.(?=[#@_*])|(?<=[#@_*])\."  # drawings
)
ASCII_TOKEN = re.compile("[a-z]+" + _OTHERS)
TOKEN = re.compile(  # a character is a word in scripts without blanks
    rf"(?:[^\W\d_{_CJK}]|[{_MARKS}])+|[{_CJK}]" + _OTHERS
)
_NUMBER = r"(?<!\S)[\d.][\d.:]*"
_OPERAND = rf"(?:{_NUMBER}|\b[b-hj-z]\b)"
_OPERATOR = (
    r" (?:[)\]}!] )*"
    r"(?:[-+*/=<>^]|\\[a-z]+|[±\u2190-\u22ff]|plus|minus|times|(?:divided|multiplied) by)"
    r"(?: [(\[{-])* "
)
EXPRESSION = re.compile(rf"{_OPERAND}(?:{_OPERATOR}{_OPERAND})+(?: =)?")
FRACTION = re.compile(r"(\d{1,9}) / (\d{1,9})")
PART_OF = re.compile(r"(?<![\d/])(\d+)/(\d+)(?=[\s-]*[^\W\d])")
NUMBERS = re.compile(rf"{_NUMBER}(?: {_NUMBER}){{2}}")
VARIABLE = re.compile(r"\b[b-hj-rt-z]\b")


def said(prompt: str | Sequence[Message]) -> str:
    """The words of a prompt: of a chat all messages but the system's."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(m["content"] for m in prompt if m.get("role") != "system")


def tokens(text: str) -> list[str]:
    """Words, numbers and operators of `text` in order, without case and punctuation."""
    if text.isascii():
        found = ASCII_TOKEN.findall(text.lower())
    else:
        found = TOKEN.findall(unicodedata.normalize("NFC", text).translate(SIGNS).lower())
    return [token.replace(",", "") if "," in token else token for token in found]


@lru_cache(1 << 16)
def _kind(word: str) -> tuple[str, str]:
    """A token as number or operator, empty where it is neither, and with numbers masked."""
    spelled = SPELLED.get(word, word)
    if spelled[0].isalpha():
        return "", word
    return spelled, "0" if spelled[-1].isdigit() else ""


def exact(words: Sequence[str]) -> list[str]:
    """The numbers and operators among `words`, in one spelling each."""
    return [symbol for symbol, _ in map(_kind, words) if symbol]


def shingles(words: Sequence[str], size: int) -> set[str]:
    """Runs of `size` words; the whole text where it is shorter."""
    if len(words) < size:
        return {" ".join(words)}
    return {" ".join(run) for run in zip(*(words[i:] for i in range(size)), strict=False)}


class Prompt:
    """A prompt read for comparison with held-out ones.

    whole: all tokens; equal means equal but for case, blanks and punctuation
    exact: numbers and operators, without a closing `=` or blank to fill in
    prose: number of words, numbers and operators apart
    masked: the words in order, every number as `0`, operators left out
    symbolic: its content is in the symbols: it holds an expression, a list of numbers, or half as
        many symbols as words; it is never a copy of a prompt with other numbers or operators
    arithmetic: it holds an expression, and no variables
    """

    __slots__ = ("arithmetic", "exact", "masked", "prose", "symbolic", "whole")

    def __init__(self, text: str):
        words = tokens(text)
        kinds = [_kind(word) for word in words]
        symbols = [symbol for symbol, _ in kinds if symbol]
        self.whole = " ".join(words)
        self.exact = " ".join(symbols).rstrip(" =_")
        self.prose = len(words) - len(symbols)
        self.masked = [masked for _, masked in kinds if masked]
        expression = any(
            not _is_fraction(match.group(), text) for match in EXPRESSION.finditer(self.whole)
        )
        self.arithmetic = expression and not VARIABLE.search(self.whole)
        self.symbolic = (
            expression or 2 * len(symbols) >= self.prose or NUMBERS.search(self.whole) is not None
        )

    def trigrams(self) -> set[Trigram]:
        """Runs of three masked words."""
        words = self.masked
        return set(zip(words, words[1:], words[2:], strict=False))


def _is_fraction(expression: str, text: str) -> bool:
    """True for what word problems use as a number: a proper fraction, or "3/2 of the eggs"."""
    fraction = FRACTION.fullmatch(expression)
    if fraction is None:
        return False
    return int(fraction[1]) < int(fraction[2]) or fraction.groups() in PART_OF.findall(text)
