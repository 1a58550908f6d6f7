"""SFT against TRL 1.16: same model, same rows, same order, one run; medians of three.

    python benchmarks/students_sft.py [--json] [--docs] [--only sft,cpt,lora,checks] [--repeat 3]

TRL lives in `.peers/trl`, which this builds. It runs as installed (`stock`) and with only the
learned tokens scored in its fused head, as on CUDA (`compact`); the bars are against the latter.
Our engine then trains on the very documents that TRL put into each step. Memory is the peak of a
process of its own over what the loaded base takes; the first step of each run is not timed. We
take 1,024 tokens at once, with LoRA 512; TRL packs two bins of 1,024 into a step, together or one
by one, with LoRA one. Speed is against the faster of the two, memory against the former.
`lora` needs models/SmolLM2-135M-Instruct (`make pretrained`, or DISTILL_MODELS).
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.blocks import write  # noqa: E402
from benchmarks.process import environment, fresh  # noqa: E402

MODELS = Path(os.environ.get("DISTILL_MODELS", ROOT / "models"))
PEER = ("torch==2.13.0", "trl==1.16.0 peft")
BARS: dict[str, tuple[str, float]] = {
    "speed_to_trl_packed": (">=", 1.7),
    "speed_to_trl_padded": (">=", 1.8),
    "memory_to_trl_packed": ("<=", 0.6),
    "loss_to_trl": ("<=", 1e-5),
    "lora_speed_to_trl_packed": (">=", 1.5),
    "lora_memory_to_trl_packed": ("<=", 0.7),
    "gradient_packed_to_unpacked": ("<=", 1e-5),
    "gradient_by_split_fp64": ("<=", 1e-10),
    "logp_of_other_documents_changed": ("<=", 0),
    "overhead_ms": ("<=", 2.0),
    "memory_16k_to_4k": ("<=", 4.4),
    "lines": ("<=", 3000),
}
OPTIONS = {"tokens_per_micro_batch": 1024}
Run = dict[str, Any]


def llama(folder: Path) -> None:
    """A Llama of 15.7 million random weights, with a tokenizer that nobody uses."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from students.models import byte_tokenizer

    config = LlamaConfig(
        vocab_size=16384, hidden_size=384, num_hidden_layers=6, num_attention_heads=6,
        num_key_value_heads=2, intermediate_size=1024, max_position_embeddings=2048,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)


def random_rows(count: int, chats: bool = True) -> Iterator[Run]:
    """Chats of about 213 tokens, 841 at most, a third of them prompt; or texts of as many."""
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(count):
        total = int(np.clip(np.exp(rng.normal(np.log(185), 0.55)), 48, 841))
        prompt = int(np.clip(rng.normal(70, 20), 16, total - 16)) if chats else 1
        ids = (rng.zipf(1.2, total) % 16000 + 300).tolist()
        yield {"ids": ids, "mask": [False] * prompt + [True] * (total - prompt)}


def chat_rows(model: Path, count: int) -> Iterator[Run]:
    """Functions of the standard library that have a docstring: it asks, the code answers."""
    from students.batches.encode import Encoder, document
    from students.models import load_tokenizer

    chats = []
    for module in ("textwrap", "statistics", "random", "heapq", "difflib", "shutil"):
        source = Path(str(__import__(module).__file__)).read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and (about := ast.get_docstring(node)):
                code = ast.get_source_segment(source, node) or ""
                if len(about) < 600 and len(code) < 1500:
                    chats.append({"prompt": about, "completion": code})
    for (marked,) in Encoder(load_tokenizer(str(model))).encode("chat", chats[:count]):
        found = document(marked)
        yield {"ids": found.ids, "mask": found.mask}


class Comparison:
    """TRL and our engine on the same rows, in turns."""

    def __init__(self, folder: Path, model: Path, rows: Iterator[Run], task: Run, options: Run):
        self.folder, self.python = folder, environment("trl", *PEER)
        folder.mkdir(parents=True)
        (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        self.task = {"model": str(model), "rows": str(folder / "rows.jsonl"), **task}
        self.options = options

    def trl(self, **task: Any) -> Run:
        """A run of TRL, and its steps in a file for us."""
        run = fresh("sft_trl", self.task | task, self.python)
        steps = self.folder / "steps.json"
        steps.write_text(json.dumps(run["micro_batches"]))
        losses: dict[int, float] = {}
        counts: dict[int, int] = {}
        for micro in run["micro_batches"]:
            step = micro["step"]
            losses[step] = losses.get(step, 0.0) + micro["loss"]
            counts[step] = counts.get(step, 0) + sum(len(d["ids"]) for d in micro["documents"])
        seconds = run["ends"][-1] - run["ends"][0]
        timed = sum(list(counts.values())[1:])
        return {
            "rate": timed / seconds, "peak_mb": run["peak_mb"], "steps": str(steps),
            "losses": list(losses.values()), "timed": timed,
        }  # fmt: skip

    def own(self, peer: Run) -> Run:
        """A run of ours on the steps of a run of TRL."""
        task = {
            "model": self.task["model"], "lora": self.task.get("lora"), "batches": peer["steps"],
            "options": self.options,
        }  # fmt: skip
        run = fresh("sft_own", task)
        return run | {"rate": peer["timed"] / (run["ends"][-1] - run["ends"][0])}

    def turns(self, name: str, repeat: int) -> Run:
        """Both in turns, `repeat` times, and how far the losses of the first step are apart."""
        theirs: list[Run] = []
        ours: list[Run] = []
        for _ in range(repeat):
            theirs.append(self.trl(compact=True))
            ours.append(self.own(theirs[-1]))
        apart = abs(ours[0]["losses"][0] - theirs[0]["losses"][0])
        return against(name, ours, theirs) | {f"{name}_loss_to_trl": apart}


def middle(runs: list[Run], key: str) -> float:
    return round(statistics.median(run[key] for run in runs), 1)


def against(name: str, ours: list[Run], theirs: list[Run]) -> Run:
    """Speed and memory of both, and ours to theirs pair by pair."""
    pairs = list(zip(ours, theirs, strict=True))
    figures = {
        f"{name}_trl_tokens_per_s": middle(theirs, "rate"),
        f"{name}_own_tokens_per_s": middle(ours, "rate"),
        f"{name}_trl_peak_mb": middle(theirs, "peak_mb"),
        f"{name}_own_peak_mb": middle(ours, "peak_mb"),
    }
    speed = statistics.median(o["rate"] / t["rate"] for o, t in pairs)
    memory = statistics.median(o["peak_mb"] / t["peak_mb"] for o, t in pairs)
    return {f"{name}_speed": round(speed, 3), f"{name}_memory": round(memory, 3), **figures}


def sft(work: Path, repeat: int) -> Run:
    """Full weights: TRL packed, two bins of 1,024 tokens at once or one by one, and padded."""
    model = work / "llama"
    llama(model)
    shapes = {
        "packed": {"packed": True, "batch": 2, "accumulate": 1, "steps": 5},
        "packed_singly": {"packed": True, "batch": 1, "accumulate": 2, "steps": 5},
        "padded": {"packed": False, "batch": 8, "accumulate": 1, "steps": 6},
    }
    compare = Comparison(work / "sft", model, random_rows(56), {"max_length": 1024}, OPTIONS)
    theirs: dict[str, list[Run]] = {name: [] for name in shapes}
    ours: dict[str, list[Run]] = {name: [] for name in shapes}
    for _ in range(repeat):
        for name, shape in shapes.items():
            theirs[name].append(compare.trl(**shape, compact=True))
            ours[name].append(compare.own(theirs[name][-1]))
    figures: Run = {}
    for name in shapes:
        figures |= against(name, ours[name], theirs[name])
    for name in ("packed", "padded"):
        stock = compare.trl(**shapes[name] | {"steps": 3}, compact=False)
        figures[f"{name}_trl_stock_tokens_per_s"] = round(stock["rate"], 1)
        figures[f"{name}_trl_stock_peak_mb"] = round(stock["peak_mb"], 1)
    losses = zip(ours["packed"][0]["losses"], theirs["packed"][0]["losses"], strict=True)
    apart = [abs(one - other) for one, other in losses]
    figures["loss_to_trl"], figures["loss_to_trl_over_all_steps"] = apart[0], max(apart)
    figures["speed_to_trl_packed"] = min(figures["packed_speed"], figures["packed_singly_speed"])
    figures["speed_to_trl_padded"] = figures["padded_speed"]
    figures["memory_to_trl_packed"] = figures["packed_memory"]
    return figures


def cpt(work: Path, repeat: int) -> Run:
    """Texts of which every token is learned: TRL packed, one bin of 1,024 tokens at a time."""
    model = work / "texts"
    llama(model)
    task = {"max_length": 1024, "packed": True, "batch": 1, "accumulate": 2, "steps": 5}
    compare = Comparison(work / "cpt", model, random_rows(56, chats=False), task, OPTIONS)
    return compare.turns("cpt", repeat)


def lora(work: Path, repeat: int) -> Run:
    """SmolLM2 with LoRA of rank 16 on chat rows, against TRL packed with peft."""
    model = MODELS / "SmolLM2-135M-Instruct"
    if not model.exists():
        sys.exit(f"no model at {model}: run `make pretrained`, or set DISTILL_MODELS")
    task = {"max_length": 1024, "lora": 16, "packed": True, "batch": 1, "accumulate": 1, "steps": 4}
    options = {"tokens_per_micro_batch": 512}
    compare = Comparison(work / "lora", model, chat_rows(model, 24), task, options)
    figures = compare.turns("lora", repeat)
    figures["lora_speed_to_trl_packed"] = figures["lora_speed"]
    figures["lora_memory_to_trl_packed"] = figures["lora_memory"]
    return figures


def checks(work: Path, repeat: int) -> Run:
    """Exactness, the engine's overhead, long documents, lines of code."""
    model = work / "checked"
    llama(model)
    steps = work / "checked.json"
    rows = [
        {"ids": ids, "labels": [i if m else -100 for i, m in zip(ids, mask, strict=True)]}
        for ids, mask in (row.values() for row in random_rows(8))
    ]
    steps.write_text(json.dumps([{"step": 0, "documents": rows}]))
    figures = fresh(
        "sft_checks", {"check": "exactness", "model": str(model), "batches": str(steps)}
    )
    spent = [fresh("sft_checks", {"check": "overhead"}) for _ in range(repeat)]
    figures |= {name: statistics.median(run[name] for run in spent) for name in spent[0]}
    curve = {n: fresh("sft_checks", {"check": "long", "length": n}) for n in (4096, 8192, 16384)}
    for length, run in curve.items():
        figures[f"long_{length}_peak_mb"] = round(run["peak_mb"], 1)
    deep = {"check": "long", "length": 16384, "layers": 8}
    ways = {
        "kept": fresh("sft_checks", deep),
        "recomputed": fresh("sft_checks", deep | {"options": {"activations": "recompute"}}),
        "by_two_devices": fresh("sft_checks", deep, processes=2),
    }
    for how, run in ways.items():
        figures[f"deep_16384_{how}_peak_mb"] = round(run["peak_mb"], 1)
    figures["memory_16k_to_4k"] = round(curve[16384]["peak_mb"] / curve[4096]["peak_mb"], 3)
    files = [*(ROOT / "students").glob("*/*.py"), *(ROOT / "students").glob("*.py")]
    counted = ("objectives", "batches", "engine.py", "checkpoints.py")
    figures["lines"] = sum(
        len(file.read_text().splitlines())
        for file in files
        if file.name in counted or file.parent.name in counted
    )
    return figures


PARTS = {"sft": sft, "cpt": cpt, "lora": lora, "checks": checks}
ROWS = (
    ("SFT, TRL packed", "packed"),
    ("SFT, TRL packed, one bin at once", "packed_singly"),
    ("SFT, TRL padded", "padded"),
    ("CPT, TRL packed, one bin at once", "cpt"),
    ("LoRA on SmolLM2, TRL packed", "lora"),
)


def table(figures: Run) -> str:
    """Speed and memory as a table for the documentation."""
    lines = [
        "| peer | tokens/s: TRL | ours | ratio | peak MB: TRL | ours | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for title, name in ROWS:
        cells = [
            figures[f"{name}_{what}"]
            for what in (
                "trl_tokens_per_s", "own_tokens_per_s", "speed", "trl_peak_mb", "own_peak_mb",
                "memory",
            )
        ]  # fmt: skip
        lines.append(f"| {title} | " + " | ".join(f"{cell:.4g}" for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="SFT against TRL 1.16.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    figures: Run = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in args.only.split(","):
            found = PARTS[part](Path(folder), args.repeat)
            figures |= found
            for name, value in found.items():
                print(f"{name:38} {value:.4g}", flush=True)
    checked = {name: bar for name, bar in BARS.items() if name in figures}
    bars = {
        f"{name} {sign} {limit}": figures[name] >= limit if sign == ">=" else figures[name] <= limit
        for name, (sign, limit) in checked.items()
    }
    for bar, held in bars.items():
        print(f"{'holds' if held else 'MISSED'}  {bar}")
    if args.docs:
        write("students-sft", table(figures), ["docs/training.md"])
    if args.json:
        holds = all(bars.values())
        summary = {"benchmark": "students_sft", "figures": figures, "bars": bars, "holds": holds}
        print(json.dumps(summary))
    sys.exit(not all(bars.values()))


if __name__ == "__main__":
    main()
