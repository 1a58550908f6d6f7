"""`regex`, `exact` and `format`: patterns that end, options that are refused, spans that hold."""

import time

import pytest

from verifiers import base
from verifiers.records import Problem

HOSTILE = [
    ("(a|aa)*b", "a" * 100),
    ("(a*)*c", "a" * 5_000),
    (r"(.*)(.*)(.*)(.*)(.*)x", "y" * 20_000),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 500),
    (r"(\w+\s?)*!", "word " * 2_000),
    (r"(?:x+x+)+y", "x" * 200),
    (r"(.{1,500}){1,500}z", "q" * 5_000),
    (r"(a?){200}a{200}b", "a" * 200),
]


def verdict(name, answer, text, **options):
    verifier = base.load(name, options)
    return base.judge(name, verifier, Problem(prompt="?", answer=answer), text)


@pytest.mark.parametrize(("pattern", "text"), HOSTILE)
@pytest.mark.parametrize("match", ["search", "fullmatch"])
def test_hostile_patterns_end(pattern, text, match):
    start = time.process_time()
    found = verdict("regex", pattern, text, match=match)
    assert (found.status, found.reason) in (
        ("wrong", "different"), ("undecided", "timeout"), ("undecided", "bad_gold")
    )  # fmt: skip
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("regex", {"match": "anywhere"}),
        ("regex", {"of": "reasoning"}),
        ("format", {"shape": "haiku"}),
        ("format", {"shape": []}),
        ("exact", {"blanks": True}),
    ],
)
def test_unknown_options_are_refused(name, options):
    with pytest.raises(base.BrokenPlugin):
        base.load(name, options)


@pytest.mark.parametrize(
    ("name", "answer", "options"),
    [
        ("exact", "4 2", {}),
        ("regex", r"\d \d", {}),
        ("regex", r"\d \d", {"match": "search"}),
        ("regex", r"\d \d", {"of": "answer"}),
    ],
)
def test_a_span_is_where_the_answer_stands(name, answer, options):
    text = (
        "<think>4 2</think>\n <answer>4 2</answer>"
        if options.get("of")
        else "<think>4 2</think>\n 4 2\n"
    )
    found = verdict(name, answer, text, **options)
    assert found.correct
    assert text[slice(*found.span)] == "4 2"
    assert found.span[0] > text.index("</think>")
