"""F11, F12, F15: two runs on one folder, poisoned rows, what changed between two runs."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from generators.teachers.servers import Servers
from pipelines import recipe as recipes
from pipelines.progress import Progress
from pipelines.run_folder import RunFolder
from pipelines.stages import Job
from pipelines.stages.train import Metrics
from tests.pipelines.recipe_text import LIFE
from tests.pipelines.test_run import distill, rows
from verifiers import base

ROOT = Path(__file__).parents[2]
PLUGIN = '''
import os, signal

class Moody:
    """Right where the answer is in the text; on some questions it raises, hangs or dies."""

    version = "{version}"

    def verify(self, problem, text):
        mood = str(problem.answer)
        if mood == "raise":
            raise RuntimeError("on purpose")
        while mood == "hang":
            pass
        if mood == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        return {{"status": "correct" if mood in text else "wrong"}}
'''


@pytest.fixture
def moody(tmp_path, monkeypatch):
    """Writes a real plug-in on the path, of a version."""
    info = tmp_path / "moody_verifier-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moody-verifier\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[distill.verifiers]\nmoody = moody_verifier:Moody\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(version):
        (tmp_path / "moody_verifier.py").write_text(PLUGIN.format(version=version))
        sys.modules.pop("moody_verifier", None)
        base.plugins.cache_clear()

    write("1")
    yield write
    base.plugins.cache_clear()


@pytest.fixture
def server():
    """A teacher in a process of its own, as a function of its options."""
    started = []

    def start(*options):
        command = [sys.executable, "-m", "tests.servers.teacher", *options]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def ledger(url):
    with urllib.request.urlopen(url.removesuffix("/v1") + "/ledger") as answer:
        return json.load(answer)


def recipe(folder, url, problems, verifier="exact", teacher="", chains="samples: 1"):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in problems]
    (folder / "q.jsonl").write_text("\n".join(lines) + "\n")
    path = folder / "r.yaml"
    path.write_text(
        f'name: r\nteacher: {{backend: openai, base_url: "{url}", model: m{teacher}}}\n'
        f"questions: [{{from: jsonl, path: q.jsonl, verifier: {verifier}}}]\n"
        f"chains: {{{chains}}}\n"
    )
    return path


def good(count):
    return [{"prompt": f"question {n}", "answer": "#"} for n in range(count)]


def test_f11_a_second_run_on_a_folder_is_refused_and_a_dead_ones_lock_is_taken_over(
    tmp_path, server
):
    url = server("--latency", "0.1")
    path = recipe(tmp_path, url, good(400), teacher=", max_in_flight: 4")
    run = tmp_path / "run"
    command = "from pipelines.cli import main; main()"
    first = subprocess.Popen(
        [sys.executable, "-c", command, "generate", str(path), "--run-dir", str(run)],
        cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while ledger(url)["requests"] < 40:
            assert first.poll() is None
            time.sleep(0.02)
        before = sorted(p.name for p in run.iterdir())
        second = distill("generate", path, "--run-dir", run, check=2)
        assert f"in use by process {first.pid} on {socket.gethostname()}" in second.stderr
        assert sorted(p.name for p in run.iterdir()) == before
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    paid = ledger(url)["completions"]
    quick = server()
    recipe(tmp_path, quick, good(400))
    distill("generate", path, "--run-dir", run, check=0)
    assert len(rows(run, "chains")) == 400
    assert 400 - paid <= ledger(quick)["completions"] <= 400 - paid + 8


@pytest.mark.slow
def test_f12_poisoned_rows_fail_alone_with_their_reason(tmp_path, server, moody):
    bad = [
        {"prompt": "huge " + "x" * (1 << 20), "answer": "#"},
        '{"prompt": "half a pair \\ud800", "answer": "#"}',
        '{"prompt": "not a number", "answer": NaN}',
        {"prompt": "no answer"},
        {"answer": "no prompt"},
        {"prompt": "braces {answer} {0} {{x}} %s", "answer": "#"},
        '{"prompt": "cut off", "ans',
        "[1, 2]",
        {"prompt": "it raises", "answer": "raise"},
        {"prompt": "it hangs", "answer": "hang"},
        {"prompt": "it dies", "answer": "die"},
    ]
    path = recipe(tmp_path, server(), [*good(150), *bad, *good(300)[150:]], "moody")
    distill("generate", path, "--run-dir", tmp_path / "run", check=0)
    chains = rows(tmp_path / "run", "chains")
    prompts = {row["id"]: row["prompt"] for row in rows(tmp_path / "run", "problems")}
    found = {prompts[row["problem_id"]]: (row["status"], row["reason"]) for row in chains}
    assert [found[f"question {n}"] for n in range(300)] == [("correct", "")] * 300
    assert found["it raises"][0] == found["it hangs"][0] == found["it dies"][0] == "undecided"
    assert (found["it hangs"][1], found["it dies"][1]) == ("timeout", "infra")
    assert found["braces {answer} {0} {{x}} %s"] == ("correct", "")
    assert found[bad[0]["prompt"]] == ("correct", "")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    reasons = {entry["row"]: entry["reason"] for entry in log if entry["event"] == "bad_row"}
    assert {154, 155, 157, 158} <= reasons.keys()
    assert all(reasons.values())
    assert len(found) + len(reasons) == 311


@pytest.mark.slow
def test_f15_only_what_depends_on_a_change_is_done_again(tmp_path, server, moody):
    url = server()
    run = tmp_path / "run"
    asked = 0

    def generate(**changes):
        nonlocal asked
        path = recipe(tmp_path, url, good(60), "moody", **changes)
        distill("generate", path, "--run-dir", run, check=0)
        before, asked = asked, ledger(url)["requests"]
        return asked - before

    assert generate() == 60
    first = {row["id"] for row in rows(run, "chains")}
    assert generate() == 0
    assert generate(chains="samples: 1, system: be brief") == 60
    assert not first & {row["id"] for row in rows(run, "chains")}
    assert generate(chains="samples: 1, sampling: {temperature: 0.5}") == 60
    assert generate(teacher=", revision: two") == 60
    assert generate(chains="samples: 2") == 60
    assert first < {row["id"] for row in rows(run, "chains")}
    moody("2")
    assert generate(chains="samples: 2") == 0
    stages = json.loads((run / "manifest.json").read_text())["stages"]
    assert stages["chains"]["counts"]["correct"] == 120
    assert generate() == 0
    assert {row["id"] for row in rows(run, "chains")} == first


def test_a_share_of_rollouts_that_nobody_can_judge_is_told_once(tmp_path):
    (tmp_path / "life.yaml").write_text(LIFE)
    recipe = recipes.load(str(tmp_path / "life.yaml"))
    folder, said = RunFolder(tmp_path / "run", recipe), io.StringIO()
    metrics = Metrics(Job(recipe, folder, Progress(said), Servers(folder.path)), "grpo", fresh=True)
    line = {"loss": 0.1, "reward": 0.5, "tokens": 9, "tokens_per_second": 1.0, "seconds_left": 1.0}
    for step, share in enumerate((0.05, 0.08, 0.1), 1):
        metrics.add(line | {"step": step, "steps": 3, "undecided": share})
    folder.close()
    told = "step 2: 8% of the rollouts could not be judged"
    assert said.getvalue() == f"grpo: {told}; above 20% the run stops\n"
    (event,) = map(json.loads, (folder.path / "log.jsonl").read_text().splitlines())
    assert (event["event"], event["stage"], event["text"]) == ("warning", "grpo", told)
    assert len((folder.path / "metrics.jsonl").read_text().splitlines()) == 3
