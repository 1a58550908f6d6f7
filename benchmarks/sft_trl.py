"""One SFT run of TRL, for students_sft.py: runs in the peer's environment, prints JSON.

`compact` scores only the learned tokens in the fused head, as TRL does on CUDA; elsewhere it scores
every position.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import torch
import trl.trainer.utils
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from benchmarks.process import forget_peak, memory


class Watch(TrainerCallback):
    """When each optimizer step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.ends.append(time.perf_counter())


class Trainer(SFTTrainer):
    """Notes the loss and the documents of each micro-batch."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        documents = _documents(inputs)
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        step = self.state.global_step
        self.seen.append({"step": step, "loss": loss.item(), "documents": documents})
        return loss


def _documents(inputs: Any) -> list[dict[str, list[int]]]:
    """Ids and labels of the documents of a batch, without padding."""
    ids, labels = inputs["input_ids"], inputs["labels"]
    if "attention_mask" in inputs:
        ends = inputs["attention_mask"].sum(1).tolist()
        spans = [(row, 0, end) for row, end in enumerate(ends)]
    else:
        starts = [*(inputs["position_ids"][0] == 0).nonzero().flatten().tolist(), ids.shape[1]]
        spans = [(0, a, b) for a, b in itertools.pairwise(starts)]
    return [
        {"ids": ids[row, a:b].tolist(), "labels": labels[row, a:b].tolist()} for row, a, b in spans
    ]


def main(task: dict[str, Any]) -> dict[str, Any]:
    if task["compact"]:
        trl.trainer.utils._use_triton = lambda device: True
    rows = [json.loads(line) for line in Path(task["rows"]).read_text().splitlines()]
    labels = [
        [i if m else -100 for i, m in zip(row["ids"], row["mask"], strict=True)] for row in rows
    ]
    data = Dataset.from_dict({"input_ids": [row["ids"] for row in rows], "labels": labels})
    tokenizer = AutoTokenizer.from_pretrained(task["model"])
    model = AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32)
    sum(float(p.detach().sum()) for p in model.parameters())  # reads what is only mapped
    lora = None
    if task.get("lora"):
        from peft import LoraConfig

        lora = LoraConfig(
            r=task["lora"], lora_alpha=2 * task["lora"], target_modules="all-linear",
            task_type="CAUSAL_LM",
        )  # fmt: skip
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            folder, packing=task["packed"], max_length=task["max_length"], max_steps=task["steps"],
            per_device_train_batch_size=task["batch"],
            gradient_accumulation_steps=task["accumulate"], gradient_checkpointing=False,
            bf16=False, use_cpu=True, learning_rate=1e-4, lr_scheduler_type="constant",
            max_grad_norm=1.0, adam_beta2=0.98, optim="adamw_torch_fused",
            train_sampling_strategy="sequential", logging_steps=1, save_strategy="no",
            report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(
            model, config, train_dataset=data, processing_class=tokenizer, callbacks=[watch],
            peft_config=lora,
        )  # fmt: skip
        base = forget_peak()
        trainer.train()
    peak = memory("VmHWM") - base
    return {"ends": watch.ends, "peak_mb": peak, "micro_batches": trainer.seen}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(json.loads(sys.argv[1]))))
