"""A plug-in package in an environment without torch: installed, listed, tested, used."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "plugins" / "roman"
HEAVY = ("torch", "transformers", "peft", "accelerate", "nvidia", "triton", "safetensors", "vllm")
ROWS = [
    {"id": 1, "answer": "1994", "completion": "That makes MCMXCIV."},
    {"id": 2, "answer": "4", "completion": "IIII"},
    {"id": 3, "answer": "four", "completion": "IV"},
]
DISTILL = ("-c", "from pipelines.cli import main; main()")
FORBIDDEN = ("torch", "transformers", "openai", "aiohttp", "datasets", "numpy", "sympy", "pyarrow")


def base_install(folder):
    """A fresh environment with what the base install has here, and nothing of the extras.

    The packages are links, so that it takes a second and needs no network.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    told = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip())
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        extra = path.name.lower().startswith((*HEAVY, "_", "distutils"))
        link = site / path.name
        if not (extra or path.name.endswith((".pth", ".egg-link")) or link.exists()):
            link.symlink_to(path)
    (site / "distill_here.pth").write_text(f"{ROOT}\n")
    return python


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return base_install(tmp_path_factory.mktemp("base") / "venv")


def run(python, *arguments, check=0):
    command = [python, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd="/", env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == check, done.stdout + done.stderr
    return done.stdout


def test_verifiers_alone_import_in_well_under_a_second_and_bring_nothing_heavy(python):
    code = (
        "import sys, time; start = time.perf_counter(); import verifiers, verifiers.pool; "
        "print(time.perf_counter() - start); print([n for n in sys.modules if n in %r])"
    )
    seconds, loaded = zip(
        *(run(python, "-c", code % (FORBIDDEN,)).splitlines() for _ in range(3)), strict=True
    )
    assert set(loaded) == {"[]"}
    assert min(map(float, seconds)) < 0.8


@pytest.mark.slow
def test_a_plugin_package_is_installed_and_used_where_there_is_no_torch(python, tmp_path):
    run(python, "-c", "import torch", check=1)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", PLUGIN)
    listed = {
        row["name"]: row for row in json.loads(run(python, *DISTILL, "verifiers", "list", "--json"))
    }
    assert listed["roman"]["version"] == "1"
    for name in ("roman", "spread"):
        said = run(python, *DISTILL, "verifiers", "test", name)
        assert "all" in said.splitlines()[-1]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    command = ["verify", tmp_path / "in.jsonl", "--verifier", "roman", "--explain"]
    said = run(python, *DISTILL, *command, "--output", tmp_path / "out.jsonl")
    assert "where   That makes >>>MCMXCIV<<<." in said
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["status"] for row in found] == ["correct", "wrong", "undecided"]
    assert found[2]["detail"] == "it is no number from 1 to 3999"
