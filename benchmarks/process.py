"""Measurements in processes of their own: environments of peers, JSON in and out, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def environment(name: str, *installs: str) -> Path:
    """The Python of `.peers/NAME`, built with one `pip install` for each of `installs`.

    Versions that the project pins in constraints.txt are taken as pinned.
    """
    folder = ROOT / ".peers" / name
    python, mark = folder / "bin" / "python", folder / "installed"
    if not mark.exists() or mark.read_text() != "\n".join(installs):
        venv.create(folder, with_pip=True, clear=True)
        for packages in installs:
            pip = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
            subprocess.run([*pip, *packages.split()], check=True)
        mark.write_text("\n".join(installs))
    return python


def fresh(
    module: str, task: dict[str, Any], python: Path | str = sys.executable, processes: int = 1
) -> dict[str, Any]:
    """What a module of this folder prints as its last line when it is given `task` as JSON."""
    several = (
        *("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"),
        *("--nproc-per-node", str(processes)),
    )
    settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [
            str(python), *(several if processes > 1 else ()), "-m", f"benchmarks.{module}",
            json.dumps(task),
        ],
        env=os.environ | settings, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{module} {json.dumps(task)} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def memory(key: str) -> float:
    """A figure of this process's memory in MB: `VmRSS` is now, `VmHWM` the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


def forget_peak() -> float:
    """Start the peak anew; the memory in MB that is in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")
