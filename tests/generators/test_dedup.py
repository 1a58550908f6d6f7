import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.curation.dedup import jaccard, near_duplicates
from generators.curation.text import exact, shingles, tokens

OPERATORS = "+-*/=<>^%×÷"
STORY = (
    "Mara sells {} lemons at the market every morning and keeps {} for the cake that her "
    "neighbours like so much, so how many lemons does she pick in the garden on a busy day"
)


def pairs(texts, keys=None, threshold=0.6):
    found = near_duplicates(texts, keys or [0] * len(texts), threshold, 2)
    return [(index, other) for index, other, _ in found]


def test_one_changed_word_is_a_copy_and_the_earlier_text_stays():
    texts = [STORY.format(8, 3), "Something else.", STORY.format(8, 3).replace("busy", "calm")]
    assert pairs(texts) == [(2, 0)]


def test_case_blanks_and_punctuation_make_no_difference():
    assert pairs(["Calculate: 3 + 4 - 2 =", "calculate 3+4-2 = ?"]) == [(1, 0)]
    assert pairs(["It is 1,000 euros", "it is 1000 euros!"]) == [(1, 0)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 + 4 - 2 =", "3 + 4 - 5 ="),
        ("3 + 4 - 2 =", "3 - 4 - 2 ="),
        ("3 × 4 =", "3 ÷ 4 ="),
        ("(3 + 4) * 2 =", "3 + (4 * 2) ="),
        ("What is 3²?", "What is 32?"),
        (STORY.format("x⁴", "y₁"), STORY.format("x⁵", "y₁")),
        (STORY.format("x⁴", "y₁"), STORY.format("x⁴", "y₂")),
        ("３＋４", "３－４"),
        ("¬ p → q", "p → q"),
        ("Find f'(3)", "Find f(3)"),
        ("What is 5! ?", "What is 5 ?"),
        (r"$3 \times 4$", r"$3 \div 4$"),
        (STORY.format(8, 3), STORY.format(8, 4)),
        (STORY.format("eight", 3), STORY.format("nine", 3)),
        (STORY.format(8, 3) + " in 50% of the cases", STORY.format(8, 3) + " in 50 of the cases"),
        ("🍎 + 🍎 = 10", "🍌 + 🍌 = 10"),
    ],
)
def test_another_number_or_operator_is_another_text(one, other):
    assert pairs([one, other], threshold=0.5) == []


def test_in_a_short_text_every_word_counts():
    assert pairs(["What is the capital of France?", "What is the capital of Spain?"]) == []


def test_different_keys_are_never_compared():
    assert pairs(["the same words"] * 2, ["a", "b"]) == []


def test_texts_without_any_token_are_left_alone():
    assert pairs(["", "?!", "..."]) == []


@given(st.text(max_size=80), st.data())
def test_changing_one_number_never_makes_a_near_duplicate(noise, data):
    numbers = data.draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
    place = data.draw(st.integers(0, len(numbers) - 1))
    value = data.draw(st.integers(0, 10**6).filter(lambda n: n != numbers[place]))
    changed = [*numbers[:place], value, *numbers[place + 1 :]]
    one, other = (noise + " words around " + " and ".join(map(str, n)) for n in (numbers, changed))
    assert pairs([one, other], threshold=0.5) == []


@given(st.lists(st.sampled_from(OPERATORS), min_size=1, max_size=8), st.data())
def test_changing_one_operator_never_makes_a_near_duplicate(signs, data):
    place = data.draw(st.integers(0, len(signs) - 1))
    same = {"*": "*×", "×": "*×", "/": "/÷", "÷": "/÷"}
    others = [sign for sign in OPERATORS if sign not in same.get(signs[place], signs[place])]
    changed = [*signs[:place], data.draw(st.sampled_from(others)), *signs[place + 1 :]]
    one, other = ("Work out " + " 7 ".join(["", *s, ""]) for s in (signs, changed))
    assert pairs([one, other], threshold=0.5) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from("abcdefg"), min_size=6, max_size=12), max_size=30))
def test_what_stays_has_no_copies_left(texts):
    texts = [" ".join(words) for words in texts]
    dropped = {index for index, _ in pairs(texts)}
    kept = [text for index, text in enumerate(texts) if index not in dropped]
    assert pairs(kept) == []


def test_candidates_agree_with_all_pairs():
    rng = random.Random(0)
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(400)]
    texts = []
    for _ in range(150):
        text = rng.choices(words, k=30)
        copy = list(text)
        copy[rng.randrange(30)] = rng.choice(words)
        texts += [" ".join(text), " ".join(copy)]
    sets = [shingles(tokens(text), 2) for text in texts]
    close = {
        (b, a) for a, b in itertools.combinations(range(300), 2) if jaccard(sets[a], sets[b]) >= 0.6
    }
    assert set(pairs(texts)) == close
    assert len(close) == 150


def test_exact_reads_numbers_and_operators_in_one_spelling():
    assert exact(tokens("Half of 1,000 eggs, minus three times .5")) == [
        "0.5", "1000", "-", "3", "*", ".5",
    ]  # fmt: skip


def test_two_hundred_thousand_distinct_sums_stay_and_go_fast():
    rng = random.Random(0)
    sums: dict[str, None] = {}
    while len(sums) < 200_000:
        terms = [str(rng.randint(0, 99)) for _ in range(rng.randint(3, 6))]
        sums["Calculate: " + f" {rng.choice('+-')} ".join(terms) + " ="] = None
    texts = list(sums)
    start = time.process_time()
    assert pairs(texts) == []
    assert len(texts) / (time.process_time() - start) > 5000


def test_a_crowd_below_the_threshold_stays_linear():
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghij", k=7)) for _ in range(5000)]
    frame = " ".join(words[:30])
    texts = [f"{frame} {' '.join(rng.choices(words, k=16))}" for _ in range(8000)]
    start = time.process_time()
    assert pairs(texts) == []
    assert time.process_time() - start < 8
