"""The local decoder: a transformers model in this process as a `Sampler`.

A prompt is prefilled once for all its samples, finished rows leave the batch, and every row draws
from a random generator of its own, keyed by its request, so that what a row says does not depend
on when it is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from students import models
from students.batches.attention import Segments, check
from students.batches.encode import encode_prompts
from students.identity import identity as identity_of
from students.precision import computing
from verifiers.records import Completion, Usage
from verifiers.sampler import Request

ALIVE = 0.8
MAX_TOKENS = 256
GROWTH = 64


class Prefill(Segments):
    """Attention over packed prompts that keeps their keys and values, layer by layer."""

    def __init__(self, lengths: list[int], device: torch.device | str):
        super().__init__(lengths, device)
        self.kept: list[tuple[Tensor, Tensor]] = []

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """As `Segments`, and keep key and value [K, T, D]."""
        self.kept.append((key[0], value[0]))
        return super().attend(layer, query, key, value, scale)


class Cache:
    """Keys and values of running rows, each row left-aligned with a length of its own.

    Args:
        prefill: the packed prompts after their forward pass.
        lengths: tokens of each prompt.
        owner: which prompt each row continues [B].
    """

    def __init__(self, prefill: Prefill, lengths: list[int], owner: Tensor):
        sizes = torch.tensor(lengths, device=owner.device)
        starts = F.pad(sizes.cumsum(0), (1, 0))[:-1]
        offset = torch.arange(max(lengths), device=owner.device)
        gather = (starts[:, None] + offset).clamp(max=prefill.total - 1)[owner]
        self.lengths = sizes[owner]
        self.capacity = max(lengths) + GROWTH
        self.layers: list[tuple[Tensor, Tensor]] = []
        while prefill.kept:
            key, value = prefill.kept.pop(0)
            self.layers.append((self._spread(key, gather), self._spread(value, gather)))

    def _spread(self, packed: Tensor, gather: Tensor) -> Tensor:
        heads, _, size = packed.shape
        rows, width = gather.shape
        out = packed.new_zeros(rows, heads, self.capacity, size)
        out[:, :, :width] = (
            packed[:, gather.flatten()].view(heads, rows, width, size).transpose(0, 1)
        )
        return out

    def step(self) -> None:
        """Make ready for one more token in every row."""
        self.width = int(self.lengths.max()) + 1
        if self.width > self.capacity:
            more = max(GROWTH, self.capacity // 2)
            self._replace(lambda kept: F.pad(kept, (0, 0, 0, more)))
            self.capacity += more
        self.rows = torch.arange(len(self.lengths), device=self.lengths.device)
        offset = torch.arange(self.width, device=self.lengths.device)
        self.visible = (offset <= self.lengths[:, None])[:, None, None]
        self.place = self.lengths
        self.lengths = self.lengths + 1

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """One new token a row: query [B, H, 1, D] -> [B, 1, H, D]."""
        keys, values = self.layers[layer]
        keys[self.rows, :, self.place] = key[:, :, 0]
        values[self.rows, :, self.place] = value[:, :, 0]
        rows, heads, _, size = query.shape
        grouped = query.view(rows, keys.shape[1], -1, size)
        out = F.scaled_dot_product_attention(
            grouped,
            keys[:, :, : self.width],
            values[:, :, : self.width],
            attn_mask=self.visible,
            scale=scale,
        )
        return out.reshape(rows, 1, heads, -1)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return self.width

    def keep(self, alive: Tensor) -> None:
        """Drop the rows that are not in `alive` (indices)."""
        self.lengths = self.lengths[alive]
        self._replace(lambda kept: kept[alive])

    def _replace(self, change: Callable[[Tensor], Tensor]) -> None:
        """Change keys and values layer by layer, so that one layer at most is held twice."""
        for number, (keys, values) in enumerate(self.layers):
            self.layers[number] = (change(keys), change(values))


class LocalSampler:
    """A `Sampler` over a transformers model in this process; goes on from a request's prefix.

    Args:
        model: loaded or built by `students.models`.
        identity: what names the model in request keys; by content for a folder.
        batch: requests decoded together; part of what a deterministic run must keep.
        tokens: also return token ids and their log-probs at temperature 1.
    """

    continues = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        identity: str,
        batch: int = 256,
        tokens: bool = False,
    ):
        check(model)
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.identity = identity
        self.batch = batch
        self.tokens = tokens
        self.device = next(model.parameters()).device
        ends = model.generation_config.eos_token_id
        self.ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}

    @classmethod
    def of_folder(cls, folder: Any, batch: int = 256, dtype: str = "auto") -> LocalSampler:
        """The sampler of a saved model; its identity is the folder's content."""
        model, tokenizer = models.load(folder, dtype)
        return cls(model.to(models.device()), tokenizer, identity_of(folder), batch)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Without dropout, and afterwards as it was."""
        training = self.model.training
        self.model.eval()
        yield
        self.model.train(training)

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions batch by batch, in request order within a batch."""
        waiting = iter(requests)
        while chunk := list(islice(waiting, self.batch)):
            for completion in await asyncio.to_thread(self.draw, chunk):
                yield completion

    @torch.inference_mode()
    def draw(self, requests: list[Request]) -> list[Completion]:
        """Completions of one batch, in request order."""
        prompts: dict[str, int] = {}
        asked, owner = [], []
        for request in requests:
            key = repr((request.messages, request.prefix))
            if key not in prompts:
                prompts[key] = len(prompts)
                asked.append(request)
            owner.append(prompts[key])
        ids = encode_prompts(self.tokenizer, [request.messages for request in asked])
        begun = self.tokenizer([r.prefix for r in asked], add_special_tokens=False)["input_ids"]
        ids = [prompt + prefix for prompt, prefix in zip(ids, begun, strict=True)]
        keys = [request.key(self.identity) for request in requests]
        with computing(self.model):
            rows = _Rows(self, ids, owner, requests, keys).write()
        written = [begun[o] + tokens for o, (tokens, _, _) in zip(owner, rows, strict=True)]
        texts = self.tokenizer.batch_decode(written, skip_special_tokens=True)
        return [
            Completion(
                problem_id=request.problem_id,
                index=request.index,
                text=text,
                finish_reason="stop" if ended else "length",
                usage=Usage(prompt_tokens=len(ids[o]), completion_tokens=len(tokens)),
                token_ids=tokens if self.tokens else None,
                logprobs=scores if self.tokens else None,
                teacher={"identity": self.identity},
                sampling=request.sampling,
                request_key=key,
            )
            for request, key, o, text, (tokens, scores, ended) in zip(
                requests, keys, owner, texts, rows, strict=True
            )
        ]


class _Rows:
    """Rows that are written together, one token a step.

    Args:
        sampler: whose model writes.
        prompts: token ids of each distinct prompt.
        owner: which prompt each row answers.
        requests: what each row is asked for.
        keys: the request key of each row, from which its random numbers come.
    """

    def __init__(
        self,
        sampler: LocalSampler,
        prompts: list[list[int]],
        owner: list[int],
        requests: list[Request],
        keys: list[str],
    ):
        device, rows = sampler.device, len(requests)
        self.decoder = sampler.model.get_decoder()
        self.head = sampler.model.get_output_embeddings()
        context = sampler.model.config.max_position_embeddings
        limits = [
            max(1, min(int(r.sampling.get("max_tokens", MAX_TOKENS)), context - len(prompts[o])))
            for r, o in zip(requests, owner, strict=True)
        ]
        self.room = max(limits)
        self.limit = torch.tensor(limits, device=device)
        self.ends = torch.tensor(sorted(sampler.ends), device=device)
        self.shaping = Shaping(requests, device)
        uniforms = np.stack([_uniforms(key, self.room) for key in keys])
        self.uniforms = torch.from_numpy(uniforms).to(device)
        self.tokens = torch.zeros(rows, self.room, dtype=torch.long, device=device)
        self.scores = torch.zeros(rows, self.room, device=device)
        self.count = torch.zeros(rows, dtype=torch.long, device=device)
        self.ended = torch.zeros(rows, dtype=torch.bool, device=device)
        self.running = torch.arange(rows, device=device)
        self._prefill(prompts, torch.tensor(owner, device=device))

    def _prefill(self, prompts: list[list[int]], owner: Tensor) -> None:
        """Read every prompt once; each row continues from its prompt's cache."""
        lengths = [len(prompt) for prompt in prompts]
        prefill = Prefill(lengths, owner.device)
        hidden = self.decoder(
            input_ids=torch.tensor([i for p in prompts for i in p], device=owner.device)[None],
            position_ids=torch.cat([torch.arange(n) for n in lengths]).to(owner.device)[None],
            context=prefill,
            use_cache=False,
        ).last_hidden_state[0]
        last = torch.tensor(lengths, device=owner.device).cumsum(0) - 1
        self.logits = self.head(hidden[last])[owner].float()
        self.cache = Cache(prefill, lengths, owner)

    def write(self) -> list[tuple[list[int], list[float], bool]]:
        """(token ids, log-probs, whether it ended by itself) of each row."""
        for step in range(self.room):
            chosen, going = self._pick(step)
            left = int(going.sum())
            if not left:
                break
            if left < ALIVE * len(going):
                keep = going.nonzero().squeeze(1)
                self.running, chosen = self.running[keep], chosen[keep]
                self.cache.keep(keep)
            self.cache.step()
            hidden = self.decoder(
                input_ids=chosen[:, None],
                position_ids=self.cache.place[:, None],
                context=self.cache,
                use_cache=False,
            ).last_hidden_state[:, 0]
            self.logits = self.head(hidden).float()
        rows = zip(self.tokens.tolist(), self.scores.tolist(), self.count.tolist(), strict=True)
        ended = self.ended.tolist()
        return [(t[:n], s[:n], e) for (t, s, n), e in zip(rows, ended, strict=True)]

    def _pick(self, step: int) -> tuple[Tensor, Tensor]:
        """The next token of each running row, and which rows go on after it."""
        rows = self.running
        chosen, score = self.shaping.pick(self.logits, self.uniforms[rows, step], rows)
        self.tokens[rows, step], self.scores[rows, step] = chosen, score
        fresh = ~self.ended[rows] & (self.count[rows] < self.limit[rows])
        self.count[rows] += fresh.long()
        self.ended[rows] |= fresh & torch.isin(chosen, self.ends)
        return chosen, ~self.ended[rows] & (self.count[rows] < self.limit[rows])


class Shaping:
    """Temperature, top-p and top-k of each row."""

    def __init__(self, requests: list[Request], device: torch.device):
        def column(name: str, default: float) -> Tensor:
            values = [float(r.sampling.get(name, default)) for r in requests]
            return torch.tensor(values, device=device)

        self.temperature = column("temperature", 1.0)
        self.top_p = column("top_p", 1.0)
        self.top_k = column("top_k", 0).long()
        self.trims = bool((self.top_p < 1).any() or (self.top_k > 0).any())

    def pick(self, logits: Tensor, uniform: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Token ids [B] drawn by inverse transform, and their log-probs at temperature 1."""
        logp = logits.log_softmax(-1)
        temperature = self.temperature[rows]
        greedy = temperature == 0
        shaped = (logits / temperature.clamp(min=1e-6)[:, None]).softmax(-1)
        if self.trims:
            shaped = self._trim(shaped, rows)
        mass = shaped.cumsum(-1)
        drawn = torch.searchsorted(mass, (uniform * mass[:, -1])[:, None], right=True).squeeze(1)
        chosen = torch.where(greedy, logits.argmax(-1), drawn.clamp(max=logits.shape[-1] - 1))
        return chosen, logp.gather(1, chosen[:, None]).squeeze(1)

    def _trim(self, probs: Tensor, rows: Tensor) -> Tensor:
        """Zero all but the smallest set of tokens that holds top_p, and all but the top_k."""
        ordered, index = probs.sort(-1, descending=True)
        drop = (ordered.cumsum(-1) - ordered) >= self.top_p[rows][:, None]
        rank = torch.arange(probs.shape[-1], device=probs.device)
        top_k = self.top_k[rows][:, None]
        drop |= (top_k > 0) & (rank >= top_k)
        return torch.zeros_like(probs).scatter(1, index, ordered.masked_fill(drop, 0.0))


def _uniforms(key: str, count: int) -> np.ndarray:
    """`count` numbers in [0, 1) that belong to a request."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=seed)).random(count, dtype=np.float32)
