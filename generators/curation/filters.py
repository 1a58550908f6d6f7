"""The filters: each reads the items and says what it would drop, and why."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from generators.bands import Keep, inside, level
from generators.curation.config import CurateConfig, DecontaminateConfig, DedupConfig
from generators.curation.decontaminate import held_prompts
from generators.curation.dedup import near_duplicates
from generators.curation.frames import Frames
from generators.curation.items import Chain, Drop, Filter, Item
from generators.curation.text import said
from verifiers.records import Problem, canonical_json, content_id


def steps(
    config: CurateConfig, heldout: Sequence[Problem], seed: int
) -> Iterator[tuple[str, list[Filter]]]:
    """The steps that `config` asks for, in their order: name and filters."""
    yield "verify", [partial(unverified, verify=config.verify)]
    if config.dedup is not None:
        filters: list[Filter] = []
        if config.dedup.problems:
            filters.append(partial(repeated_prompts, config=config.dedup))
        if config.dedup.chains:
            filters.append(partial(repeated_chains, config=config.dedup))
        yield "dedup", filters
    if config.decontaminate is not None:
        yield "decontaminate", [partial(held_out, problems=heldout, config=config.decontaminate)]
    if config.difficulty is not None:
        yield "difficulty", [partial(off_band, keep=config.difficulty.keep)]
    if config.max_per_problem is not None:
        yield "max_per_problem", [partial(too_many, most=config.max_per_problem)]
    if config.max_rows is not None:
        yield "max_rows", [partial(beyond, most=config.max_rows, seed=seed)]


def unverified(items: list[Item], verify: bool) -> Iterator[Drop]:
    """Chains that ground truth does not confirm, and chains without a text."""
    for item in items:
        for chain in item.chains:
            if verify and chain.status == "wrong":
                yield Drop(item, chain, f"wrong:{chain.reason or 'different'}", chain.detail)
            elif verify and chain.status == "undecided":
                yield Drop(item, chain, chain.reason or "undecided", chain.detail)
            elif not chain.text:
                yield Drop(item, chain, "empty", chain.detail)


def repeated_prompts(items: list[Item], config: DedupConfig) -> Iterator[Drop]:
    """Problems whose prompt another one has, or nearly; one that has chains stays before one
    that has none."""
    first: dict[str, Item] = {}
    distinct: list[Item] = []
    for item in sorted(items, key=lambda item: not item.chains):
        prompt = item.problem.prompt
        kept = first.setdefault(prompt if isinstance(prompt, str) else canonical_json(prompt), item)
        if kept is item:
            distinct.append(item)
        else:
            yield Drop(item, None, "same_prompt", f"problem {kept.problem.id}")
    if config.threshold is not None:
        texts = [said(item.problem.prompt) for item in distinct]
        keys = [_sameness(item.problem, config) for item in distinct]
        frames = Frames(texts, config.family)
        found = near_duplicates(texts, keys, config.threshold, config.shingle, frames)
        for index, other, share in found:
            detail = f"{share:.0%} of problem {distinct[other].problem.id}"
            yield Drop(distinct[index], None, "near_prompt", detail)


def _sameness(problem: Problem, config: DedupConfig) -> str:
    """What two problems share at least, before their words are compared."""
    system = (
        []
        if isinstance(problem.prompt, str)
        else [m["content"] for m in problem.prompt if m.get("role") == "system"]
    )
    truth = [problem.answer, problem.verifier] if config.same_answer else []
    return canonical_json([system, truth])


def repeated_chains(items: list[Item], config: DedupConfig) -> Iterator[Drop]:
    """Chains that another chain of the same problem repeats, or nearly."""
    for item in items:
        first: dict[str, Chain] = {}
        for chain in item.chains:
            kept = first.setdefault(chain.text, chain)
            if kept is not chain:
                yield Drop(item, chain, "same_chain", f"completion {kept.id}")
        if config.threshold is None or len(first) < 2:
            continue
        distinct = list(first.values())
        statuses = [chain.status for chain in distinct]
        found = near_duplicates(list(first), statuses, config.threshold, config.shingle)
        for index, other, share in found:
            detail = f"{share:.0%} of completion {distinct[other].id}"
            yield Drop(item, distinct[index], "near_chain", detail)


def held_out(
    items: list[Item], problems: Sequence[Problem], config: DecontaminateConfig
) -> Iterator[Drop]:
    """Problems that are held out themselves, or copies of one."""
    ids = {problem.id for problem in problems}
    training = [said(item.problem.prompt) for item in items]
    prompts = held_prompts(problems, config, training)
    for item, text in zip(items, training, strict=True):
        if item.problem.id in ids:
            yield Drop(item, None, "same_id", f"held-out {item.problem.id}")
        elif match := prompts.match(text):
            yield Drop(item, None, *match)


def off_band(items: list[Item], keep: Keep) -> Iterator[Drop]:
    """Problems whose measured difficulty is not wanted, or not known."""
    for item in items:
        rate = item.rate
        if rate is None:
            yield Drop(item, None, "unmeasured", "no chain was decided")
        elif not inside(rate, keep):
            band = f" is outside [{keep[0]:g}, {keep[1]:g}]" if isinstance(keep, tuple) else ""
            yield Drop(item, None, level(rate), f"pass rate {rate:.3g}{band}")


def too_many(items: list[Item], most: int) -> Iterator[Drop]:
    """Chains beyond the first `most` of a problem, where repeated texts come last."""
    for item in items:
        seen: set[str] = set()
        repeats = []
        for chain in item.chains:
            repeats.append(chain.text in seen)
            seen.add(chain.text)
        ranked = sorted(zip(repeats, range(len(repeats)), strict=True))
        for place in sorted(place for _, place in ranked[most:]):
            yield Drop(item, item.chains[place], "over_limit", f"more than {most} of one problem")


def beyond(items: list[Item], most: int, seed: int) -> Iterator[Drop]:
    """Chains beyond `most` in all."""
    names = [chain.id for item in items for chain in item.chains]
    chosen = draw(names, most, seed)
    for item in items:
        for chain in item.chains:
            if chain.id not in chosen:
                yield Drop(item, chain, "over_limit", f"more than {most} rows")


def draw(names: Iterable[str], most: int, seed: int) -> set[str]:
    """`most` of the names at random: the seed gives each name a lot of its own, so that more
    names change the draw little."""
    return set(heapq.nsmallest(most, names, key=lambda name: content_id([seed, name])))
