"""Figures of an evaluation from raw rows."""

import random

import pytest

from students.evaluate import GREEDY, summary, table
from students.intervals import paired, rate, verdict


def rows(stage, chances, samples=4, seed=0):
    rng = random.Random(seed)
    return [
        {
            "stage": stage, "problem_id": str(p), "index": index, "tokens": 10,
            "status": "correct" if rng.random() < chance else "wrong",
            "self_check": False, "wrong_step": False, "taken_back": False,
        }
        for p, chance in enumerate(chances)
        for index in range(GREEDY, samples)
    ]  # fmt: skip


def test_intervals_cover_the_truth_about_95_times_in_100():
    rng = random.Random(1)
    hits = 0
    for trial in range(400):
        chances = [rng.random() ** 2 for _ in range(150)]
        figures = summary(rows("s", chances, seed=trial))
        hits += figures["low"] <= 1 / 3 <= figures["high"]
    assert 0.91 <= hits / 400 <= 0.99


def test_a_rate_of_zero_has_an_interval_above_zero():
    interval = rate([0.0] * 1000, 4)
    assert interval.low == pytest.approx(0, abs=1e-12)
    assert 0.003 < interval.high < 0.005


def test_known_wilson_interval():
    interval = rate([1.0] * 8 + [0.0] * 2, 1)
    assert (interval.low, interval.high) == pytest.approx((0.490, 0.943), abs=0.02)


def test_paired_difference_cancels_what_is_hard_for_both():
    easy = {str(i): float(i % 2) for i in range(100)}
    ours = {k: min(1.0, v + 0.1) for k, v in easy.items()}
    difference = paired(ours, easy)
    assert difference.value == pytest.approx(0.05)
    assert difference.low > 0
    assert verdict(difference) == "improved"
    assert verdict(paired(easy, ours)) == "regressed"
    assert verdict(paired(easy, easy)) == "flat"
    few = paired({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 0.5})
    assert (few.low, few.value) == (-1.0, -0.75)


def test_undecided_counts_as_not_correct_and_its_share_is_shown():
    raw = rows("s", [1.0] * 10)
    for row in raw[:10]:
        row["status"] = "undecided"
    figures = summary(raw)
    assert figures["pass@1"] == pytest.approx(32 / 40)
    assert figures["undecided"] == pytest.approx(8 / 40)
    assert figures["n"] == 10
    assert figures["samples"] == 4


def test_the_table_sets_each_stage_against_the_one_before_and_the_teacher():
    stages = [
        ("base", rows("base", [0.0] * 200)),
        ("sft", rows("sft", [0.6] * 200)),
        ("teacher", rows("teacher", [0.95] * 200)),
    ]
    base, sft, teacher = table(stages, 1, "heldout")
    assert "vs" not in base
    assert sft["vs"]["stage"] == "base"
    assert sft["verdict"] == "improved"
    assert sft["to_teacher"]["diff"] < 0
    assert teacher["vs"]["stage"] == "sft"
    assert teacher["vs"]["low"] > 0


def test_without_samples_the_greedy_answers_count():
    figures = summary(rows("s", [1.0, 1.0, 0.0, 0.0], samples=0))
    assert "pass@1" not in figures
    assert (figures["greedy"], figures["n"], figures["samples"]) == (0.5, 4, 0)
    base, sft = table(
        [("base", rows("b", [0.0] * 50, 0)), ("sft", rows("s", [1.0] * 50, 0))], 1, "sums"
    )
    assert (sft["on"], sft["vs"]["diff"], sft["verdict"]) == ("sums", 1.0, "improved")
    assert base["tokens_mean"] == 10


def test_known_reflection_figures():
    def row(status, check, wrong, back):
        return {
            "status": status, "self_check": check, "wrong_step": wrong, "taken_back": back,
            "problem_id": "p", "index": 0, "tokens": 1,
        }  # fmt: skip

    raw = [
        row("correct", True, True, True), row("wrong", True, True, False),
        row("correct", False, True, False), row("undecided", False, True, False),
        row("wrong", False, True, False), row("correct", True, False, False),
        row("correct", False, False, False), row("wrong", False, False, False),
    ]  # fmt: skip
    assert summary(raw)["reflection"] == {
        "self_check": 0.375, "wrong_step": 0.625, "taken_back": 0.2, "recovered": 0.4,
        "recovered_checked": 0.5, "recovered_unchecked": pytest.approx(1 / 3, abs=1e-6),
    }  # fmt: skip
    none = summary(raw[5:])["reflection"]
    assert none["recovered"] is none["recovered_checked"] is none["taken_back"] is None
    assert none["wrong_step"] == 0
