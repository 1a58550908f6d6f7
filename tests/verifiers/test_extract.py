"""Finding the final answer, and saying where it was found."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.extract import extract
from verifiers.visible import visible


def reads(text: str) -> bool:
    """Plain numbers and equations stand for mathematics here."""
    return re.fullmatch(r"[\d.,+\-*/=$x ]+", text) is not None


CASES = [
    (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}", "boxed"),
    (r"\boxed{1} and \boxed{2}", "1, 2", "boxed"),
    (r"\boxed{1}. Now for the rest: \boxed{2}", "2", "boxed"),
    (r"\boxed5", "5", "boxed"),
    ("<answer> 5 </answer>", "5", "tagged"),
    (r"<answer>it is \boxed{5}</answer>", "5", "tagged"),
    ("2+3=5\n#### 5", "5", "marker ####"),
    ("2+3=5\nA: 5", "5", "marker A:"),
    ("The answer is 5, because 2+3=5.", "5", "phrase"),
    ("The answer is 5.", "5", "phrase"),
    ("The answer is 3.5. That is all.", "3.5", "phrase"),
    ("**Final Answer:** 5", "5", "phrase"),
    ("Answer:\n\n\\[\n5\n\\]", "5", "phrase"),
    ("The answer is not 5 but 6.", "6", "phrase"),
    ("A: 5\n\nQ: And 3+4?\nA: 7", "5", "marker A:"),
    ("<think>A: 7</think>A: 5", "5", "marker A:"),
    ("A: 5<|im_end|>\nA: 6", "5", "marker A:"),
    ("The answer is 5. No wait, it is 6.", "6", "prose after phrase"),
    ("5", "5", "whole"),
    ("So she has 18 left, which is more than 7.", "18", "prose"),
]


@pytest.mark.parametrize(("text", "answer", "how"), CASES)
def test_where_an_answer_stands(text, answer, how):
    found = extract(text, reads)
    assert found is not None
    assert (found.text, found.how) == (answer, how)
    assert text[slice(*found.span)] == (answer if answer != "1, 2" else r"\boxed{1} and \boxed{2}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        r"The answer is 5. \boxed{5",
        "<answer>5",
        "<think>The answer is 5",
        r"\boxed{}",
        "The answer is 5. Wait, that is wrong.",
    ],
)
def test_no_answer(text):
    assert extract(text, reads) is None


def test_only_what_follows_the_thinking_counts():
    assert visible("<think>a</think>b</think>c") == "c"


@given(
    st.text(alphabet=st.characters(), max_size=200)
    | st.text("{}\\boxed<answer>A: #=.0123\n$ ", max_size=200)
)
def test_any_text_is_survived(text):
    found = extract(text, reads)
    assert found is None or (found.text and 0 <= found.span[0] < found.span[1] <= len(text))
