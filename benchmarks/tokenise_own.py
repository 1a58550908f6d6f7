"""Our tokenisation of chat rows, for tokenise.py: prints JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.process import forget_peak, memory
from generators.rows import read
from students.batches import tokenise
from students.batches.units import units
from students.models import load_tokenizer
from students.sources import FileSource


class Rows:
    """The rows of a file, read anew each time."""

    def __init__(self, path: Path):
        self.path = path

    def __iter__(self) -> Any:
        return read(self.path)


def main(task: dict[str, Any]) -> dict[str, Any]:
    if task["processes"]:
        tokenise.PAYS = 0
    tokenizer, rows = load_tokenizer(task["model"]), Rows(Path(task["rows"]))
    before = forget_peak()
    start = time.perf_counter()
    tokens = tokenise.tokenised("chat", rows, tokenizer, Path(task["cache"]))
    seconds = time.perf_counter() - start
    found, _ = units(tokens, 1, 1 << 20, "refuse")
    FileSource(found, 8192, seed=0).steps(1)
    return {"seconds": seconds, "tokens": len(tokens.ids), "peak_mb": memory("VmHWM") - before}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
