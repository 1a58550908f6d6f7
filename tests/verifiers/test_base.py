"""Plug-ins that misbehave: one sentence at load, no verdict that a file cannot hold."""

from types import SimpleNamespace

import pytest

from pipelines import verifier_list
from verifiers import base
from verifiers.pool import VerdictPool
from verifiers.records import Problem, Verdict


class Raising:
    version = "1"

    def __init__(self, error=None):
        raise error or RuntimeError("no model\nhere \ud800")

    def verify(self, problem, text): ...


class Leaving(Raising):
    def __init__(self):
        raise SystemExit(3)


class Mute:
    version = "1"


class Noun:
    version, verify = "1", "correct"


class Fine:
    """Always right."""

    version = "1"

    def verify(self, problem, text):
        return {"status": "correct"}


@pytest.fixture
def installed(monkeypatch):
    """Plug-ins by the names of their classes."""
    classes = {cls.__name__.lower(): cls for cls in (Raising, Leaving, Mute, Noun, Fine)}
    points = {name: SimpleNamespace(load=lambda cls=cls: cls) for name, cls in classes.items()}
    monkeypatch.setattr(base, "plugins", lambda: points)
    return points


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raising", "verifier 'raising' cannot be set up: no model"),
        ("leaving", "verifier 'leaving' cannot be set up: 3"),
        ("mute", "verifier 'mute' has neither `verify` nor `verify_group`"),
        ("noun", "verifier 'noun' has neither `verify` nor `verify_group`"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_broken(installed, name, words):
    with pytest.raises(base.BrokenPlugin) as caught:
        base.load(name)
    assert str(caught.value) == words


def test_options_are_refused_and_an_import_may_fail_in_any_way(installed):
    with pytest.raises(base.BrokenPlugin, match="'fine' refuses its options: "):
        base.load("fine", {"speed": 3})
    installed["gone"] = SimpleNamespace(load=lambda: (_ for _ in ()).throw(SystemExit()))
    with pytest.raises(base.BrokenPlugin, match="'gone' cannot be loaded: SystemExit"):
        base.load("gone")


def test_an_interrupt_is_no_fault_of_a_plugin(installed):
    with pytest.raises(KeyboardInterrupt):
        base.load("raising", {"error": KeyboardInterrupt()})


@pytest.mark.parametrize("use", [3, None, ["math"], {"math": 1}])
def test_use_must_be_a_name(use):
    with pytest.raises(base.UnknownVerifier, match="`use` of verifier 'mine' must be a name, not"):
        base.load("mine", {"use": use})


def test_the_list_shows_broken_plugins_and_goes_on(installed):
    rows = {row["name"]: row["about"] for row in verifier_list.rows()}
    assert rows["raising"].endswith("no model")
    assert rows["fine"] == "Always right."
    assert set(rows) == {*base.BUILTIN, *installed}


TEXTS = {name: "\ud800é" for name in ("extracted", "detail", "reason", "method")}


@pytest.mark.parametrize("make", [dict, Verdict])
def test_texts_of_a_verdict_can_be_written(make):
    verdict = base.as_verdict(make(status="wrong", **TEXTS))
    assert {name: getattr(verdict, name) for name in TEXTS} == dict.fromkeys(TEXTS, "?é")
    assert verdict.model_dump_json()


@pytest.mark.parametrize("score", [float("nan"), float("inf"), 1.5, "much"])
def test_a_score_must_be_a_share(score):
    late = Verdict(status="correct")
    late.score = score
    for answer in ({"status": "correct", "score": score}, late):
        with pytest.raises(TypeError, match="bad verdict: score: "):
            base.as_verdict(answer)


def test_of_long_texts_the_beginning_is_kept():
    said = {"status": "wrong", "extracted": "x" * 10**6, "why": "y" * 10**6, "detail": "z" * 10}
    kept = base.as_verdict(said)
    assert (len(kept.extracted), len(kept.why), kept.detail) == (500, 2000, "z" * 10)


def test_a_score_is_kept_or_follows_the_status():
    assert base.as_verdict({"status": "correct"}).score == 1
    assert base.as_verdict({"status": "correct", "score": 0.5}).score == 0.5
    assert base.as_verdict(Verdict(status="correct", score=0.0)).score == 0


def test_an_error_with_a_lone_surrogate_is_a_verdict():
    class Odd(Fine):
        def verify(self, problem, text):
            raise RuntimeError("\ud800")

    verdict = base.judge("odd", Odd(), Problem(prompt="", answer="1"), "1")
    assert (verdict.reason, verdict.detail) == ("infra", "RuntimeError: ?")


@pytest.mark.parametrize("workers", [0, -2])
def test_a_pool_has_workers(workers):
    with pytest.raises(ValueError, match="workers must be at least 1, not"):
        VerdictPool(workers)
