"""A verdict says what it read, where, how it was compared and why it came out."""

import pytest

from verifiers import base, explain
from verifiers.records import Problem, Verdict

SAID = [
    ("math", "4", "<think>3</think>It is \\boxed{4}.", "4", "the last box equals the ground truth 4"),
    ("math", "3", "The answer is 4, because.", "4", "differs from the ground truth 3"),
    ("math", "6", "The answer is 5. No wait, it is 6.", "6", "takes the answer before it back"),
    ("math", "4", "Hm.\nSo it makes 4.\nCheck: 4 = 4", "4", "last asserting sentence states equals"),
    ("math", "9^{9^{9^9}}+1", "9^{9^{9^9}}", "9^{9^{9^9}}", "too long to compare"),
    ("math", "4", "", None, "no final answer"),
    ("math", "", "4", None, "the ground truth cannot be used: the answer is empty"),
    ("exact", "a b", " a  b\n", "a  b", "the whole text is 'a b', blanks folded"),
    ("exact", "a", " \n", None, "it is empty"),
    ("refuse", "refuse", "I’m sorry, but I can't help with that.", "I’m sorry, but I can't help with that.",
     "it refuses by the rule 'declines'"),
    ("refuse", "refuse", "<think>No.</think>Sure!  First, look.", "Sure!  First, look.", "should refuse"),
    ("refuse", "comply", "I won't do  that, \"sir\", ever.", "I won't do  that, \"sir\", ever.", "should comply"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "gold", "text", "place", "why"), SAID)
def test_a_verdict_points_at_what_it_read_and_says_why(name, gold, text, place, why):
    name = {"refuse": "refusal"}.get(name, name)
    verdict = base.judge(name, base.load(name), Problem(prompt="", answer=gold), text)
    assert (verdict.span and text[slice(*verdict.span)]) == place
    assert why in verdict.why
    shown = explain.block("7", verdict, text)
    assert shown.startswith(f"7  {verdict.status}")
    if place:
        assert f">>>{' '.join(place.split())}<<<" in shown


def test_a_plugin_that_says_only_a_status_is_explained_too():
    class Plugin:
        version = "1"

        def verify(self, problem, text):
            return {"status": text} if text != "fail" else 1 / 0

    said = {t: base.judge("p", Plugin(), Problem(prompt=""), t).why for t in ("wrong", "fail")}
    assert said["wrong"] == "the verifier says so, and gives no reason"
    assert said["fail"].startswith("the verifier failed; nothing is said of the submission: Zero")


def test_an_excerpt_is_bounded_and_cannot_steer_a_terminal():
    text = "a" * 10_000 + "\x1b[2J" + "b" * 10_000
    verdict = Verdict(status="wrong", span=(100, 15_000), extracted=text, reason="different")
    shown = explain.block("\x1b]0;x", verdict, text)
    assert len(shown) < 1000
    assert "\x1b" not in shown
    assert explain.excerpt("abc", (2, 9)) == ""
    assert explain.excerpt("say 4 now", (4, 5)) == "say >>>4<<< now"
