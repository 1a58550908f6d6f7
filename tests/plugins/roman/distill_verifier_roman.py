"""Two verifiers in a package of their own, which imports nothing of distill."""

import re
from collections import Counter, deque

FORM = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
WORD = re.compile(r"\b[IVXLCDM]+\b")
VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def value(numeral):
    """The number that a numeral stands for; None where it is not written as it should be."""
    if not numeral or len(numeral) > 15 or not FORM.fullmatch(numeral):
        return None
    digits = [VALUES[letter] for letter in numeral]
    pairs = zip(digits, [*digits[1:], 0], strict=True)
    return sum(-digit if digit < after else digit for digit, after in pairs)


class Roman:
    """Correct where the last Roman numeral of the text has the value of the ground truth.

    `strict`: False also accepts small letters.
    """

    version = "1"
    trust = "pure"
    gold_type = "label"
    examples = (
        (
            {"prompt": "Write 1994 in Roman numerals.", "answer": "1994"},
            "It is MCMXCIV.",
            "correct",
        ),
        ({"prompt": "Write 4 in Roman numerals.", "answer": "4"}, "It is IV.", "correct"),
        ({"prompt": "Write 4 in Roman numerals.", "answer": "4"}, "It is IIII.", "wrong"),
        ({"prompt": "Write 4 in Roman numerals.", "answer": "4"}, "It is 4.", "wrong"),
        ({"prompt": "Write 4 in Roman numerals.", "answer": "four"}, "IV", "undecided"),
    )

    def __init__(self, strict=True):
        self.strict = strict

    def check_gold(self, problem):
        number = re.fullmatch(r"\d{1,4}", str(problem.answer), re.A)
        return None if number and 0 < int(number[0]) < 4000 else "it is no number from 1 to 3999"

    def verify(self, problem, text):
        numerals = deque(WORD.finditer(text if self.strict else text.upper()), maxlen=1)
        if not numerals:
            return {"status": "wrong", "reason": "no_answer", "why": "there is no Roman numeral"}
        found = numerals[0]
        mine = value(found[0])
        right = mine == int(problem.answer)
        return {
            "status": "correct" if right else "wrong",
            "reason": "" if right else "different",
            "extracted": found[0][:100],
            "span": found.span(),
            "method": "last numeral",
            "why": f"the last numeral is {mine or 'not well formed'}, the truth {problem.answer}",
        }


class Spread:
    """Judges a group: correct is a text that nobody else of its group gave."""

    version = "1"
    examples = (
        (
            {"prompt": "Name a city.", "answer": "any"},
            ["Rome", "Oslo", "Rome"],
            ["wrong", "correct", "wrong"],
        ),
    )

    def check_gold(self, problem):
        return None if problem.answer == "any" else "the ground truth must be: any"

    def verify_group(self, problem, texts):
        counts = Counter(texts)
        return [self._one(text, counts[text]) for text in texts]

    def _one(self, text, count):
        named = re.fullmatch(r"\s*[A-Z][a-z]{1,30}\s*", text) is not None
        right = named and count == 1
        return {"status": "correct" if right else "wrong", "why": f"{count} gave this answer"}
