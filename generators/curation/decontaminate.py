"""Decontamination: is a training prompt a copy of a held-out one?

The laws, in this order; their names are the reasons of the rejects:

same_prompt      equal but for case, blanks and punctuation
same_expression  both are arithmetic in fewer than 2 `n` words, with the same numbers and operators
template         prose that is equal but for its numbers
overlap          prose that holds most of the held-out words in their order, numbers masked

The last two are blind to numbers, so they hold for prose of at least `n` words only, and a prompt
whose content is in its symbols must have the same numbers and operators besides. They do not hold
for a held-out prompt that is mostly the frame of a task (see frames): where `family` prompts share
its wording, other words or numbers in it make another problem.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain
from pathlib import Path

from generators.curation.config import Against, DecontaminateConfig
from generators.curation.frames import Frames
from generators.curation.text import Prompt, Trigram, said, tokens
from generators.errors import SourceError
from generators.rows import Column, read
from verifiers.records import Problem

COLUMNS = ("prompt", "question", "problem", "text")


class HeldOut:
    """Held-out prompts, ready to be asked whether another prompt is a copy of one."""

    def __init__(
        self,
        prompts: Iterable[tuple[str, str]],
        config: DecontaminateConfig,
        training: Sequence[str] = (),
    ):
        """`prompts` are (name, text); the name is shown where a prompt matches. `training` are
        the texts that will be asked about: what they all share is no sign of a copy."""
        held = list(prompts)
        self._n = config.n
        self._overlap = config.overlap
        self._names = [name for name, _ in held]
        self._prompts = [Prompt(text) for _, text in held]
        self._whole: dict[str, int] = {}
        self._expressions: dict[str, int] = {}
        for index, prompt in enumerate(self._prompts):
            self._whole.setdefault(prompt.whole, index)
            if self._calculates(prompt):
                self._expressions.setdefault(prompt.exact, index)
        self._begin: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for index, prompt in enumerate(self._prompts):
            words = prompt.whole.split(" ")
            if len(words) >= self._n:
                self._begin[tuple(words[: self._n])].append(index)
        self._first = {words[0] for words in self._begin}
        self._trigrams: dict[int, set[Trigram]] = {}
        self._common: dict[int, int] = {}  # how many of a prompt's trigrams are frame
        self._rare: dict[Trigram, list[int]] = defaultdict(list)
        if config.overlap is not None:
            self._collect(Frames([*(text for _, text in held), *training], config.family))

    def _collect(self, frames: Frames) -> None:
        for index, prompt in enumerate(self._prompts):
            trigrams = prompt.trigrams()
            if prompt.prose >= self._n and not frames.dominate(trigrams):
                rare = [trigram for trigram in trigrams if trigram not in frames]
                self._trigrams[index] = trigrams
                self._common[index] = len(trigrams) - len(rare)
                for trigram in rare:
                    self._rare[trigram].append(index)

    def match(self, text: str) -> tuple[str, str] | None:
        """(law, what it matches) where `text` is a copy of a held-out prompt."""
        prompt = Prompt(text)
        if not prompt.whole:
            return None
        if prompt.whole in self._whole:
            return "same_prompt", f"held-out {self._names[self._whole[prompt.whole]]}"
        if self._calculates(prompt) and prompt.exact in self._expressions:
            return "same_expression", f"held-out {self._names[self._expressions[prompt.exact]]}"
        if self._overlap is None or prompt.prose < self._n:
            return None
        for index in self._candidates(prompt, self._overlap):
            other = self._prompts[index]
            share = aligned(prompt.masked, other.masked)
            if share >= self._overlap:
                law = "template" if prompt.masked == other.masked else "overlap"
                return law, f"{share:.0%} of the words of held-out {self._names[index]}"
        return None

    def inside(self, text: str) -> tuple[str, str] | None:
        """(law, what it matches) where a held-out prompt of at least `n` words stands in `text`."""
        words = tokens(text)
        for place, word in enumerate(words):
            if word in self._first:
                for index in self._begin.get(tuple(words[place : place + self._n]), ()):
                    prompt = self._prompts[index].whole.split(" ")
                    if words[place : place + len(prompt)] == prompt:
                        return "same_prompt", f"holds held-out {self._names[index]}"
        return None

    def _candidates(self, prompt: Prompt, overlap: float) -> Iterator[int]:
        """Held-out prompts that share enough trigrams, by their number.

        A changed word spoils three trigrams, so a copy keeps 1 - 3 (1 - overlap) of them.
        """
        trigrams = prompt.trigrams()
        rare = (self._rare[trigram] for trigram in trigrams if trigram in self._rare)
        for index, count in sorted(Counter(chain.from_iterable(rare)).items()):
            theirs = self._trigrams[index]
            least = (1 - 3 * (1 - overlap)) * len(theirs)
            if (
                count + self._common[index] >= least
                and len(trigrams & theirs) >= least
                and self._comparable(prompt, self._prompts[index])
            ):
                yield index

    def _calculates(self, prompt: Prompt) -> bool:
        return prompt.arithmetic and prompt.prose < 2 * self._n

    @staticmethod
    def _comparable(prompt: Prompt, other: Prompt) -> bool:
        return prompt.exact == other.exact or not (prompt.symbolic or other.symbolic)


def aligned(words: Sequence[str], other: Sequence[str]) -> float:
    """Share of `other` that stands in `words` in the same order."""
    blocks = SequenceMatcher(None, words, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(other)


def held_prompts(
    problems: Iterable[Problem], config: DecontaminateConfig, training: Sequence[str]
) -> HeldOut:
    """The prompts of held-out problems and of the lists that `config` names."""
    own = [(problem.id, said(problem.prompt)) for problem in problems]
    return HeldOut([*own, *listed(config.against)], config, training)


def listed(lists: Iterable[Against]) -> Iterator[tuple[str, str]]:
    """(name, text) of every prompt in the files. Raises SourceError where one cannot be read."""
    for entry in lists:
        path = Path(os.path.expanduser(os.path.expandvars(entry.path)))
        columns = [Column(name) for name in ([entry.column] if entry.column else COLUMNS)]
        number = 0
        for number, row in enumerate(read(path), 1):
            if "bad_row" in row:
                raise SourceError(f"{path}: {row['bad_row']}")
            value = next((v for v in (c.of(row) for c in columns) if v is not None), None)
            if not isinstance(value, str | list):
                names = " or ".join(column.text for column in columns)
                raise SourceError(f"{path}: row {number} has no text in column {names}")
            yield f"{path.name}:{number}", said(value)
        if not number:
            raise SourceError(f"{path} has no rows")
