"""Tokenisation of chat rows against TRL 1.16: same rows, same tokenizer, one run; medians of three.

    python benchmarks/tokenise.py [--json] [--rows 3000]

TRL lives in `.peers/trl`, which this builds; it prepares the rows with one process and with two,
and its better figure counts. Ours runs in one process (its tokenizer has threads) and in two. Then
the same rows again, from the cache; and the growth of memory with eight times the rows. Rows are
pieces of the standard library's source: 300 characters ask, 1,500 answer.
Needs models/SmolLM2-135M-Instruct (`make pretrained`, or DISTILL_MODELS), of which it reads the
tokenizer.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.process import environment, fresh  # noqa: E402

MODEL = Path(os.environ.get("DISTILL_MODELS", ROOT / "models")) / "SmolLM2-135M-Instruct"
PEER = ("torch==2.13.0", "trl==1.16.0 peft")
BARS = {"speed_to_trl": (">=", 1.5), "again_to_first": ("<=", 0.1), "bytes_a_row": ("<=", 500.0)}
ROLES = {"prompt": "user", "completion": "assistant"}


def write_rows(file: Path, count: int) -> None:
    """`count` rows of real text, each another."""
    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in sources)
    generator = random.Random(0)
    with file.open("w") as stream:
        for _ in range(count):
            at = generator.randrange(len(text) - 1800)
            row = {"prompt": text[at : at + 300], "completion": text[at + 300 : at + 1800]}
            stream.write(json.dumps(row) + "\n")


def measured(rows: int, folder: Path) -> dict[str, float]:
    """Figures of one round."""
    peer = environment("trl", *PEER)
    few, many = folder / "few.jsonl", folder / "many.jsonl"
    write_rows(few, rows)
    write_rows(many, 8 * rows)
    task: dict[str, Any] = {"model": str(MODEL), "rows": str(few), "roles": ROLES}
    trl = {n: fresh("tokenise_trl", task | {"processes": n}, peer) for n in (None, 2)}
    own = {
        n: fresh("tokenise_own", task | {"processes": n, "cache": str(folder / str(n))})
        for n in (0, 2)
    }
    again = fresh("tokenise_own", task | {"processes": 0, "cache": str(folder / "0")})
    large = task | {"processes": 0, "cache": str(folder / "large"), "rows": str(many)}
    grown = fresh("tokenise_own", large)["peak_mb"] - own[0]["peak_mb"]
    best_trl = min(run["seconds"] for run in trl.values())
    best = min(run["seconds"] for run in own.values())
    return {
        "trl_rows_s": rows / trl[None]["seconds"],
        "trl_2_processes_rows_s": rows / trl[2]["seconds"],
        "rows_s": rows / own[0]["seconds"],
        "2_processes_rows_s": rows / own[2]["seconds"],
        "speed_to_trl": best_trl / best,
        "again_to_first": again["seconds"] / own[0]["seconds"],
        "bytes_a_row": grown * 2**20 / (7 * rows),
        "tokens_a_row": own[0]["tokens"] / rows,
    }


def main() -> int:
    """The command line; 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(measured(options.rows, Path(folder)))
    figures = {key: round(statistics.median(r[key] for r in rounds), 3) for key in rounds[0]}
    for name, value in figures.items():
        print(f"{name:24} {value:>12,.3f}")
    holds = all(
        figures[name] >= bar if how == ">=" else figures[name] <= bar
        for name, (how, bar) in BARS.items()
    )
    if options.json:
        bars = {name: f"{how} {bar}" for name, (how, bar) in BARS.items()}
        line = {"benchmark": "tokenise", "figures": figures, "bars": bars, "holds": holds}
        print(json.dumps(line))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
