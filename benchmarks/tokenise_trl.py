"""TRL's tokenisation of chat rows, for tokenise.py: runs in the peer's environment, prints JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from datasets import Dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer


class Trainer(SFTTrainer):
    """Notes how long its rows took to prepare."""

    seconds: ClassVar[float] = 0.0

    def _prepare_dataset(self, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        made = super()._prepare_dataset(*args, **kwargs)
        Trainer.seconds = time.perf_counter() - start
        return made


def main(task: dict[str, Any]) -> dict[str, Any]:
    rows = [json.loads(line) for line in Path(task["rows"]).read_text().splitlines()]
    chats = [
        {side: [{"role": role, "content": row[side]}] for side, role in task["roles"].items()}
        for row in rows
    ]
    tokenizer = AutoTokenizer.from_pretrained(task["model"])
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), intermediate_size=32, **shape))
    with tempfile.TemporaryDirectory() as folder:
        args = SFTConfig(
            folder, dataset_num_proc=task["processes"], max_length=None, use_cpu=True,
            report_to=[], disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(
            model, args, train_dataset=Dataset.from_list(chats), processing_class=tokenizer
        )
    tokens = sum(map(len, trainer.train_dataset["input_ids"]))
    return {"seconds": Trainer.seconds, "tokens": tokens}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
