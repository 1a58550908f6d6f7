"""The small recipe that the tests of this folder run."""

from __future__ import annotations

TINY = """\
name: tiny
seed: 3
teacher:
  backend: local
  model: embedded
  batch: 40
  sampling: {temperature: 1.0, max_tokens: 64}
questions:
  - {from: reasoning_gym, dataset: chain_sum, n: 150, prompt: "{metadata[expression]}=?",
     options: {min_terms: 3, max_terms: 9, min_digits: 1, max_digits: 2}}
chains: {samples: 3}
student:
  scratch: {hidden_size: 64, layers: 2, heads: 2, intermediate_size: 128, context: 128}
stages:
  - sft: {epochs: 20, max_steps: 60, tokens_per_step: 1000, checkpoint_every: 10, max_length: 128}
evaluate:
  heldout: {n: 30}
  samples: 2
  max_tokens: 32
"""

LIFE = """\
name: life
seed: 3
teacher:
  backend: local
  model: embedded
  batch: 40
  sampling: {temperature: 1.3, max_tokens: 48}
questions:
  - {from: reasoning_gym, dataset: chain_sum, n: 240, prompt: "{metadata[expression]}=?",
     options: {min_terms: 2, max_terms: 3, min_digits: 1, max_digits: 1}}
  - {from: evolve, n: 40, prompt: "Write a harder problem: {prompt}",
     sampling: {temperature: 1.0, max_tokens: 48}}
chains: {samples: 6}
student:
  scratch: {hidden_size: 64, layers: 2, heads: 2, intermediate_size: 128, context: 128}
stages:
  - cpt: {data: questions, max_steps: 10, tokens_per_step: 1000, checkpoint_every: 4}
  - sft: {epochs: 40, max_steps: 160, tokens_per_step: 3000, checkpoint_every: 40,
          learning_rate: 3.0e-3}
  - dpo: {max_steps: 6, tokens_per_step: 1000, checkpoint_every: 2}
  - grpo: {rounds: 3, prompts: 8, group_size: 8, passes: 2, minibatches: 2, max_tokens: 32,
           refill: 3, kl: 0.01, efficiency: 0.2, checkpoint_every: 3, learning_rate: 1.0e-4}
evaluate: {heldout: {n: 30}, samples: 2, max_tokens: 32}
"""
"""All stages of the life cycle; the student solves a few of a hundred by the time RL begins."""
