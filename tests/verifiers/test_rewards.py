"""Rewards, with answers worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from verifiers.records import Completion, Usage, Verdict
from verifiers.rewards import (
    Weights,
    advantages,
    count_steps,
    efficiency,
    overlong,
    partial,
    rewards,
    well_formed,
)


def test_right_in_fewer_steps_earns_more_and_wrong_never_earns():
    rewards = efficiency([True, True, False], [5, 15, 1], weight=0.5)
    assert rewards == pytest.approx([1.25, 0.75, 0.0])


def test_a_lone_right_answer_earns_one_however_long():
    assert efficiency([False, True], [3, 400], weight=0.5) == [0.0, 1.0]


def test_no_weight_is_plain_correctness():
    assert efficiency([True, False, True], [1, 2, 3], weight=0.0) == [1.0, 0.0, 1.0]
    assert efficiency([False, False], [1, 2], weight=0.9) == [0.0, 0.0]


def test_overlong_falls_from_the_cushion_to_the_limit():
    assert [overlong(n, 100, 20) for n in (10, 80, 90, 100, 130)] == [0, 0, -0.5, -1, -1]


def test_advantages_are_centred_and_scaled_in_the_group():
    assert advantages([1, 0, 0, 1]) == pytest.approx([0.866, -0.866, -0.866, 0.866], abs=1e-3)
    assert advantages([1, 0, 0, 1], scale=False) == [0.5, -0.5, -0.5, 0.5]
    assert advantages([1, 1, 1]) == [0, 0, 0]
    assert advantages([0.1 + 0.2, 0.3, 0.3]) == [0, 0, 0]


def group(*samples):
    """Completions and verdicts from (status, score, text, tokens)."""
    done = [
        Completion(
            problem_id="p", text=text, request_key="k", usage=Usage(completion_tokens=tokens)
        )
        for _, _, text, tokens in samples
    ]
    return done, [Verdict(status=status, score=score) for status, score, _, _ in samples]


def test_a_reward_adds_up():
    done, verdicts = group(
        ("correct", 1.0, "2+3=5; 5*2=10. The answer is 10", 40),
        ("correct", 1.0, "10", 80),
        ("wrong", 0.5, "\\boxed{9}", 95),
        ("wrong", 0.0, "no", 1),
        ("undecided", 0.7, "?", 1),
    )
    plain = rewards(done, verdicts, Weights(), 100)
    assert plain == [1, 1, 0, 0, 0]
    weights = Weights(efficiency=0.3, partial=0.5, format=0.1, overlong=40)
    found = rewards(done, verdicts, weights, 100)
    # mean of the right ones 60: 1 + .3 * 1/3 + .1;  1 - .3 * 1/3 - .5;  .25 + .1 - .875
    assert found == pytest.approx([1.2, 0.4, -0.525, 0, 0])


def test_efficiency_may_count_steps():
    long, short = "1+1=2; 2+2=4; 4+4=8; 8-8=0", "a very long sentence with 0 = 4 - 4 at its end"
    assert (count_steps(long), count_steps(short), count_steps("none")) == (4, 1, 0)
    done, verdicts = group(("correct", 1, long, 10), ("correct", 1, short, 90), ("wrong", 0, "", 0))
    weights = Weights(efficiency=0.5, efficiency_by="steps")
    assert rewards(done, verdicts, weights, 100) == pytest.approx([0.7, 1.3, 0])


def test_partial_credit_is_for_wrong_answers_only():
    assert partial(Verdict(status="wrong", score=0.75), 0.4) == pytest.approx(0.3)
    assert partial(Verdict(status="correct"), 0.4) == 0
    assert partial(Verdict(status="undecided", score=0.5), 0.4) == 0
    with pytest.raises(ValidationError, match="a wrong answer could earn most"):
        Weights(partial=0.6, efficiency=0.5)


def test_an_answer_is_well_formed_behind_the_thinking():
    said = {
        t: well_formed(t) for t in ("\\boxed{1}", "#### 1", "The answer is 1.", "1", "\\boxed{1")
    }
    assert list(said.values()) == [True, True, True, False, False]
    assert not well_formed("<think>\\boxed{1}</think>so one")


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 500)), min_size=1, max_size=8),
    st.floats(0, 0.99), st.floats(0, 1),
)  # fmt: skip
def test_no_wrong_answer_earns_more_than_a_right_one_nor_for_being_short(samples, weight, share):
    weights = Weights(efficiency=weight, partial=(1 - weight) * min(share, 0.99))
    done, verdicts = group(
        *(("correct" if ok else "wrong", 1.0 if ok else 0.5, "", n) for ok, n in samples)
    )
    found = rewards(done, verdicts, weights, 1000)
    wrong = {round(r, 9) for r, (ok, _) in zip(found, samples, strict=True) if not ok}
    right = [r for r, (ok, _) in zip(found, samples, strict=True) if ok]
    assert len(wrong) <= 1
    assert all(r >= w for r in right for w in wrong)
