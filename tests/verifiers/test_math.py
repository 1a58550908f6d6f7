"""The `math` verifier: labelled pairs, recorded chains, pathological input, and no execution."""

import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.pathological import ANSWERS
from verifiers import base
from verifiers.math import Math
from verifiers.records import Problem

PAIRS = Path(__file__).parents[1] / "data" / "math_pairs.jsonl"
NATURAL = PAIRS.with_name("math_natural.jsonl")
CLASSES = PAIRS.with_name("math_classes.jsonl")
DATA = Path(os.environ.get("DISTILL_DATA", "missing"))
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
MATH = Math()


def verdict(gold, text, prompt=""):
    return base.judge("math", MATH, Problem(prompt=prompt, answer=gold), text)


def judged(pair):
    return verdict(pair["gold"], pair["text"], pair.get("prompt", ""))


def rows(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not at {DATA}: set DISTILL_DATA")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_labelled_pair():
    pairs = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    assert len(pairs) >= 200
    assert sum(pair["by"] == "mutation" for pair in pairs) * 3 >= len(pairs)
    off = [
        (pair["gold"], pair["text"], pair["expected"], found.status, found.detail)
        for pair in pairs
        if (found := judged(pair)).status != pair["expected"]
    ]
    assert off == []


def test_answers_as_models_write_them_are_never_believed_wrongly():
    pairs = [json.loads(line) for line in NATURAL.read_text().splitlines()]
    off = [pair for pair in pairs if judged(pair).correct != (pair["expected"] == "correct")]
    assert [pair["text"] for pair in off if pair["expected"] == "wrong"] == []
    assert len(off) <= 0.02 * len(pairs), [(pair["gold"], pair["text"][-200:]) for pair in off]


def test_forms_of_words_that_the_rules_were_written_for():
    pairs = [json.loads(line) for line in CLASSES.read_text().splitlines()]
    assert sum(pair["expected"] == "wrong" for pair in pairs) * 5 >= len(pairs)
    assert [pair for pair in pairs if judged(pair).status != pair["expected"]] == []


def test_mutated_pairs_are_up_to_date(tmp_path):
    maker = PAIRS.with_name("make_math_pairs.py")
    for part in (maker, *(maker.with_name(f"math_{name}.py") for name in ("mutations", "forms"))):
        (tmp_path / part.name).write_text(part.read_text())
    (tmp_path / PAIRS.name).write_text(PAIRS.read_text())
    subprocess.run([sys.executable, tmp_path / maker.name], check=True)
    assert (tmp_path / PAIRS.name).read_text() == PAIRS.read_text()


def test_recorded_chains_agree_with_their_labels():
    off = []
    for row in rows("gsm8k_model_solutions.jsonl"):
        gold = row["ground_truth"].split("A:")[-1].strip()
        for model in MODELS:
            found = verdict(gold, row[model]["solution"], row["question"])
            if found.correct != row[model]["is_correct"] or found.reason == "infra":
                off.append((gold, row[model]["solution"][-80:], found.extracted))
    assert off == []


@pytest.mark.parametrize("name", ["gsm8k_test.jsonl", "gsm8k_train.jsonl"])
def test_gold_solutions_verify(name):
    off = []
    for row in rows(name):
        for gold in (row["answer"].split("####")[-1].strip(), row["answer"]):
            if not verdict(gold, row["answer"], row["question"]).correct:
                off.append(gold[-60:])
    assert off == []


@pytest.mark.parametrize(("problem", "text", "expected"), Math.examples)
def test_examples(problem, text, expected):
    assert base.judge("math", MATH, Problem(**problem), text).status == expected


@pytest.mark.parametrize(
    ("text", "reason", "extracted", "method"),
    [
        (r"so \boxed{5}", "", "5", "boxed/rational"),
        ("work\nA: 5", "", "5", "marker A:/rational"),
        (r"\boxed{\sqrt{25}}", "", r"\sqrt{25}", "boxed/symbolic"),
        (r"\boxed{6}", "different", "6", "boxed/rational"),
        ("I do not know.", "no_answer", None, ""),
        (r"\boxed{2^{10^9}}", "timeout", "2^{10^9}", "boxed/guard"),
    ],
)
def test_what_a_verdict_says(text, reason, extracted, method):
    found = verdict("5", text)
    assert (found.reason, found.extracted, found.method) == (reason, extracted, method)


@pytest.mark.parametrize("gold", [None, "", "   ", r"\frac{1}{", "???", "2+2=5", r"\boxed{"])
def test_a_gold_that_cannot_be_read_is_bad(gold):
    found = verdict(gold, r"\boxed{5}")
    assert (found.status, found.reason) == ("undecided", "bad_gold")


def test_a_question_for_a_percentage_lets_the_sign_be_left_out():
    assert verdict("50%", r"\boxed{50}", "What percent of them passed?").correct
    assert verdict("50", r"\boxed{50\%}", "What percentage passed?").correct
    assert not verdict("50", r"\boxed{50\%}", "How many passed?").correct


@pytest.mark.parametrize("name", ANSWERS)
def test_pathological_input_is_undecided_at_once(name):
    start = time.perf_counter()
    found = verdict("1", rf"\boxed{{{ANSWERS[name]}}}")
    assert (found.status, found.reason) == ("undecided", "timeout"), found
    assert time.perf_counter() - start < 1


def test_model_text_is_never_executed(tmp_path):
    canary = tmp_path / "canary"
    call = f"__import__('pathlib').Path('{canary}').touch()"
    for text in (
        call,
        f"eval({call!r})",
        f"{{{{{call}}}}}",
        f"(lambda: {call})()",
        f"5 if {call} else 5",
    ):
        for form in ("{}", r"\boxed{{{}}}", "<answer>{}</answer>", "The answer is {}", "x = {}"):
            assert not verdict("5", form.format(text)).correct
            verdict(form.format(text), form.format(text))
    assert not canary.exists()


def test_plain_numbers_and_expressions_need_no_computer_algebra():
    code = (
        "import sys; from verifiers import base; from verifiers.records import Problem\n"
        "math = base.load('math')\n"
        "for gold, text in (('3/4', '0.75'), ('x^2-1', '(x-1)(x+1)'), ('1,2', '2, 1'), ('5 cm', '50 mm')):\n"
        "    assert base.judge('math', math, Problem(prompt='', answer=gold), text).correct, gold\n"
        "assert 'sympy' not in sys.modules and 'math_verify' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@given(st.fractions(max_denominator=10_000), st.fractions(max_denominator=10_000))
def test_rationals_are_equal_exactly_where_they_are(one, two):
    for text in (str(two), rf"\boxed{{\frac{{{two.numerator}}}{{{two.denominator}}}}}"):
        assert verdict(str(one), text).correct == (one == two)
    assert verdict(str(one), f"The answer is {one}.").correct


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(-9, 9), st.integers(0, 4))
def test_a_polynomial_equals_itself_and_no_other(coefficients, change, place):
    def written(values):
        return "+".join(f"({value})x^{{{power}}}" for power, value in enumerate(values))

    other = list(coefficients)
    other[place % len(other)] += change
    rng = random.Random(change)
    terms = written(other).split("+")
    rng.shuffle(terms)
    assert verdict(written(coefficients), rf"\boxed{{{'+'.join(terms)}}}").correct == (change == 0)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=80)
    | st.text(r"0123456789+-*/^_{}()[]|!%$\.,;:=<>&~ exyπ√±∞", max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "1",
                "2",
                "x",
                "+",
                "^",
                "{",
                "}",
                r"\frac",
                r"\sqrt",
                "(",
                ")",
                ",",
                "=",
                " or ",
                r"\pm",
                "!",
            ]
        ),
        max_size=20,
    ).map("".join)
)
def test_any_answer_is_judged_without_a_fault(text):
    for gold in ("5", text):
        found = verdict(gold, rf"\boxed{{{text}}}")
        assert found.reason != "infra", found.detail


def test_a_verdict_is_the_same_every_time():
    pairs = [json.loads(line) for line in PAIRS.read_text().splitlines()][::7]
    for pair in pairs:
        first, second = judged(pair), judged(pair)
        assert (first.status, first.method) == (second.status, second.method)


def test_the_table_of_the_documentation():
    seen = 0
    page = (Path(__file__).parents[2] / "docs" / "math.md").read_text()
    for line in page.partition("## When")[2].splitlines():
        row = re.fullmatch(r"\| `([^`]+)` \| (.*`.*) \| (.*`.*) \|", line)
        for column, expected in ((2, "correct"), (3, "wrong")) if row else ():
            for text in re.findall(r"`([^`]+)`", row[column]):
                assert verdict(row[1], rf"\boxed{{{text}}}").status == expected, (row[1], text)
                seen += 1
    assert seen > 60


CIRCLE = ("center (1, -4), radius 3", "Find the center and radius of the circle.")
RESIDUE = ("5", "Find the inverse of 3 modulo 14.")
ANGLE = ("62.5", "Find the measure of angle $Q$ in degrees.")
WEIGHT = ("1200", "How many grams are needed for 8 people?")
SPEED = ("90", "Ein Bus fährt 180 km in 2 Stunden. Wie schnell ist er in km/h?")
SLOPE = ("undefined", "What is the slope of the line?")
SPREAD = ("(1.5, 2.5)", "Find the 95% confidence interval for the mean.")
HOLES = (r"x \neq \pm 2", "What is the domain?")
COLUMN = (r"\begin{pmatrix} 4 \\ 7 \end{pmatrix}", "Solve the system.")
COWS = ("19", "A farm has 48 cows and hens with 134 legs. How many cows are there?")
MARBLES = ("34", "Sam has twice as many marbles as Ben. How many marbles does Sam have?")
HOURS = ("2.4", "How many hours does it take?")
CLOCK = ("6:36 AM", "Two buses leave at 6:00 AM. At what time will they next leave together?")
SHARES = ("60", "Ella and Finn share $100. How much does Finn receive?")
SIDES = ("(18, 9)", "Find the dimensions of the rectangle (length, width).")
COSINE = (r"\frac{1+\sqrt{5}}{4}", r"Find the exact value of $\cos 36^\circ$.")
CUBES = ("18", r"Let $x + 1/x = 3$. Find $x^3 + \frac{1}{x^3}$.")


@pytest.mark.parametrize(
    ("asked", "right", "wrong"),
    [
        (CIRCLE, "So the radius is 3 and the center is at (1, −4).", "Radius 3, center (-1, 4)."),
        (CIRCLE, "- Radius: **3**\n- Center: $(1, -4)$", "Assume center (1, -4), radius 3."),
        (CIRCLE, "The center is (1, -4) with radius 3.", "The center is (1, -4), the radius is 3√2."),
        (RESIDUE, "So \n\nx ≡ 5 (mod 14).", "We need 3x ≡ 5 (mod 14)."),
        (ANGLE, r"So angle Q measures $62.5^\circ$.", r"So angle P measures $62.5^\circ$."),
        (WEIGHT, "So 1.2 kg of rice is needed for 8 people.", "So 1.2 g is needed for 1200 people."),
        (SPEED, "Also fährt der Bus im Mittel mit 90 km/h.", "Also fährt der Bus nicht mit 90 km/h."),
        (SLOPE, "This is a vertical line and its slope is **undefined**.", "Bob says it is undefined."),
        (SPREAD, "We are 95% confident that 1.5 < μ < 2.5.", "We are not 95% confident that 1.5 < μ < 2.5."),
        (HOLES, r"$(-\infty,-2)\cup(-2,2)\cup(2,\infty)$", r"$(-\infty,-2)\cup(2,\infty)$"),
        (COLUMN, r"$v = \begin{bmatrix} 4 & 7 \end{bmatrix}^T$", r"$v = \begin{bmatrix} 7 & 4 \end{bmatrix}^T$"),
        (CUBES, "Cubing gives\n\nx³ + 1/x³ = 18.", "Cubing gives\n\nx² + 1/x² = 18."),
        (("24", "How many trailing zeros has 100!?"), "So 100! ends in twenty-four zeros.", "So 24! ends in 4."),
        (COWS, "So there are 19 cows and 29 hens.", "So there are 29 cows and 19 hens."),
        (MARBLES, "So Ben has 17 marbles and Sam has 34.", "So Ben has 34 marbles and Sam has 17."),
        (HOURS, "So it is 12/5 hours, or 2 hours and 24 minutes.", "So it takes 2.4 times as long."),
        (("1", "How many hours are left?"), "So 1 hour is left.", "There are 60 minutes in an hour, so he works for 480/60 = 8 hours."),
        (CLOCK, "So they meet 36 minutes after 6:00, at 6:36.", "So they meet 6:30 after 36 minutes."),
        (SHARES, "- Ella: 2 × 20 = $40\n- Finn: 3 × 20 = $60", "- Ella: 3 × 20 = $60\n- Finn: 2 × 20 = $40"),
        (SIDES, "The rectangle has length 18 cm and width 9 cm.", "The rectangle has width 18 cm and length 9 cm."),
        (COSINE, r"\cos 36^\circ = \frac{1+\sqrt5}{4}", r"\cos 36^\circ \approx 0.809"),
        (("4", "Find the variance."), "So σ² = 4.", "So 2σ = 4."),
        (("5", "How much is left?"), "**So 5 kg are left.** Check: 3 + 5 = 8 ✓", "Check: 3 + 5 = 8 ✓"),
        ((r"n \equiv 8 \pmod{15}", "Find all n."), "$n = 15k + 8$, k an integer.", "$n = 15k + 9$."),
        (("(a) 26; (b) 40", "(a) ... (b) ..."), "(a) 26, (b) 40", "**Final answer: (a) 40, (b) 26**"),
        (("(1) $x=1$ and $x=5$; (2) $-4$", "Find ..."), r"\boxed{\text{zeros: } 1, 5; \text{minimum: } -4}", r"\boxed{\text{zeros: } 1, 5; \text{minimum: } 4}"),
        ((r"-\frac{1}{2}\cos(2x) + C", ""), r"\boxed{\sin^2 x + C}", r"\boxed{\sin^2 x}"),
        (("9:25", "What is the ratio?"), r"The answer is $\frac{9}{25}$.", "The answer is 25:9."),
        (("2:3", "Simplify the ratio 24:36."), "So 24 : 36 = 2 : 3.", "The ratio is 24:36."),
        (("65", "Find angle C."), "so ∠C = 180° − 47° − 68° = 65°.", "so ∠C = 180° − (47° − 68°) = 65°."),
        ((r"[3,5)\cup(5,\infty)", ""), r"\boxed{\{x : x \ge 3,\ x \ne 5\}}", r"\boxed{\{x : x \ge 3\}}"),
        (("C", "Which?\n$\\textbf{(A) } 1 \\quad \\textbf{(B) } 2 \\quad \\textbf{(C) } 3$"), r"\boxed{3}", r"\boxed{2}"),
        (("e^{2x}", "Simplify."), "So the result is (eˣ)², i.e. e^(2x).", "So the result is eˣ."),
        (("isosceles", "Is the triangle scalene or isosceles?"), r"\boxed{\text{Isosceles triangle}}", r"\boxed{\text{scalene triangle}}"),
        ((r"\emptyset", "Find the intersection."), "So it is { }, the empty set.", "So it is {0}."),
    ],
)  # fmt: skip
def test_what_closes_a_text(asked, right, wrong):
    gold, prompt = asked
    assert verdict(gold, right, prompt).status == "correct"
    assert verdict(gold, wrong, prompt).status == "wrong"
