"""Samples that sequential stopping saves against a fixed 16, at equal accuracy of the band.

    python benchmarks/sequential.py [--json] [--questions N]

Simulated: questions whose pass rates are beta-distributed, so that the true band is known. Real:
the embedded teacher on chain sums of very unequal difficulty; there, 48 further samples stand for
the truth, and `chains()` draws from a store that holds all 64. No peer stops early.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from generators.bands import Keep, inside  # noqa: E402
from generators.chains import chains  # noqa: E402
from generators.config import ChainsConfig, ReasoningGymSource, Samples, Sampling  # noqa: E402
from generators.questions import BadRow, questions  # noqa: E402
from generators.stopping import Rule  # noqa: E402
from generators.store import Store  # noqa: E402
from generators.stored import Stored  # noqa: E402
from pipelines.samplers import local  # noqa: E402
from verifiers.pool import VerdictPool  # noqa: E402
from verifiers.records import Group, Problem, Verdict  # noqa: E402

FIXED, TRUTH = 16, 64
BANDS: list[Keep] = [(0.1, 0.9), (0.25, 0.75), (0.25, 1.0), (0.5, 1.0)]
RATES = [(0.3, 0.7), (0.5, 0.5), (1.0, 1.0), (2.0, 2.0)]
SIMULATED = 4000
TERMS = [(2, 3, 1), (4, 6, 1), (7, 9, 1), (10, 14, 1), (3, 4, 2)]
RIGHT, WRONG = Verdict(status="correct"), Verdict(status="wrong")
BARS: dict[str, tuple[str, float]] = {
    "simulated_saved": (">=", 0.4),
    "simulated_accuracy_lost": ("<=", 0.015),
    "embedded_saved": (">=", 0.4),
    "embedded_accuracy_lost": ("<=", 0.015),
}


def drawn(rule: Rule, verdicts: Sequence[Verdict]) -> int:
    """Samples until `rule` is content."""
    count = 0
    while more := rule.more(verdicts[:count]):
        count += more
    return count


def rate(verdicts: Sequence[Verdict]) -> float:
    return sum(verdict.correct for verdict in verdicts) / len(verdicts)


def simulated() -> dict[str, float]:
    """Means over bands and distributions of pass rates, and the worst of them."""
    saved, lost, agree = [], [], []
    for keep in BANDS:
        rule = Rule(Samples(min=2, max=FIXED), keep)
        for alpha, beta in RATES:
            rng = random.Random(f"{keep} {alpha} {beta}")
            count = right = fixed = same = 0
            for _ in range(SIMULATED):
                truth = rng.betavariate(alpha, beta)
                verdicts = [RIGHT if rng.random() < truth else WRONG for _ in range(FIXED)]
                used = drawn(rule, verdicts)
                band, whole = inside(rate(verdicts[:used]), keep), inside(rate(verdicts), keep)
                count += used
                right += band == inside(truth, keep)
                fixed += whole == inside(truth, keep)
                same += band == whole
            saved.append(1 - count / SIMULATED / FIXED)
            lost.append((fixed - right) / SIMULATED)
            agree.append(same / SIMULATED)
            print(f"{keep} Beta({alpha}, {beta}): {saved[-1]:.3f} fewer, {lost[-1]:+.4f} lost")
    return {
        "simulated_saved": mean(saved),
        "simulated_saved_least": round(min(saved), 4),
        "simulated_accuracy_lost": mean(lost),
        "simulated_accuracy_lost_most": round(max(lost), 4),
        "simulated_same_band": mean(agree),
    }


def sums(count: int) -> list[Problem]:
    """Chain sums from easy to hopeless, in turn."""
    found: list[Problem] = []
    for least, most, digits in TERMS:
        source = ReasoningGymSource(
            **{"from": "reasoning_gym"}, dataset="chain_sum", n=count // len(TERMS),
            prompt="{metadata[expression]}=?",
            options={"min_terms": least, "max_terms": most,
                     "min_digits": digits, "max_digits": digits},
        )  # fmt: skip
        found += [item for item in questions([source], 0) if not isinstance(item, BadRow)]
    return found


async def draw(
    problems: Sequence[Problem], store: Store, sampler: Stored, samples: Samples, keep: Keep
) -> dict[str, Group]:
    config, sampling = ChainsConfig(samples=samples), Sampling(temperature=1.0, max_tokens=128)
    async with VerdictPool(workers=1) as pool:
        groups = chains(problems, sampler, pool, store, config, sampling, 0, keep)
        return {group.problem.id: group async for group in groups}


def embedded(count: int) -> dict[str, float]:
    """The same on the embedded teacher, by what `chains()` draws."""
    problems = sums(count)
    model = ROOT / "generators" / "teachers" / "embedded"
    saved, lost, agree = [], [], []
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        sampler = Stored(local(model, 512), store)
        all_of_it = Samples(min=TRUTH, max=TRUTH)
        whole = asyncio.run(draw(problems, store, sampler, all_of_it, "learnable"))
        paid = sampler.asked
        verdicts = {name: [verdict for _, verdict in g.samples] for name, g in whole.items()}
        for keep in BANDS:
            samples = Samples(min=2, max=FIXED)
            groups = asyncio.run(draw(problems, store, sampler, samples, keep))
            used = {name: len(group.samples) for name, group in groups.items()}
            right = fixed = same = 0
            for name, count in used.items():
                every = verdicts[name]
                truth = inside(rate(every[FIXED:]), keep)
                band, sixteen = (inside(rate(every[:n]), keep) for n in (count, FIXED))
                right, fixed = right + (band == truth), fixed + (sixteen == truth)
                same += band == sixteen
            saved.append(1 - sum(used.values()) / len(used) / FIXED)
            lost.append((fixed - right) / len(used))
            agree.append(same / len(used))
            print(f"{keep} embedded teacher: {saved[-1]:.3f} fewer, {lost[-1]:+.4f} lost")
        if sampler.asked != paid:
            raise SystemExit(f"{sampler.asked - paid} samples were asked for again")
    return {
        "embedded_questions": len(problems),
        "embedded_pass_rate": mean([rate(v) for v in verdicts.values()]),
        "embedded_saved": mean(saved),
        "embedded_accuracy_lost": mean(lost),
        "embedded_same_band": mean(agree),
    }


def mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


def main() -> None:
    """Measure and print; exit status 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = simulated() | embedded(arguments.questions)
    holds = all(
        figures[name] >= bar if sign == ">=" else figures[name] <= bar
        for name, (sign, bar) in BARS.items()
    )
    for name, value in figures.items():
        print(f"{name:30} {value}")
    if arguments.json:
        bars = {name: f"{sign} {bar}" for name, (sign, bar) in BARS.items()}
        said = {"benchmark": "sequential", "figures": figures, "bars": bars, "holds": holds}
        print(json.dumps(said))
    sys.exit(not holds)


if __name__ == "__main__":
    main()
