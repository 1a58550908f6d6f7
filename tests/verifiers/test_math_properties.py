"""Properties of the `math` verifier on made-up answers: nothing raises, nothing changed is right."""

import json
import random
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from verifiers import base
from verifiers.extract import extract
from verifiers.math import Math
from verifiers.maths import rational
from verifiers.maths.compare import equal
from verifiers.maths.ground import meaning
from verifiers.maths.node import TooHard
from verifiers.maths.tidy import tidy
from verifiers.records import Problem

MATH = Math()
PIECES = (
    "1", "2", "17", "0.5", "x", "y", "n", "k", "C", "+", "-", "*", "/", "^", "_", "{", "}", "(", ")", "[", "]",
    "|", ",", ";", ":", "=", "<", ">", "!", "%", "$", " ", "\\", "\\frac", "\\sqrt", "\\pi", "\\pm", "\\cup",
    "\\setminus", "\\sum_{k=1}^{9}", "\\int", "\\begin{cases}", "\\end{cases}", "\\begin{vmatrix}",
    "\\end{vmatrix}", "\\\\", "&", "\\text{", "\\in", "\\mathbb{Z}", "°", " or ", " and ", " to ", "pm", "cm",
    "half", "three", "March 3", "\\{", "\\}", "\\infty", "\\le", "i", "…", "٣", "\ud800",
)  # fmt: skip
PAIRS = Path(__file__).parents[1] / "data" / "math_pairs.jsonl"
SYMMETRIC = ("num", "add", "mul", "div", "neg", "pow", "root", "interval", "set", "tuple", "matrix")
bounded = settings(max_examples=60, deadline=None)
answers = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
rationals = st.fractions(max_denominator=500)
ends = st.integers(-40, 40)
FORMS = (r"\boxed{%s}", "The answer is %s.", "#### %s", "<answer>%s</answer>", "A: %s")


def readable():
    """The meanings of all ground truths of the labelled pairs that are values or sets."""
    for gold in dict.fromkeys(json.loads(row)["gold"] for row in PAIRS.read_text().splitlines()):
        with suppress(TooHard):
            if gold and (node := meaning(gold)).op in SYMMETRIC and r"\log" not in gold:
                yield node


GOLDS = list(readable())


def verdict(gold, text, prompt=""):
    return base.judge("math", MATH, Problem(prompt=prompt, answer=gold), text)


def boxed(gold, text):
    return verdict(gold, rf"\boxed{{{text}}}").correct


@bounded
@given(answers | st.text(max_size=60), st.sampled_from((*FORMS, "%s", "So it is %s", "<think>%s")))
def test_nothing_raises(text, form):
    for gold in ("5", text):
        found = verdict(gold, form % text, text)
        assert found.reason != "infra", found.detail
        if found.span is not None:
            start, end = found.span
            assert 0 <= start <= end <= len(form % text)


@bounded
@given(answers)
def test_a_gold_passes_itself(text):
    assume(MATH.check_gold(Problem(prompt="", answer=text)) is None)
    assume(extract(rf"\boxed{{{text}}}", lambda _: True) is not None)
    found = extract(rf"\boxed{{{text}}}", lambda _: True)
    assume(found is not None and found.text == text.strip())
    assume(extract(text, lambda _: False) is None or "box" not in text)
    assert verdict(text, rf"\boxed{{{text}}}").status != "wrong"


@bounded
@given(st.sampled_from(GOLDS), st.sampled_from(GOLDS))
def test_values_and_sets_are_equal_both_ways(one, two):
    with suppress(TooHard):
        assert equal(one, two) == equal(two, one)
    assert equal(one, one)


@bounded
@given(st.text("0123456789abmx+-*/^()[],.;=<>!% ", max_size=40))
def test_one_spelling_is_reached_at_once_for_plain_text(text):
    assert tidy(tidy(text)) == tidy(text)


@bounded
@given(rationals, rationals, st.sampled_from(FORMS))
def test_rationals_are_equal_where_fractions_are(one, two, form):
    for text in (str(two), rf"\frac{{{two.numerator}}}{{{two.denominator}}}"):
        assert verdict(str(one), form % text).correct == (one == two)


@bounded
@given(st.integers(0, 10**9), st.integers(0, 6))
def test_decimals_and_percentages_are_exact(digits, places):
    value = Fraction(digits, 10**places)
    text = f"{digits // 10**places}.{digits % 10**places:0{places}d}" if places else str(digits)
    assert boxed(str(value), text)
    assert boxed(str(value / 100), rf"{text}\%")
    assert not boxed(str(value), f"{text}1" if places else f"{text}.1")


@bounded
@given(st.integers(-(10**7), 10**7), st.sampled_from(FORMS), st.randoms(use_true_random=False))
def test_a_changed_digit_is_never_correct(value, form, rng):
    text = str(value)
    place = rng.choice([k for k, char in enumerate(text) if char.isdigit()])
    digit = str((int(text[place]) + rng.randrange(1, 10)) % 10)
    changed = text[:place] + digit + text[place + 1 :]
    assume(int(changed) != value)
    assert not verdict(text, form % changed).correct
    assert not verdict(text, form % f"{text} or {changed}").correct
    assert not verdict(text, rf"\boxed{{{text}").correct


@bounded
@given(ends, ends, st.sampled_from("[("), st.sampled_from("])"))
def test_intervals_and_inequalities_agree(low, high, left, right):
    assume(low < high)
    gold = f"{left}{low},{high}{right}"
    above, below = "<" if left == "(" else "<=", "<" if right == ")" else "<="
    assert boxed(gold, f"{low} {above} x {below} {high}")
    assert not boxed(gold, f"{low} {'<' if above == '<=' else '<='} x {below} {high}")
    assert not boxed(gold, f"{left}{low},{high + 1}{right}")


@bounded
@given(ends, st.integers(1, 30), st.sampled_from(("<", "<=", ">", ">=")))
def test_a_quadratic_inequality_is_its_solutions(middle, radius, relation):
    low, high = middle - radius, middle + radius
    inner, outer = f"({low},{high})", rf"(-\infty,{low})\cup({high},\infty)"
    closed = "=" in relation
    if closed:
        inner, outer = f"[{low},{high}]", rf"(-\infty,{low}]\cup[{high},\infty)"
    right, wrong = (inner, outer) if "<" in relation else (outer, inner)
    for text in (f"(x-({middle}))^2 {relation} {radius**2}", f"|x-({middle})| {relation} {radius}"):
        assert boxed(right, text)
        assert not boxed(wrong, text)


@bounded
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=5, unique=True), st.integers(0, 999))
def test_a_list_has_no_order_and_no_other_element(values, seed):
    mixed = random.Random(seed).sample(values, len(values))
    gold = ", ".join(map(str, values))
    assert boxed(gold, ", ".join(map(str, mixed)))
    assert not boxed(gold, ", ".join(map(str, mixed[1:])))
    assert not boxed(gold, ", ".join(map(str, [*mixed[1:], mixed[0] + 200])))
    assert boxed(f"({gold})", f"({', '.join(map(str, mixed))})") == (mixed == values)


@bounded
@given(st.integers(0, 999_999))
def test_the_fast_path_and_the_grammar_agree(value):
    for text in (str(value), f"{value:,}", f"{value}.50", f"{value}/7", f"{value}\\%"):
        plain = rational.read(text)
        assert plain is not None
        assert equal(meaning(str(Fraction(plain[0]))), meaning(text))
