"""One reward-model run of TRL, for students_reward.py: in the peer's environment, prints JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, ClassVar

import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardConfig, RewardTrainer

from benchmarks.process import forget_peak, memory
from benchmarks.sft_trl import Watch


class Trainer(RewardTrainer):
    """Notes the loss and the documents of each step."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        ends = inputs["attention_mask"].sum(1).tolist()
        ids = [row[:end].tolist() for row, end in zip(inputs["input_ids"], ends, strict=True)]
        slots = inputs["input_ids"].numel()
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        self.seen.append({"loss": loss.item(), "documents": ids, "slots": slots})
        return loss


def main(task: dict[str, Any]) -> dict[str, Any]:
    rows = [json.loads(line) for line in Path(task["rows"]).read_text().splitlines()]
    data = Dataset.from_dict(
        {f"{side}_ids": [row[side] for row in rows] for side in ("chosen", "rejected")}
    )
    tokenizer = AutoTokenizer.from_pretrained(task["model"])
    model = AutoModelForSequenceClassification.from_pretrained(task["model"], dtype=torch.float32)
    sum(float(p.detach().sum()) for p in model.parameters())  # reads what is only mapped
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        config = RewardConfig(
            folder, max_length=1024, max_steps=task["steps"],
            per_device_train_batch_size=task["batch"], gradient_checkpointing=False,
            bf16=False, use_cpu=True, learning_rate=1e-4, lr_scheduler_type="constant",
            max_grad_norm=1.0, adam_beta2=0.98, optim="adamw_torch_fused",
            train_sampling_strategy="sequential", logging_steps=1, save_strategy="no",
            report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
            disable_dropout=True, center_rewards_coefficient=task["centering"],
        )  # fmt: skip
        trainer = Trainer(
            model, config, train_dataset=data, processing_class=tokenizer, callbacks=[watch]
        )
        base = forget_peak()
        trainer.train()
    peak = memory("VmHWM") - base
    return {"ends": watch.ends, "peak_mb": peak, "steps": trainer.seen}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(json.loads(sys.argv[1]))))
