"""Writes puzzle_pairs.jsonl: answers to entries of reasoning-gym's data sets, right and wrong.

    python tests/data/make_puzzle_pairs.py

An entry's own answer is right in every frame. Wrong are the same with one character changed, the
answer to another entry, both side by side, a program, and nothing. What reasoning-gym's checker
itself takes for right, though it was changed, is left out; a program is never given to it here.
"""

import json
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reasoning_gym

PAIRS = Path(__file__).with_name("puzzle_pairs.jsonl")
SEED = 11
SETS = """
ab aiw base_conversion basic_arithmetic bf binary_alternation bitwise_arithmetic caesar_cipher
calendar_arithmetic chain_sum coin_flip color_cube_rotation complex_arithmetic count_bits countdown
course_schedule cryptarithm decimal_arithmetic decimal_chain_sum dice family_relationships
fraction_simplification gcd lcm leg_counting letter_counting
list_functions maze mini_sudoku number_format number_sequence
palindrome_generation power_function prime_factorization products puzzle24
self_reference simple_equations simple_geometry simple_integration spell_backward
syllogism time_intervals word_sequence_reversal binary_matrix
intermediate_integration spiral_matrix string_insertion
""".split()  # noqa: SIM905
FRAMES = (
    "{}",
    "<answer>{}</answer>",
    "Step by step, then.\n<answer>\n{}\n</answer>",
    r"So it is \boxed{{{}}}",
    "The answer is {}",
    "<think>Let me see.</think>{}",
)
PROGRAMS = (
    "__import__('os').system('true')",
    "exec('raise SystemExit')",
    "[c for c in ().__class__.__base__.__subclasses__()]",
    "(lambda: 1)()",
    "open('/etc/passwd').read()",
    "globals()['score']",
    "type('T', (), {'__eq__': lambda a, b: True})()",
    "sympify('__import__(\"os\")')",
)
Row = dict[str, Any]


def changed(rng: random.Random, answer: str) -> str:
    """`answer` with one letter or digit replaced by another of its kind, or with a letter more."""
    places = [n for n, mark in enumerate(answer) if mark.isascii() and mark.isalnum()]
    if not places:
        return answer + "x"
    place = rng.choice(places)
    kind = string.digits if answer[place].isdigit() else string.ascii_letters
    other = rng.choice([mark for mark in kind if mark.lower() != answer[place].lower()])
    return answer[:place] + other + answer[place + 1 :]


def taken(name: str, answer: str, entry: Row) -> bool:
    """Whether reasoning-gym's checker takes `answer` for right; one that it cannot read is not."""
    try:
        return bool(reasoning_gym.get_score_answer_fn(name)(answer, entry) == 1)
    except Exception:
        return False


def answers(rng: random.Random, name: str, entry: Row, second: str) -> Iterator[tuple[str, str]]:
    """Category and text of wrong answers."""
    right = entry["answer"]
    slip = changed(rng, right)
    for category, answer in (
        ("one character changed", slip),
        ("answer to another entry", second),
        ("both candidates", f"{right} or {slip}"),
        ("both candidates", f"{slip}, {right}"),
    ):
        if not taken(name, answer, entry):
            yield category, f"<answer>{answer}</answer>"
    if not taken(name, slip, entry):
        yield "right only in thought", f"<think>{right}</think><answer>{slip}</answer>"
        yield "right, then taken back", f"<answer>{right}</answer> No: <answer>{slip}</answer>"
    yield "a program", f"<answer>{rng.choice(PROGRAMS)}</answer>"
    yield "nothing", rng.choice(("", "<answer></answer>", r"\boxed{}", "<think>Hm.</think>"))


def rows(rng: random.Random, name: str) -> Iterator[Row]:
    """All rows of one data set, by its first entry."""
    entry, other = (
        json.loads(json.dumps(item, default=str))
        for item, _ in zip(reasoning_gym.create_dataset(name, size=2, seed=SEED), "ab", strict=True)
    )
    entry["question"] = ""  # no checker of SETS reads it
    gold = {"dataset": name, "entry": entry}
    made = [("right", frame.format(entry["answer"])) for frame in rng.sample(FRAMES, 2)]
    for category, text in (*made, *answers(rng, name, entry, other["answer"])):
        expected = "correct" if category == "right" else "wrong"
        yield {"prompt": "?", "answer": gold, "text": text, "expected": expected,
               "category": category, "by": "mutation"}  # fmt: skip


def main() -> None:
    made = [
        json.dumps(row, ensure_ascii=False)
        for name in SETS
        for row in rows(random.Random(f"{SEED} {name}"), name)
    ]
    PAIRS.write_text("".join(line + "\n" for line in dict.fromkeys(made)))


if __name__ == "__main__":
    main()
