"""Self-checks and wrong steps: known answers, properties, hostile texts."""

import random
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.reflection import checks_itself, reflect, steps


def stated(text):
    return [("".join(step.left), step.holds) for step in steps(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12+9=22", [("12+9", False)]),
        ("8-3=5;5+9=14 #14", [("8-3", True), ("5+9", True)]),
        ("So 12 + 9 = 21 apples, and 21 - 3 = 17.", [("12+9", True), ("21-3", False)]),
        ("3 x 4 = 12, 3×4=13, 12÷4=3, 2·3=6", [("3*4", True), ("3*4", False), ("12/4", True), ("2*3", True)]),
        (r"\frac{1}{2} + \frac{1}{3} = \frac{5}{6}", [("(1/2)+(1/3)", True)]),
        (r"3 \times 4 = \boxed{13}", [("3*4", False)]),
        ("0.1+0.2=0.3", [("0.1+0.2", True)]),
        ("10/3=3.33 and 10/3=3.34", [("10/3", True), ("10/3", False)]),
        ("a = 3+4 = 7 = 8-2", [("3+4", True), ("7", False)]),
        ("3 + 4 = 7 + 5 = 12", [("3+4", False), ("7+5", True)]),
        ("1,234 + 1 = 1,235", [("1234+1", True)]),
        ("48/2 = <<48/2=24>>24", [("48/2", True)]),
        ("$5 * 3 = $15", [("5*3", True)]),
        ("- 5+6=11\n- 7+1=9", [("5+6", True), ("7+1", False)]),
        ("1. 3+4=7\n2) 7-9=-2", [("3+4", True), ("7-9", True)]),
        ("(so 3+4=8) and (2+2=4)", [("3+4", False), ("2+2", True)]),
        ("**3 + 4 = 8**", [("3+4", False)]),
        ("5 - -3 = 8, -5+6=1", [("5--3", True), ("-5+6", True)]),
        ("wait -8+2=-6", [("-8+2", True)]),
        ("3+4=7 => 7+1=9", [("3+4", True), ("7+1", False)]),
    ],
)  # fmt: skip
def test_stated_equalities(text, expected):
    assert stated(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2x + 3 = 7", "x - 4 + 2 = 7", "x3 + 4 = 9", "f(3) = 4 + 1", "9 = (3+4)x", "3+4=2y",
        "2^3 = 9", "2**3 = 9", "5 * 20% = 2", "5! = 5 + 1", "3(4+5) = 28", "(1+2)(3) = 8",
        "3 apples + 4 = 8", "12 + 12 = 2 dozen", "1,5+2=3,5", "3+4 != 8", "3+4 >= 2", "4/0=3",
        "x = 5", "(5) = 6", "-5 = 6", "12+9=?", "=", "1+", "", "1+1=1" + "0" * 40, "²+1=4",
    ],
)  # fmt: skip
def test_what_is_no_plain_arithmetic_is_passed_over(text):
    assert stated(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12+9=21 #21", (False, False, False)),
        ("12+9=22 #22", (False, True, False)),
        ("12+9=22. Wait, that is 21. #21", (True, True, True)),
        ("12+9=22. Let me check: 12+9=22.", (True, True, False)),
        ("12+9=22. Let me check: 12+9=21.", (True, True, True)),
        ("12+9=22; 5+5=10; oops", (True, True, False)),
        ("12+9=21. Actually yes.", (True, False, False)),
        (r"\frac{1}{2}+\frac{1}{2}=2, mistake", (True, True, True)),
        (r"mistake \frac{1}{2}+\frac{1}{2}=2 #2", (True, True, False)),
    ],
)  # fmt: skip
def test_known_reflections(text, expected):
    found = reflect(text)
    assert (found.self_check, found.wrong_step, found.taken_back) == expected


@pytest.mark.parametrize("word", ["wait", "Let me check", "Actually,", "MISTAKE", "recheck", "re-check", "double-checking", "verify"])  # fmt: skip
def test_markers_are_whole_words_of_any_case(word):
    assert checks_itself(f"7. {word} 8")
    assert not checks_itself(f"7. a{word.strip(',')}ness 8")


@given(st.lists(st.integers(0, 99), min_size=2, max_size=8), st.randoms(), st.integers(-3, 3))
def test_a_step_holds_exactly_where_python_agrees(numbers, rng, off):
    signs = [rng.choice("+-*/") for _ in numbers[1:]]
    pairs = zip(signs, numbers[1:], strict=True)
    left = str(numbers[0]) + "".join(f" {sign} {number}" for sign, number in pairs)
    exact = " ".join(f"Fraction({p})" if p.isdigit() else p for p in left.split())
    try:
        value = eval(exact, {"Fraction": Fraction}) + off
    except ZeroDivisionError:
        assert stated(f"{left} = 1") == []
        return
    assert [holds for _, holds in stated(f"so {left} = {value} now")] == [off == 0]


@given(st.text(alphabet="0123456789+-*/()=.,x $\\{}^%!\nab<>~–×", max_size=60))
def test_any_text_is_read_without_an_error(text):
    assert reflect(text).self_check is False


@pytest.mark.parametrize(
    "piece",
    ["9", " ", "-", "1=", "(", "9*", "12+9=22;", "let me ", "\\frac{", "3 x ", "1,", "1+1=", "\n ",
     "9" * 30 + "/" + "7" * 30 + "+", "wait "],
)  # fmt: skip
def test_long_texts_take_seconds_at_most(piece):
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    reflect(text)
    assert time.process_time() - start < 3


def test_time_grows_with_the_length_only():
    def seconds(n):
        text = "".join(random.Random(0).choices("0123456789+-*/()= x", k=n))
        start = time.process_time()
        reflect(text)
        return time.process_time() - start

    assert seconds(120_000) < 8 * seconds(30_000) + 0.1
