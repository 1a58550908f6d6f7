"""One GRPO step of the real TRL with a verifier as its reward; run by TRL's own environment.

python tests/verifiers/trl_step.py FOLDER
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import trl  # noqa: E402
from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM  # noqa: E402

from verifiers.reward_function import RewardFunction  # noqa: E402

TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


def main(folder: str) -> None:
    """Train a random model on digits for a step; print what the reward function was told."""
    words = {token: n for n, token in enumerate(["<pad>", "<eos>", *"0123456789?"])}
    plain = Tokenizer(models.WordLevel(words, unk_token="?"))
    plain.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )
    tokenizer.chat_template = TEMPLATE
    shape = Qwen2Config(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    rows = [{"prompt": [{"role": "user", "content": f"{n}?"}], "answer": str(n)} for n in range(8)]
    reward = RewardFunction("exact", workers=1)
    calls = []

    def told(prompts, completions, **columns):
        found = reward(prompts, completions, **columns)
        calls.append((prompts, completions, columns["answer"], found))
        return found

    told.__name__ = reward.__name__
    arguments = trl.GRPOConfig(
        output_dir=folder, max_steps=1, per_device_train_batch_size=8, num_generations=4,
        max_completion_length=1, use_cpu=True, report_to=[], logging_steps=1, seed=0, bf16=False,
    )  # fmt: skip
    trainer = trl.GRPOTrainer(
        Qwen2ForCausalLM(shape), reward_funcs=[told], args=arguments,
        train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
    )  # fmt: skip
    trainer.train()
    prompts, completions, answers, found = calls[0]
    again = reward(prompts, completions, answer=answers)
    reward.close()
    logged = next(entry for entry in trainer.state.log_history if "reward" in entry)
    said = {"trl": trl.__version__, "calls": len(calls), "rewards": found, "again": again}
    print(json.dumps(said | {"logged": logged}))


if __name__ == "__main__":
    main(sys.argv[1])
