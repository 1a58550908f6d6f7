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
