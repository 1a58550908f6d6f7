"""The battery: the built-in verifiers pass it, every kind of bad plug-in fails the right probe."""

import asyncio
import contextlib
import io
import json
import subprocess
import sys

import pytest

from pipelines.cli import main
from verifiers import base, battery
from verifiers.hostile import canaries

HEAD = '''
class Plugin:
    """Correct where the text is the answer."""

    version = "1"
    gold_type = "text"
    examples = [({"prompt": "2 + 2?", "answer": "4"}, "4", "correct"),
                ({"prompt": "2 + 2?", "answer": "4"}, "5", "wrong")]

    def check_gold(self, problem):
        return None if isinstance(problem.answer, str) and problem.answer else "it is no text"

    def verify(self, problem, text):
'''
HONEST = HEAD + '        return {"status": "correct" if text == problem.answer else "wrong"}\n'
BAD = {
    "evaluates": (
        HEAD
        + """
        try:
            text = text[:1000]
            return {"status": "correct" if eval(text) == eval(problem.answer) else "wrong"}
        except Exception:
            return {"status": "wrong"}
""",
        {"canary": "the text was run as code (escape-bare, exec-bare, open-bare, system-bare)"},
    ),
    "evaluates_without_builtins": (
        HEAD
        + """
        try:
            value = eval(text[:1000], {"__builtins__": {}})
        except BaseException:
            value = None
        return {"status": "correct" if str(value) == problem.answer else "wrong"}
""",
        {"canary": "the text was run as code (escape-bare)"},
    ),
    "accepts_everything": (
        HEAD + '        return {"status": "correct"}\n',
        {
            "example 2": "expected wrong, got correct",
            "nonsense": "it is called correct",
            "the gold among others": "it is called correct",
        },
    ),
    "accepts_any_mention": (
        HEAD + '        return {"status": "correct" if problem.answer in text else "wrong"}\n',
        {"the gold among others": "it is called correct"},
    ),
    "crashes_on_empty": (
        HEAD + '        return {"status": "correct" if text[0] == problem.answer else "wrong"}\n',
        {"empty text": "IndexError: string index out of range"},
    ),
    "recurses": (
        HEAD
        + """
        def depth(rest):
            return 1 + depth(rest[1:]) if rest[:1] == "(" else 0
        return {"status": "correct" if depth(text) == 0 and text == "4" else "wrong"}
""",
        {"deep nesting: round brackets": "RecursionError: maximum recursion depth exceeded"},
    ),
    "dies": (
        HEAD
        + """
        if "\\0" in text:
            import os
            os._exit(3)
        return {"status": "correct" if text == problem.answer else "wrong"}
""",
        {"NUL bytes": "the verifier's worker died twice"},
    ),
    "hangs": (
        HEAD
        + """
        while text.startswith("\\\\\\\\\\\\\\\\"):
            pass
        return {"status": "correct" if text == problem.answer else "wrong"}
""",
        {"1 MB of backslashes": "it took too long, and its worker had to be killed"},
    ),
    "draws_lots": (
        HEAD
        + """
        import random
        score = random.random() if text == problem.answer else 0
        return {"status": "correct" if text == problem.answer else "wrong", "score": score}
""",
        {"repeats": "example 1: score 0."},
    ),
    "remembers": (
        HEAD
        + """
        seen = self.__dict__.setdefault("seen", set())
        seen.add(text)
        right = text == problem.answer
        return {"status": "correct" if right else "wrong", "extracted": str(len(seen))}
""",
        {"repeats": "example 1: extracted '1', then '"},
    ),
    "depends_on_the_process": (
        HEAD
        + """
        import os
        right = text == problem.answer
        return {"status": "correct" if right else "wrong", "extracted": str(os.getpid())}
""",
        {"repeats": "huge number: sum to infinity: extracted '"},
    ),
    "speaks_its_own_words": (
        HEAD
        + """
        right = text == problem.answer
        return {"status": "correct" if right else "wrong", "reason": "" if right else "bah"}
""",
        {"nonsense": "reason 'bah' is no word for wrong; known: different, no_answer, crash"},
    ),
    "malformed": (
        HEAD + '        return {"status": "maybe", "score": 7}\n',
        {"example 1": "TypeError: a verifier returned a bad verdict: status"},
    ),
    "rejects_its_gold": (
        HEAD
        + '        return {"status": "correct" if text == "4 " else "wrong"}\n'
        + '\nPlugin.examples[0] = ({"prompt": "2 + 2?", "answer": "4"}, "4 ", "correct")\n',
        {"bare gold of example 1": "expected correct, got wrong"},
    ),
    "without_examples": (
        HONEST + "\nPlugin.examples = []\n",
        {"examples": "`examples` must hold a (problem, text, status) that is correct"},
    ),
    "odd_examples": (
        HONEST + '\nPlugin.examples = [({"answer": "4"}, "4", "right")]\n',
        {"examples": "an example is no (problem, text, status): '4' with status 'right'"},
    ),
    "trusts_any_gold": (
        HONEST.replace("check_gold", "no_check"),
        {"bad gold: none": "it must be undecided/bad_gold (check_gold), not wrong"},
    ),
    "chokes_on_odd_golds": (
        HEAD
        + """
        return {"status": "correct" if text == problem.answer.strip() else "wrong"}

    def check_gold(self, problem):
        return "it is none" if problem.answer is None else None
""",
        {
            "bad gold: a boolean": "AttributeError: 'bool' object has no attribute 'strip'",
            "bad gold: deep lists": "AttributeError: 'list' object has no attribute 'strip'",
        },
    ),
    "says_yes_to_odd_golds": (
        HEAD
        + """
        return {"status": "correct" if text == problem.answer or not problem.answer else "wrong"}

    def check_gold(self, problem):
        return "it is none" if problem.answer is None else None
""",
        {"bad gold: an empty list": "a text is called correct"},
    ),
    "hoards": (
        HEAD
        + """
        if len(text) > 900_000:
            text *= 2_000
        return {"status": "correct" if text == problem.answer else "wrong"}
""",
        {"1 MB of words": "MemoryError"},
    ),
    "keeps_what_it_read": (
        HEAD
        + """
        self.__dict__.setdefault("kept", []).append(text)
        return {"status": "correct" if text == problem.answer else "wrong"}
""",
        {"leak": ""},
    ),
    "claims_a_box": (
        HONEST + '\nPlugin.trust = "boxed"\n',
        {"isolation": "40 verdicts say `boxed` but have no isolation"},
    ),
    "claims_no_box": (
        HEAD
        + """
        right = text == problem.answer
        return {"status": "correct" if right else "wrong", "isolation": "landlock"}
""",
        {"isolation": ""},
    ),
    "refuses_groups": (
        HONEST
        + """
    def verify_group(self, problem, texts):
        return [self.verify(problem, text) for text in texts if text]
""",
        {"group": "TypeError: verify_group returned 5 verdicts on 6 texts"},
    ),
    "first_come": (
        HONEST
        + """
    def verify_group(self, problem, texts):
        return [{"status": "correct" if n < 3 else "wrong"} for n, _ in enumerate(texts)]
""",
        {"group": "the verdicts depend on the order of the texts"},
    ),
    "evaluates_groups": (
        HONEST
        + """
    def verify_group(self, problem, texts):
        for text in texts:
            try:
                eval(text[:1000])
            except Exception:
                pass
        return [self.verify(problem, text) for text in texts]
""",
        {"canary": "the text was run as code (escape-bare, exec-bare, open-bare, system-bare)"},
    ),
    "uneven_examples": (
        HONEST + '\nPlugin.examples = [({"answer": "4"}, ["4", "5"], ["correct"])]\n',
        {"examples": "an example is no (problem, text, status)"},
    ),
    "unversioned": (
        HONEST + '\nPlugin.version = ""\nPlugin.trust = "blind"\n',
        {"declaration": "it has no `version`"},
    ),
    "cannot_be_loaded": (
        "import no_such_module_at_all\n",
        {"load": "verifier 'cannot_be_loaded' cannot be loaded: No module named"},
    ),
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a plug-in on the path: a module, and the metadata of an installed distribution."""

    def put(name, code):
        (tmp_path / f"plugin_{name}.py").write_text(code)
        info = tmp_path / f"plugin_{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(
            f"[distill.verifiers]\n{name} = plugin_{name}:Plugin\n"
        )
        base.plugins.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield put
    base.plugins.cache_clear()


def failed(report):
    return {probe.name: probe.why for probe in report.probes if not probe.passed}


LONG = ("all", "any", "consensus", "puzzle", "weighted")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
        for name in base.BUILTIN
        if name != "judge"
    ],
)
def test_the_built_in_verifiers_pass(name):
    report = asyncio.run(battery.run(name))
    assert failed(report) == {}
    assert report.passed
    assert len(report.probes) > 40
    assert 0 < report.peak < 512 << 20


def test_an_honest_plugin_passes(install):
    install("honest", HONEST)
    report = asyncio.run(battery.run("honest"))
    assert failed(report) == {}
    assert "bare gold of example 1" in {probe.name for probe in report.probes}


GROUP = """
from collections import Counter


class Plugin:
    version = "1"
    examples = [({"prompt": "2 + 2?", "answer": "x"}, ["4", "4", "5"], ["correct", "correct", "wrong"])]

    def check_gold(self, problem):
        return None if problem.answer == "x" else "it must be x"

    def verify_group(self, problem, texts):
        (most, votes), *_ = Counter(texts).most_common()
        return [{"status": "correct" if text == most and votes > 1 else "wrong"} for text in texts]
"""


def test_a_plugin_that_only_judges_groups_passes(install):
    install("most_say", GROUP)
    report = asyncio.run(battery.run("most_say"))
    assert failed(report) == {}
    assert {"group", "example 1", "nonsense"} < {probe.name for probe in report.probes}


def test_a_bad_plugin_that_only_judges_groups_fails(install):
    install(
        "all_say",
        GROUP.replace('"correct" if text == most and votes > 1 else "wrong"', '"correct"'),
    )
    found = failed(asyncio.run(battery.run("all_say")))
    assert found["example 1"].startswith("expected correct, correct, wrong, got correct")
    assert found["nonsense"] == "it is called correct"
    assert found["group"] == "nonsense in a group is called correct"


def test_options_are_those_of_the_section(install):
    code = (
        HONEST
        + """
    def __init__(self, strip):
        self.strip = strip
"""
    )
    install("asks", code.replace("text == problem", "text.strip(self.strip) == problem"))
    missing = asyncio.run(battery.run("asks"))
    assert [probe.name for probe in missing.probes] == ["load"]
    section = {"mine": {"use": "asks", "strip": "!"}, "yours": {"use": "asks", "strip": "4"}}
    assert asyncio.run(battery.run("mine", section)).passed
    assert "example 1" in failed(asyncio.run(battery.run("yours", section)))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_plugin_fails(install, name):
    code, expected = BAD[name]
    install(name, code)
    report = asyncio.run(battery.run(name))
    found = failed(report)
    assert not report.passed
    for probe, why in expected.items():
        assert found[probe].startswith(why), found


def test_texts_that_would_sing_do_sing_when_they_are_run(tmp_path):
    for label, text in canaries(tmp_path):
        if label.endswith("bare"):
            subprocess.run([sys.executable, "-c", f"eval({text!r})"], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        "system-bare", "open-bare", "exec-bare", "escape-bare"
    }  # fmt: skip


def command(*arguments):
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(["verifiers", "test", *arguments])
        except SystemExit as stop:
            status = stop.code
    return status, out.getvalue(), err.getvalue()


def test_the_command_says_pass_or_fail_line_by_line(install):
    status, out, _ = command("exact")
    lines = out.splitlines()
    assert status == 0
    assert all(line.startswith("pass  ") for line in lines[:-1])
    assert lines[-1].startswith(f"exact 2: all {len(lines) - 1} probes passed in ")
    install("bad", BAD["accepts_any_mention"][0])
    status, out, _ = command("bad")
    assert status == 1
    assert "FAIL  the gold among others" in out
    assert out.splitlines()[-1].startswith("bad 1: 2 of ")


def test_the_command_speaks_json_and_refuses_unknown_names():
    status, out, _ = command("exact", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["passed"] is True
    assert {"name", "passed", "why"} == set(report["probes"][0])
    assert report["peak_bytes"] > 0
    status, out, err = command("maths")
    assert (status, out) == (2, "")
    assert err == "distill: unknown verifier 'maths'; did you mean 'math'?\n"
    status, out, err = command("judge")
    assert (status, out) == (2, "")
    assert "asks a model" in err
    status, out, err = command("exact", "--set", "verifiers.exact.case=false")
    assert (status, err) == (2, "distill: --set changes a recipe: name it with --recipe\n")


def test_a_recipe_sets_the_verifier_up(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: r\nverifiers: {mine: {use: exact, case: false}}\n")
    status, out, _ = command("mine", "--recipe", str(recipe))
    assert (status, "mine 2: all" in out) == (0, True)
    status, out, _ = command("mine", "--recipe", str(recipe), "--set", "verifiers.mine.colour=red")
    assert status == 1
    assert "FAIL  load" in out
