"""Near-duplicates: MinHash finds candidates, exact Jaccard on word shingles decides.

Texts are first told apart by their numbers and operators, so that a million arithmetic prompts
cost one dictionary and no comparison; only texts that agree in all of them are compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from generators.curation.frames import Frames
from generators.curation.text import Prompt, exact, shingles, tokens

PERMUTATIONS = 128
ROWS = 4  # of a band: 32 bands find a pair of similarity 0.6 with probability 0.988, 0.7 0.9998
WORDS = 8  # in a text of fewer words each one counts
CROWD = 8  # texts remembered a band: keeps a crowd just below the threshold from going quadratic
CHUNK = 1024
SEED = 42


def near_duplicates(
    texts: Sequence[str],
    keys: Sequence[Hashable],
    threshold: float,
    size: int,
    frames: Frames | None = None,
) -> Iterator[tuple[int, int, float]]:
    """(index, index of the earlier text that it repeats, Jaccard similarity), earlier ones stay.

    Texts are compared where their keys and all their numbers and operators are equal. `size` is
    the number of words in a shingle. A text that is short, or mostly frame, is a copy only where
    all its shingles are the other's.
    """
    buckets: dict[Hashable, list[int]] = defaultdict(list)
    for index, (text, key) in enumerate(zip(texts, keys, strict=True)):
        if words := tokens(text):
            buckets[key, " ".join(exact(words))].append(index)
    for bucket in buckets.values():
        if len(bucket) > 1:
            yield from _within(bucket, texts, threshold, size, frames)


def _within(
    bucket: Sequence[int],
    texts: Sequence[str],
    threshold: float,
    size: int,
    frames: Frames | None,
) -> Iterator[tuple[int, int, float]]:
    import rensa

    kept: dict[int, set[str]] = {}
    bands: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for start in range(0, len(bucket), CHUNK):
        chunk = bucket[start : start + CHUNK]
        words = [tokens(texts[index]) for index in chunk]
        sets = [shingles(text, size) for text in words]
        matrix = rensa.RMinHash.digest_matrix_from_token_sets(
            [list(items) for items in sets], PERMUTATIONS, SEED
        )
        for index, text, items, digest in zip(chunk, words, sets, matrix.to_rows(), strict=True):
            framed = frames is not None and frames.dominate(Prompt(texts[index]).trigrams())
            enough = 1.0 if framed or len(text) < WORDS else threshold
            keys = [(band, *digest[band : band + ROWS]) for band in range(0, PERMUTATIONS, ROWS)]
            candidates = {other for key in keys for other in bands.get(key, ())}
            for other in sorted(candidates):
                similarity = jaccard(items, kept[other])
                if similarity >= enough:
                    yield index, other, similarity
                    break
            else:
                kept[index] = items
                for key in keys:
                    if len(bands[key]) < CROWD:
                        bands[key].append(index)


def jaccard(a: set[str], b: set[str]) -> float:
    """Shared over all members."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)
