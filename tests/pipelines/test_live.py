"""The live view of a generation: in place on a terminal, plain lines elsewhere."""

import io
import json
import os
import re
import threading
from types import SimpleNamespace

from generators.budget import Budget
from generators.prices import Price
from generators.target import Target
from generators.throttle import Pace, Throttle
from pipelines import live, recipe
from pipelines import run as running
from pipelines.live import View, clock
from pipelines.progress import Progress
from tests.pipelines.test_judges import served
from verifiers.records import Completion, Group, Problem, Usage, Verdict

RECIPE = """\
name: seen
teacher: {{backend: openai, base_url: ["{url}", "{url}"], model: m, max_in_flight: 4}}
questions: [{{from: jsonl, path: q.jsonl, verifier: exact}}]
chains: {{samples: 2}}
prices: {{m: {{input: 1000, output: 1000}}}}
"""
WORDS = ("rows", "in flight", "tokens/s", "cost", "accepted", "slowest", "time left")


def group(verifier, *statuses):
    problem = Problem(prompt="1+0", answer="1", verifier=verifier)
    samples = [
        (
            Completion(problem_id=problem.id, text="x", request_key=str(n)),
            Verdict(status=status, verifier=verifier),
        )
        for n, status in enumerate(statuses)
    ]
    return Group(problem=problem, samples=samples)


def end(seconds, port):
    made = SimpleNamespace(root=f"http://h:{port}/v1", pace=Pace(), throttle=Throttle(8))
    for _ in range(20):
        made.pace.add(0.0, seconds)
    return made


def seen(monkeypatch, target=None, prices=None, free=False, budget=None):
    """A view ten seconds after it began: two of ten questions, four paid answers."""
    now = 100.0
    monkeypatch.setattr("pipelines.live.time.monotonic", lambda: now)
    budget = Budget(budget, {"m": Price(input=1, output=2)} if prices is None else prices)
    view = View(10, budget, SimpleNamespace(endpoints=[end(0.5, 1), end(3, 2)]), target, free)
    budget.open = 9
    for n in range(4):
        budget.pay("m", Usage(prompt_tokens=100_000, completion_tokens=50_000 + n))
    view.add(group("math", "correct", "wrong"))
    view.add(group("code", "correct", "undecided"))
    now = 110.0
    view.tick()
    return view.facts()


def test_what_is_shown(monkeypatch):
    facts = seen(monkeypatch)
    assert tuple(facts) == WORDS
    assert facts["rows"] == "2 of 10 questions, 4 chains"
    assert facts["in flight"] == "5"
    assert facts["tokens/s"] == "40,000 in, 20,001 out"
    assert facts["cost"] == "0.80 USD so far, about 4.00 in all"
    assert facts["accepted"] == "math 50% of 2, code 50% of 2"
    assert facts["slowest"] == "h:2, 3 s an answer, 0 of at most 8 at a time"
    assert facts["time left"] == "40 s"


def test_a_target_and_costs_that_nobody_knows(monkeypatch):
    facts = seen(monkeypatch, Target(8, 10, 4), {})
    assert facts["rows"].endswith("2 of 8 accepted")
    assert facts["time left"] == "30 s"
    assert facts["cost"] == "no price known for 4 answers"
    assert seen(monkeypatch, free=True)["cost"] == "none"
    limited = seen(monkeypatch, budget="1.6 usd")["cost"]
    assert limited.endswith("about 4.00 in all, 50% of the budget of 1.6 usd")


def test_times_are_said_as_a_person_says_them():
    assert [clock(s) for s in (4.4, 720, 12_000)] == ["4 s", "12 min", "3 h 20 min"]


def generate(tmp_path, stream, monkeypatch):
    monkeypatch.setattr(live, "EVERY", 0.05)
    rows = [json.dumps({"prompt": f"question {n}", "answer": "1"}) for n in range(40)]
    (tmp_path / "q.jsonl").write_text("\n".join(rows))
    with served(latency=0.02) as server:
        (tmp_path / "r.yaml").write_text(RECIPE.format(url=server.base_url))
        loaded = recipe.load(str(tmp_path / "r.yaml"))
        running.run(loaded, tmp_path / "run", ["generate"], Progress(stream, every=0.1))


def test_a_terminal_shows_it_in_place_and_keeps_only_the_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    master, slave = os.openpty()
    parts = []
    reader = threading.Thread(target=lambda: parts.extend(iter(lambda: _read(master), b"")))
    reader.start()
    with os.fdopen(slave, "w") as stream:
        generate(tmp_path, stream, monkeypatch)
    reader.join(10)
    os.close(master)
    said = b"".join(parts).decode()
    assert all(word in said for word in WORDS)
    assert "\x1b[1A" in said, "lines are written over"
    assert said.rstrip().endswith(" s)")
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h"), "the cursor comes back"


def _read(fd):
    try:
        return os.read(fd, 1 << 20)
    except OSError:  # the other end is closed
        return b""


def test_elsewhere_it_is_plain_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = io.StringIO()
    assert not Progress(stream).live
    stream.isatty = lambda: True
    generate(tmp_path, stream, monkeypatch)
    lines = stream.getvalue().splitlines()
    told = [one for one in lines if one.startswith("chains: ") and " of 40 questions" in one]
    assert told
    assert all(word in told[-1] for word in WORDS[1:])
    assert not re.search("\x1b|\r", stream.getvalue())
