"""Adds the mutated rows of instructions_pairs.jsonl to those written by hand; same seed, same rows.

    python tests/data/make_instructions_pairs.py

Each mutation keeps a label that follows from how it was made: counts moved past the limit, several
constraints in one ground truth, reasoning in front, characters taken away.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAIRS = Path(__file__).with_name("instructions_pairs.jsonl")
WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "knoll",
    "larch",
    "maple",
    "north",
    "ocean",
]
Row = tuple[list[dict[str, Any]], str, str, str]


def one(name: str, **kwargs: Any) -> list[dict[str, Any]]:
    return [{"id": name, "kwargs": kwargs}]


def counted(rng: random.Random) -> Iterator[Row]:
    """A text with a known count of something, and limits on both sides of it."""
    forms = {
        "length_constraints:number_words": ("num_words", "relation"),
        "change_case:capital_word_frequency": ("capital_frequency", "capital_relation"),
        "length_constraints:number_sentences": ("num_sentences", "relation"),
        "keywords:letter_frequency": ("let_frequency", "let_relation"),
    }
    for name, (number, relation) in forms.items():
        for _ in range(6):
            n = rng.randrange(3, 30)
            words = [rng.choice(WORDS) for _ in range(n)]
            text, extra = " ".join(words), {}
            if "capital" in name:
                text = " ".join(w.upper() for w in words) + " and the rest"
            if "sentences" in name:
                text = " ".join(f"{w.title()} is here{rng.choice('.!?')}" for w in words)
            if "letter" in name:
                text, extra = (
                    " ".join(["quill" if i < n else "other" for i in range(n + 5)]),
                    {"letter": "q"},
                )
            way = rng.choice(["at least", "less than"])
            limit = n + rng.choice([0, 1])
            right = n >= limit if way == "at least" else n < limit
            yield one(name, **{number: limit, relation: way}, **extra), text, _status(right), name


def exact_counts(rng: random.Random) -> Iterator[Row]:
    """Bullets, sections and paragraphs: as many as wanted, one more and one less."""
    for off in (0, 0, 1, -1):
        n = rng.randrange(2, 9)
        words = [rng.choice(WORDS) for _ in range(n)]
        bullets = "\n".join(f"{rng.choice('*-')} {w}" for w in words)
        sections = "\n".join(f"Part {i}\n{w}" for i, w in enumerate(words, 1))
        right = _status(off == 0)
        name = "detectable_format:number_bullet_lists"
        yield one(name, num_bullets=n + off), f"Trees:\n{bullets}", right, name
        name = "detectable_format:multiple_sections"
        yield one(name, section_spliter="Part", num_sections=n + off), sections, right, name
        name = "length_constraints:number_paragraphs"
        yield one(name, num_paragraphs=n + off), "\n***\n".join(words), right, name


def joined(hand: list[dict[str, Any]], rng: random.Random) -> Iterator[Row]:
    """Several constraints at once: the one a row fails decides, repeated ids are all checked."""
    failing = [row for row in hand if row["expected"] == "wrong" and row["text"].strip()]
    easy = one("keywords:forbidden_words", forbidden_words=["xylophone"])
    hard = one("keywords:existence", keywords=["xylophone"])
    for row in rng.sample(failing, 12):
        yield easy + row["gold"], row["text"], "wrong", "several"
        yield row["gold"] + easy, row["text"], "wrong", "several"
    passing = [row for row in hand if row["expected"] == "correct"]
    for row in rng.sample(passing, 12):
        yield easy + row["gold"] + easy, row["text"], "correct", "several"
        yield row["gold"] + easy + hard, row["text"], "wrong", "several"
        aside = f"<think>{rng.choice(failing)['text']}, XYLOPHONE</think>\n{row['text']}"
        yield row["gold"] + easy, aside, "correct", "reasoning"


def damaged(rng: random.Random) -> Iterator[Row]:
    """What a constraint needs, with a character taken away or put in."""
    makes = {
        "detectable_format:title": ("<<{w} tales>>\nOnce.", "<<{w} tales>\nOnce."),
        "startend:quotation": ('"{w} is a word."', '"{w} is a word.'),
        "detectable_format:json_format": ('{{"{w}": [1, 2]}}', '{{"{w}": [1, 2}}'),
        "punctuation:no_comma": ("{w} and oak", "{w}, oak"),
        "change_case:english_lowercase": (
            "the {w} is very old and tall.",
            "the {w} is Very old and tall.",
        ),
        "combination:two_responses": ("a {w}\n******\nan oak", "a {w}\n*****\nan oak"),
    }
    for name, (good, bad) in makes.items():
        for word in rng.sample(WORDS, 2):
            yield one(name), good.format(w=word), "correct", name
            yield one(name), bad.format(w=word), "wrong", name


def _status(right: bool) -> str:
    return "correct" if right else "wrong"


def main() -> None:
    rng = random.Random(5)
    rows = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    hand = [row for row in rows if row["by"] == "hand"]
    made = [*counted(rng), *exact_counts(rng), *joined(hand, rng), *damaged(rng)]
    mutated = [
        {"gold": gold, "text": text, "expected": expected, "category": category, "by": "mutation"}
        for gold, text, expected, category in made
    ]
    PAIRS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in hand + mutated))


if __name__ == "__main__":
    main()
