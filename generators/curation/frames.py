"""Frames: the wording that many prompts of one task share.

"Sort these words in ascending order and give them as a list: ..." says nothing of which words are
sorted. Two prompts that share such wording are not copies for that, so a prompt that consists of
it by half is only a copy of one with all the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from generators.curation.text import Prompt, Trigram

SAMPLE = 5_000


class Frames:
    """Word trigrams, numbers masked, that stand in at least `family` of the texts.

    Of more than `SAMPLE` texts, every n-th is read.
    """

    def __init__(self, texts: Sequence[str], family: int):
        counts: Counter[Trigram] = Counter()
        for text in texts[:: -(-len(texts) // SAMPLE) or 1]:
            counts.update(Prompt(text).trigrams())
        self._shared = {trigram for trigram, count in counts.items() if count >= family}

    def __contains__(self, trigram: Trigram) -> bool:
        return trigram in self._shared

    def dominate(self, trigrams: set[Trigram]) -> bool:
        """True where half of the trigrams, or more, are frame."""
        return 0 < len(trigrams) <= 2 * len(trigrams & self._shared)
