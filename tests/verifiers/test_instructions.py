"""`instructions`: the labelled list, ground truths that cannot be used, scores, loose checks."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from verifiers import base
from verifiers.constraints import CONSTRAINTS
from verifiers.records import Problem

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "instructions_pairs.jsonl")
    .read_text()
    .splitlines()
]
TITLE = {"id": "detectable_format:title", "kwargs": {}}
NO_COMMA = {"id": "punctuation:no_comma", "kwargs": {}}


def judged(gold, text, **options):
    verifier = base.load("instructions", options)
    problem = Problem(prompt="p", answer=gold, verifier="instructions")
    return base.judge("instructions", verifier, problem, text)


@pytest.mark.parametrize("category", sorted({row["category"] for row in ROWS}))
def test_the_labelled_list(category):
    for row in ROWS:
        if row["category"] == category:
            verdict = judged(row["gold"], row["text"])
            assert (verdict.status, row["text"]) == (row["expected"], row["text"])
            assert verdict.why


def test_each_constraint_has_three_that_pass_and_three_that_fail():
    alone = Counter((r["gold"][0]["id"], r["expected"]) for r in ROWS if len(r["gold"]) == 1)
    for name in CONSTRAINTS:
        assert min(alone[name, "correct"], alone[name, "wrong"]) >= 3, name


def words(**kwargs):
    return [{"id": "length_constraints:number_words", "kwargs": kwargs}]


@pytest.mark.parametrize(
    ("gold", "said"),
    [
        ([{"id": "keywords:rhymes", "kwargs": {}}], "unknown instruction 'keywords:rhymes'"),
        ([NO_COMMA, {"id": "title", "kwargs": {}}], "unknown instruction"),
        ([NO_COMMA, {"kwargs": {}}], "must be an object with `id`"),
        ([NO_COMMA | {"extra": 1}], "must be an object with `id`"),
        (words(num_words=5), "no kwarg 'relation'"),
        (words(num_words=None, relation="at least"), "no kwarg 'num_words'"),
        (words(num_words=5, relation="around"), "relation must be"),
        (words(num_words=5, relation="at least", colour=None), "unknown kwarg 'colour'"),
        (words(num_words=5, relation="at least", keyword="a"), "unknown kwarg 'keyword'"),
        (words(num_words="5", relation="at least"), "whole number"),
        (words(num_words=True, relation="at least"), "whole number"),
        (words(num_words=0, relation="at least"), "whole number"),
        (words(num_words=2.5, relation="at least"), "whole number"),
        ([{"id": "language:response_language", "kwargs": {"language": "klingon"}}], "language"),
        ([{"id": "keywords:existence", "kwargs": {"keywords": "bee"}}], "list of texts"),
        ([{"id": "keywords:existence", "kwargs": {"keywords": []}}], "list of texts"),
        ([{"id": "keywords:letter_frequency", "kwargs": {
            "letter": "ab", "let_frequency": 1, "let_relation": "at least"}}], "one character"),
        ([{"id": "length_constraints:nth_paragraph_first_word", "kwargs": {
            "num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"}}], "nth_paragraph"),
        ([], "must be a list"),
        ({}, "must be a list"),
        ("title", "must be a list"),
        (None, "must be a list"),
        ([["title"]], "must be an object"),
        ([{"id": ["x"], "kwargs": {}}], "unknown instruction"),
    ],
)  # fmt: skip
def test_a_ground_truth_that_cannot_be_used_says_why(gold, said):
    verdict = judged(gold, "<<A title>> fine")
    assert (verdict.status, verdict.reason) == ("undecided", "bad_gold")
    assert said in verdict.detail


def test_null_arguments_of_other_constraints_are_none():
    full = dict.fromkeys(("keyword", "num_bullets", "relation", "first_word"))
    assert judged([NO_COMMA | {"kwargs": full}], "fine").correct
    assert judged(words(**full | {"num_words": 2.0, "relation": "at least"}), "a b").correct


def test_the_score_is_the_share_and_why_names_what_failed():
    gold = [TITLE, NO_COMMA, *words(num_words=3, relation="at least"), TITLE]
    verdict = judged(gold, "no title, two words")
    assert (verdict.status, verdict.reason, verdict.score) == ("wrong", "different", 0.25)
    assert verdict.why.startswith("1 of 4 constraints hold; failed: detectable_format:title")
    assert "punctuation:no_comma (1 commas)" in verdict.why
    assert judged(json.dumps(gold), "<<A>> title and words").score == 1


def test_repeated_ids_are_all_checked():
    keys = [{"id": "keywords:existence", "kwargs": {"keywords": [k]}} for k in ("one", "two")]
    assert judged(keys, "one two").correct
    assert judged(keys, "one").score == judged(keys, "two").score == 0.5


def test_loose_forgives_an_introduction_a_farewell_and_asterisks():
    gold = [{"id": "startend:end_checker", "kwargs": {"end_phrase": "The end"}}]
    text = "Once there was a cat.\nThe end\nLet me know if you want more!"
    assert not judged(gold, text).correct
    assert judged(gold, text, loose=True).correct
    assert not judged(gold, "Once there was a cat.", loose=True).correct
    with pytest.raises(base.BrokenPlugin, match="loose must be"):
        base.load("instructions", {"loose": "yes"})


def test_an_empty_response_satisfies_nothing():
    for text in ("", " \n", "<think>long thought"):
        verdict = judged([NO_COMMA], text)
        assert (verdict.status, verdict.reason) == ("wrong", "no_answer")


@pytest.mark.parametrize("piece", ["*a", "a. ", "[a", "<<", " ", "\n", "P.S. ", "***\n", "A", "é "])
def test_a_megabyte_takes_no_longer_than_it_should(piece):
    golds = [json.loads(g) for g in {json.dumps(r["gold"]) for r in ROWS if r["by"] == "hand"}]
    text = "b " + piece * (1_000_000 // len(piece))
    start = time.process_time()
    judged([entry for gold in golds for entry in gold], text)
    assert time.process_time() - start < 0.5 * len(golds)
