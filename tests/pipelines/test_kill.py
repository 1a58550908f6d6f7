"""kill -9 at any moment costs nothing: the same data, the same student, nothing asked again."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from tests.pipelines.recipe_text import TINY
from tests.servers.teacher import TeacherServer

pytestmark = pytest.mark.slow
KILLS = 20
STEPS = 800
COMMAND = [sys.executable, "-c", "from pipelines.cli import main; main()", "run"]


def start(recipe, run):
    return subprocess.Popen(
        [*COMMAND, str(recipe), "--run-dir", str(run)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def started(run):
    """Stages whose start stands in the log."""
    try:
        lines = (run / "log.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [e["stage"] for e in map(json.loads, lines) if e["event"] == "start"]


def tables(run):
    """Every table as a sorted list of rows."""
    return {
        str(file.relative_to(run)): sorted(map(repr, pq.read_table(file).to_pylist()))
        for file in sorted((run / "data").rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    recipe = folder / "tiny.yaml"
    recipe.write_text(
        TINY.replace("n: 150", "n: 1500")
        .replace("heldout: {n: 30}", "heldout: {n: 300}")
        .replace("epochs: 20, max_steps: 60", f"epochs: 50, max_steps: {STEPS}")
    )
    assert start(recipe, folder / "whole").wait() == 0
    return recipe, folder / "whole"


def test_twenty_kills_across_all_stages(undisturbed, tmp_path):
    recipe, whole = undisturbed
    run = tmp_path / "run"
    stages = json.loads((whole / "manifest.json").read_text())["stages"]
    rng = random.Random(os.environ.get("PYTEST_SEED", "0"))
    long = [name for name in stages if stages[name]["seconds"] > 2]
    planned = sorted([*stages, *rng.choices(long, k=KILLS - len(stages))], key=list(stages).index)
    kills = []
    for name in planned:
        before = len(started(run))
        process = start(recipe, run)
        while process.poll() is None and name not in started(run)[before:]:
            time.sleep(0.01)
        share = 2 * rng.random() / (1 + planned.count(name))
        time.sleep(share * stages[name]["seconds"])
        if process.poll() is None:
            kills.append(name)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(kills) >= KILLS * 3 // 4, kills
    assert start(recipe, run).wait() == 0
    assert tables(run) == tables(whole)
    ours, theirs = (f / "students" / "sft" / "model.safetensors" for f in (run, whole))
    assert ours.read_bytes() == theirs.read_bytes()
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))
    assert json.loads((run / "evaluation.json").read_text()) == json.loads(
        (whole / "evaluation.json").read_text()
    )


SERVED = """\
name: served
teacher: {{backend: openai, base_url: "{url}", model: m, max_in_flight: 8}}
questions: [{{from: reasoning_gym, dataset: chain_sum, n: 400}}]
chains: {{samples: 2}}
"""


def test_a_killed_generation_pays_only_for_what_was_in_flight(tmp_path):
    rng = random.Random(0)
    recipe, kills, wanted = tmp_path / "served.yaml", 0, 800

    async def generate():
        async with TeacherServer(latency=0.02, message=lambda body: {"content": "A: 1"}) as server:
            recipe.write_text(SERVED.format(url=server.base_url))
            whole = await asyncio.to_thread(start(recipe, tmp_path / "whole").wait)
            assert whole == 0
            assert server.requests == wanted
            return await interrupted(server)

    async def interrupted(server):
        nonlocal kills
        before = server.requests
        for _ in range(5):
            process = start(recipe, tmp_path / "run")
            goal = server.requests + rng.randrange(20, 150)
            while process.poll() is None and server.requests < goal:
                await asyncio.sleep(0.005)
            if process.poll() is None:
                kills += 1
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.to_thread(process.wait)
        last = await asyncio.to_thread(start(recipe, tmp_path / "run").wait)
        assert last == 0
        return server.requests - before

    asked = asyncio.run(generate())
    assert kills >= 4
    # those in flight, and as many that a burst of 20 ms brought and that were not stored yet
    assert wanted <= asked <= wanted + kills * (8 + 8)
    assert tables(tmp_path / "run") == tables(tmp_path / "whole")
