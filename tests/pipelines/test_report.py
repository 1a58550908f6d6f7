"""The report against a realistic run folder made of real Parquet files."""

import json
import math
import random
import re
import shutil
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.report import svg
from pipelines.report.build import build, comparisons
from pipelines.report.load import ReportError, Run, Tally
from pipelines.report.samples import by_stage, pairs
from pipelines.report.stats import paired, unpaired
from pipelines.table import comparison_table
from verifiers.records import canonical_json

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'& \u202e"
RATES = {"base": 0.02, "cpt": 0.09, "sft": 0.41, "grpo": 0.47, "teacher": 0.93}
REASONS = ("wrong:different", "undecided:truncated", "wrong:no_answer", "dedup:near_duplicate")


def write(run, config, rows, files=2):
    folder = run / "data" / config
    folder.mkdir(parents=True, exist_ok=True)
    size = math.ceil(len(rows) / files)
    for n in range(files):
        part = rows[n * size : (n + 1) * size]
        pq.write_table(pa.Table.from_pylist(part), folder / f"{n:05}.parquet", row_group_size=50)


def problem(n, rng):
    terms = [rng.randint(1, 9) for _ in range(rng.randint(4, 8))]
    signs = [rng.choice("+-") for _ in terms[1:]]
    total, steps = terms[0], []
    for sign, term in zip(signs, terms[1:], strict=True):
        value = total + term if sign == "+" else total - term
        steps.append(f"{total} {sign} {term} = {value}")
        total = value
    asked = str(terms[0]) + "".join(f" {s} {t}" for s, t in zip(signs, terms[1:], strict=True))
    row = {"id": f"{n:024x}", "prompt": f"{asked} = ?", "answer": str(total), "verifier": "math"}
    return row | {"gold": "computed", "source": "chain_sum", "meta": "{}"}, steps


def write_data(run, rng, hostile, problems=150, heldout=200):
    asked = [problem(n, rng) for n in range(problems)]
    write(run, "problems", [row for row, _ in asked])
    held = [problem(10_000 + n, rng)[0] for n in range(heldout)]
    held = [row | {"prompt": f"{row['prompt']} (held out {n})"} for n, row in enumerate(held)]
    write(run, "heldout", held)
    chains, sft, rejects = [], [], []
    teacher = canonical_json({"identity": "t", "model": "embedded-teacher-3M", "revision": "1"})
    for row, steps in asked:
        for index in range(4):
            reason = rng.choices(("kept", *REASONS), (82, 11, 3, 1, 3))[0]
            text = "\n".join(steps) + f"\nso the answer is {row['answer']}"
            if reason == "wrong:different":
                text = text.replace(f"is {row['answer']}", f"is {int(row['answer']) + 3}")
            elif reason != "kept":
                text = text[: len(text) // 2]
            text = f"{text} {hostile}".strip()
            status = reason.split(":")[0] if reason[:2] in ("wr", "un") else "correct"
            ids = {"problem_id": row["id"], "completion_id": f"{row['id'][4:]}c{index:03}"}
            found = text.rpartition("is ")[2] if "answer is" in text else None
            chains.append(
                {"id": ids["completion_id"], "problem_id": row["id"], "index": index,
                 "reasoning": "", "text": text, "finish_reason": "stop", "teacher": teacher,
                 "status": status, "score": float(status == "correct"), "reason": reason,
                 "extracted": found}
            )  # fmt: skip
            if reason == "kept":
                made = {
                    "prompt": row["prompt"],
                    "completion": text,
                    "sample_id": f"{len(sft):024x}",
                }
                sft.append(made | ids)
            else:
                kind, why = reason.split(":")
                made = {"filter": kind, "reason": why, "detail": "", "prompt": row["prompt"]}
                rejects.append(made | ids | {"text": text})
    for name, rows in {"chains": chains, "sft": sft, "rejects": rejects}.items():
        write(run, name, rows)
    return held, chains, sft, rejects


def write_evaluation(run, rng, held, rates, samples=4):
    ease = {row["id"]: rng.random() - 0.5 for row in held}
    raw, rows, before = [], [], None
    missed = ["wrong"] * 30 + ["undecided"]
    for stage, rate in rates.items():
        shares = {}
        for row in held:
            chance = min(1, max(0, rate + ease[row["id"]] * min(rate, 1 - rate)))
            hits = [rng.random() < chance for _ in range(samples)]
            shares[row["id"]] = sum(hits) / samples
            for index, hit in enumerate([*hits, hits[0]]):
                raw.append(
                    {"stage": stage, "round": 1, "on": "heldout", "problem_id": row["id"],
                     "index": index if index < samples else -1,
                     "status": "correct" if hit else rng.choice(missed)}
                )  # fmt: skip
        value = sum(shares.values()) / len(shares)
        half = 1.96 * math.sqrt(sum((s - value) ** 2 for s in shares.values())) / len(shares)
        line = {"stage": stage, "round": 1, "on": "heldout", "n": len(held), "samples": samples,
                "pass@1": value, "low": max(0, value - half), "high": min(1, value + half),
                "greedy": min(1, 1.3 * value + 0.01), "tokens_mean": 21 + 40 * rate}  # fmt: skip
        if before and stage != "teacher":
            gains = [shares[name] - before[name] for name in shares]
            gain = sum(gains) / len(gains)
            half = 1.96 * math.sqrt(sum((g - gain) ** 2 for g in gains)) / len(gains)
            line["vs"] = {"stage": rows[-1]["stage"], "diff": gain, "low": gain - half,
                          "high": gain + half}  # fmt: skip
            line["verdict"] = "improved" if gain > half else "flat"
        rows, before = [*rows, line], shares
    write(run, "evaluation", raw)
    (run / "evaluation.json").write_text(json.dumps(rows))


def write_metrics(run, rng):
    lines = []
    for stage, steps, start in (("cpt", 150, 3.4), ("sft", 450, 1.9), ("grpo", 60, 0.02)):
        for step in range(1, steps + 1):
            loss = start * math.exp(-4 * step / steps) + 0.12 + rng.gauss(0, 0.03 * start)
            line = {"stage": stage, "step": step, "loss": loss, "tokens_per_second": 21000}
            if stage == "grpo":
                reward = 0.4 + 0.08 * step / steps + rng.gauss(0, 0.03)
                line |= {"reward": reward, "pass_rate": reward - 0.02, "kl": 0.0004 * step,
                         "entropy": 0.6 - 0.002 * step}  # fmt: skip
            lines.append(json.dumps(line))
    lines += [json.dumps({"stage": "sft", "step": 9, "loss": math.nan}), '{"stage": "grpo", "st']
    (run / "metrics.jsonl").write_text("\n".join(lines))


def make_run(run, seed=0, hostile="", rates=RATES):
    rng = random.Random(seed)
    run.mkdir()
    held, chains, sft, rejects = write_data(run, rng, hostile)
    write_evaluation(run, rng, held, rates)
    write_metrics(run, rng)
    (run / "recipe.yaml").write_text(
        f"name: {run.name}\nseed: {seed}\nteacher: {{backend: local, model: embedded}}\n"
        "chains: {samples: 4}\nstages: [cpt, sft, {grpo: {group_size: 8}}]\n"
    )
    statuses = [chain["status"] for chain in chains]
    counts = {name: statuses.count(name) for name in ("correct", "wrong", "undecided")}
    dropped = [f"{row['filter']}:{row['reason']}" for row in rejects]
    funnel = [["chains", len(chains)], ["verified", counts["correct"]], ["dedup", len(sft)]]
    curated = {"funnel": funnel, "sets": {"sft": len(sft), "cpt": 150, "rl": 131}}
    curated["rejects"] = {name: dropped.count(name) for name in REASONS}
    times = {
        "evaluate:base": 41,
        "train:cpt": 62,
        "evaluate:cpt": 44,
        "train:sft": 107,
        "evaluate:sft": 45,
        "train:grpo": 298,
        "evaluate:grpo": 45,
        "evaluate:teacher": 73,
    }
    stages = {
        "questions": {"seconds": 3.2, "counts": {"problems": 150, "heldout": len(held)}},
        "chains": {"seconds": 188.0, "counts": counts | {"completions": len(chains)}},
        "curate": {"seconds": 1.4, "counts": curated},
    } | {name: {"seconds": seconds, "counts": {}} for name, seconds in times.items()}  # fmt: skip
    manifest = {"name": run.name, "recipe_hash": "3f9a0c11d2e4b5a697887766", "stages": stages}
    (run / "manifest.json").write_text(json.dumps(manifest))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "chain-sums")


class Page(HTMLParser):
    """The tags, attributes and words of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)

    def handle_data(self, data):
        self.words.append(data)


def read(path):
    return Page(path.read_text())


def copy(run, target):
    shutil.copytree(run, target)
    return target


def test_the_page_has_every_section_and_needs_nothing_else(run):
    path = build(run)
    page = read(path)
    assert path == run / "report.html"
    assert not page.links
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert "200 held-out problems: 0 asked, 0 trained on" in page.text
    for words in (
        "The student went from", "paired by problem", "Taught by embedded-teacher-3M",
        "What each stage bought", "undecided", "problems asked 150", "completions 600 4.0 each",
        "Dropped, by reason wrong:different", "cpt loss", "grpo KL to the reference",
        "15 min 8 s in all", "Kept 20 shown", "Dropped 20 shown", "group_size: 8",
    ):  # fmt: skip
        assert words in page.text, words
    assert [path.name for path in run.glob(".report*")] == []


def test_the_same_run_gives_the_same_bytes(run):
    assert build(run).read_bytes() == build(run).read_bytes()


def test_hostile_text_stays_text(tmp_path):
    hostile = make_run(tmp_path / HOSTILE.replace("/", "-"), hostile=HOSTILE)
    (hostile / "recipe.yaml").write_text(
        f"name: x # {HOSTILE} </pre></details>\ud800", "utf-16", "surrogatepass"
    )
    page = read(build(hostile))
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert "<script>alert(1)</script>" in page.text


@pytest.mark.parametrize(
    "gone",
    ["evaluation.json", "metrics.jsonl", "manifest.json", "recipe.yaml", "data", "data/evaluation",
     "data/heldout", "data/rejects", "data/sft", "data/chains", "data/problems"],
)  # fmt: skip
def test_a_missing_part_is_left_out(run, tmp_path, gone):
    less = copy(run, tmp_path / "less")
    path = less / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert read(build(less)).tags.count("h1") == 1


def test_a_run_that_made_data_only(run, tmp_path):
    data = copy(run, tmp_path / "data-only")
    for name in ("evaluation.json", "metrics.jsonl"):
        (data / name).unlink()
    shutil.rmtree(data / "data" / "evaluation")
    page = read(build(data))
    assert "No student was measured in this run" in page.text
    assert "What each stage bought" not in page.text
    assert "Training" not in page.text


def test_a_folder_that_has_only_begun(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    (tmp_path / "manifest.json").write_text('{"name": "x", "stages": {}}')
    (tmp_path / "evaluation.json").write_text("[]")
    assert "No problem was held out" in read(build(tmp_path)).text


@pytest.mark.parametrize("leak", ["id", "prompt", "chat"])
def test_the_audit_counts_leaks_itself(run, tmp_path, leak):
    leaky = copy(run, tmp_path / "leaky")
    held = list(Run(run).records("heldout", ("id", "prompt")))[:3]
    chat = [canonical_json([{"role": "user", "content": f" {row['prompt']}\n"}]) for row in held]
    rows = {
        "id": [{"problem_id": row["id"], "prompt": "?"} for row in held],
        "prompt": [{"problem_id": "0", "prompt": row["prompt"]} for row in held],
        "chat": [{"problem_id": "0", "messages": text} for text in chat],
    }[leak]
    write(leaky, "dpo", rows, files=1)
    write(leaky, "problems", [{"id": held[0]["id"], "prompt": "?"}], files=1)
    assert "200 held-out problems: 1 asked, 3 trained on" in read(build(leaky)).text


def test_the_audit_says_which_set_it_cannot_check(run, tmp_path):
    blind = copy(run, tmp_path / "blind")
    write(blind, "cpt", [{"text": "some words"}], files=1)
    assert "The set cpt has no column to check" in read(build(blind)).text


def test_runs_on_the_same_problems_are_compared_in_pairs(run, tmp_path):
    other = make_run(tmp_path / "other", rates={"base": 0.02, "sft": 0.25, "teacher": 0.93})
    page = read(build(run, [other]))
    assert "Beside other" in page.text
    assert "last: grpo / sft" in page.text
    assert re.search(
        r"sft heldout \S+ % \S+ % \+\S+ better \S+ to \S+ paired by problem", page.text
    )
    assert "What differs in the recipe" in page.text


def test_runs_of_one_recipe_are_told_apart_by_their_folders(run, tmp_path):
    arms = [copy(run, tmp_path / arm) for arm in ("verified", "unfiltered")]
    text = read(build(run, arms)).text
    assert "Beside verified" in text
    assert "Beside unfiltered" in text
    assert f"Beside {run.name}" not in text
    arm, _ = (comparison_table(beside) for beside in comparisons(run, arms))
    head, _, base, *_ = arm.splitlines()
    assert re.search(r"^stage +problems +this run +verified +difference$", head)
    assert re.search(r"^base +heldout +\S+ +\S+ +\+0.0 \[\+0.0, \+0.0\] +not significant$", base)


def test_runs_on_other_problems_are_compared_unpaired(run, tmp_path):
    other = copy(run, tmp_path / "other")
    raw = list(Run(other).records("evaluation", ("stage", "round", "on", "problem_id", "status")))
    write(
        other,
        "evaluation",
        [row | {"problem_id": f"x{row['problem_id']}", "index": 0} for row in raw],
    )
    assert "not significant" in (text := read(build(run, [other])).text)
    assert "unpaired" in text


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ReportError, match="is not a run"):
        build(tmp_path)
    with pytest.raises(ReportError, match="is not a folder"):
        build(tmp_path / "absent")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ReportError, match="is damaged"):
        build(tmp_path)


def test_differences():
    before = {name: Tally(0, 0, 4) for name in "abcd"}
    after = {name: Tally(n, 0, 4) for n, name in enumerate("abcd")}
    step = paired(before, after)
    assert step.value == pytest.approx(0.375)
    assert step.high - step.value == pytest.approx(1.959964 * 0.3227486 / 2, rel=1e-5)
    assert step.verdict == "improved"
    assert paired(before, before).verdict == "flat"
    assert paired(before, {"a": Tally(1, 0, 1)}) is None
    low, high = ({"value": v, "low": v - 0.03, "high": v + 0.03} for v in (0.4, 0.5))
    assert unpaired(high, low).verdict == "regressed"
    assert unpaired(low, high).high == pytest.approx(0.1 + 0.03 * math.sqrt(2))
    assert unpaired(low, {"value": 0.5}) is None


@pytest.mark.parametrize("values", [[0.0], [2.0, 2.0], [1e-9, -1e-9], [1e12, 3.0], [-5.0, 0.1]])
def test_curves_take_any_numbers(values):
    drawn = str(svg.curve(list(enumerate(values)), "loss"))
    assert "nan" not in drawn
    assert drawn.startswith("<svg")


def test_a_curve_starts_where_it_started_and_noise_below_zero_gets_no_tick():
    drawn = str(svg.curve([(n, n / 1000 - 1e-9 * (n == 1)) for n in range(1, 1001)], "loss"))
    assert ">1</text>" in drawn
    assert "-" not in re.findall(r'text-anchor="end">([^<]*)<', drawn)[0]


def test_long_curves_are_thinned():
    assert len(str(svg.curve([(n, float(n % 7)) for n in range(200_000)], "loss"))) < 30_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of all stages, measured on two sets, greedily on the second; all its texts hostile."""
    stages = {"base": 0.02, "cpt": 0.05, "sft": 0.4, "dpo": 0.45, "grpo": 0.5, "teacher": 0.9}
    run = make_run(tmp_path_factory.mktemp("whole") / "whole", hostile=HOSTILE, rates=stages)
    chains = list(Run(run).records("chains", ("id", "problem_id", "status", "text")))
    right = next(c for c in chains if c["status"] == "correct")
    wrong = next(c for c in chains if c["status"] == "wrong")
    chat = [canonical_json([{"role": "assistant", "content": c["text"]}]) for c in (right, wrong)]
    pair = {"problem_id": right["problem_id"], "chosen_id": right["id"], "rejected_id": wrong["id"]}
    ask = canonical_json([{"role": "user", "content": f"which? {HOSTILE}"}])
    write(run, "dpo", [pair | {"prompt": ask, "chosen": chat[0], "rejected": chat[1]}], files=1)
    sums = [
        {"id": f"s{n}", "prompt": f"{n} + {n} {HOSTILE}", "answer": str(2 * n)} for n in range(9)
    ]
    write(run, "evaluate_sums", sums, files=1)
    raw, table = [], json.loads((run / "evaluation.json").read_text())
    for step, stage in enumerate(stages):
        for n, row in enumerate(sums):
            status = "correct" if n < step else "wrong"
            raw.append(
                {"stage": stage, "round": 1, "on": "sums", "problem_id": row["id"], "index": -1,
                 "status": status, "reason": "", "text": f"{stage} says {n} {HOSTILE}"}
            )  # fmt: skip
        table.append(
            {"stage": stage, "round": 1, "on": "sums", "n": 9, "samples": 0, "greedy": step / 9,
             "greedy_low": step / 12, "greedy_high": step / 8, "tokens_mean": 5.0,
             "reflection": {"self_check": 0.25, "wrong_step": 0.5, "taken_back": None,
                            "recovered": 0.125, "recovered_checked": 0.75,
                            "recovered_unchecked": None}}
        )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(raw), run / "data" / "evaluation" / "sums.parquet")
    (run / "evaluation.json").write_text(json.dumps(table))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["stages"]["train:sft"]["counts"] = {"tokens": 1234567}
    (run / "manifest.json").write_text(json.dumps(manifest))
    lines = [
        {"stage": "dpo", "step": n, "loss": 0.6, "accuracy": 0.7, "margin": 0.1,
         "chosen": -1e-9 * n, "rejected": -0.5 * n}
        for n in (1, 2)
    ]  # fmt: skip
    lines += [
        {"stage": "grpo", "step": n, "length": 30, "clipped": 0.01, "zero_variance": 0.4}
        for n in (1, 2)
    ]
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write("\n" + "".join(json.dumps(line) + "\n" for line in lines))
    return run


def test_a_run_of_all_stages_is_shown_whole(whole):
    path = build(whole)
    page = read(path)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert path.stat().st_size < 500_000
    for words in (
        "9 problems of sums: 0 trained on", "The same on sums", "Bars show greedy",
        "greedy with its 95 % interval", "55.6 % 41.7 % to 62.5 %", "+11.1 ▬ flat",
        "Self-checks", "25.0 % 50.0 % – 12.5 % 75.0 % –", "The same problem after every stage",
        "grpo correct grpo says", "base wrong base says", "that it refutes. which? <script>",
        "chosen correct", "rejected wrong: wrong:different", "1,234,567 tokens",
        "dpo accuracy of the pairs", "dpo margin of the pairs", "grpo zero-variance groups",
        "dpo chosen answers 0 → 0", "dpo rejected answers -0.5 → -1",
        "grpo clipped tokens", "grpo length (tokens)",
    ):  # fmt: skip
        assert words in page.text, words
    losses = [page.text.index(f"{stage} loss") for stage in ("cpt", "sft", "grpo", "dpo")]
    assert max(losses) < page.text.index("dpo accuracy")


def test_the_problems_that_are_shown_tell_the_stages_apart(whole):
    shown = [same for same in by_stage(Run(whole)) if same.on == "sums"]
    assert len(shown) == 3
    for same in shown:
        statuses = [status for _, status, _ in same.answers]
        assert {"correct", "wrong"} == set(statuses)
        assert len(statuses) == 6


def test_pairs_of_any_form_are_shown_or_passed_over(whole, run, tmp_path):
    chosen, rejected = pairs(Run(whole))[0].answers
    assert (chosen[1], rejected[1]) == ("correct", "wrong")
    assert not chosen[2].text.startswith("[{")
    assert pairs(Run(run)) == []
    odd = copy(run, tmp_path / "odd")
    write(odd, "dpo", [{"prompt": "?", "chosen": None, "rejected": "b"}], files=1)
    assert [status for _, status, _ in pairs(Run(odd))[0].answers] == ["", ""]


def test_runs_on_several_sets_are_compared_set_by_set(whole, tmp_path):
    other = copy(whole, tmp_path / "other")
    table = json.loads((other / "evaluation.json").read_text())
    kept = [row for row in table if row["stage"] not in ("dpo", "grpo")]
    (other / "evaluation.json").write_text(json.dumps(kept))
    text = read(build(whole, [other])).text
    assert "sft sums 22.2 % 22.2 % +0.0 not significant" in text
    assert re.search(r"last: grpo / sft sums 44.4 % 22.2 % \+22.2 \S+", text)
    assert "last: grpo / sft heldout" in text


def test_a_sampled_rate_is_not_compared_with_a_greedy_one(whole, tmp_path):
    other = copy(whole, tmp_path / "other")
    table = json.loads((other / "evaluation.json").read_text())
    for row in table:
        if row["on"] == "sums":
            row |= {"pass@1": 0.5, "low": 0.4, "high": 0.6}
    (other / "evaluation.json").write_text(json.dumps(table))
    text = read(build(whole, [other])).text
    assert "sft heldout" in text
    assert "sft sums" not in text


def test_the_audit_finds_what_a_problem_set_leaked(whole, tmp_path):
    leaky = copy(whole, tmp_path / "leaky")
    write(leaky, "rl", [{"problem_id": "s3", "prompt": "?"}], files=1)
    assert "9 problems of sums: 1 trained on" in read(build(leaky)).text
