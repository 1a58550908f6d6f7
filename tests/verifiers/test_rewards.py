"""Rewards, with answers worked out by hand."""

import pytest

from verifiers.rewards import advantages, efficiency, overlong


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
