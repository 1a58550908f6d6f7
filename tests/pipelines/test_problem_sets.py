"""Problem sets beside the held-out split: measured on, kept out of training, each on its own."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import recipe as recipes
from pipelines.errors import UsageError
from pipelines.table import text_table
from tests.pipelines.recipe_text import TINY
from tests.pipelines.test_run import distill, rows

OWN = [
    {"prompt": f"{a} + {b} - 1=?", "answer": str(a + b - 1)} for a in range(2, 5) for b in (3, 7)
]
ON = """\
  on:
    - {name: own, from: jsonl, path: $SETS/own.jsonl, samples: 0}
    - heldout
    - {name: sums, from: reasoning_gym, dataset: chain_sum, n: 12, samples: 1, max_tokens: 24,
       prompt: "{metadata[expression]}=?", options: {min_terms: 3, max_terms: 3}}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in OWN))
    asked = [{"prompt": f"{a} + {a} + {a}=?", "answer": str(3 * a)} for a in range(1, 30)]
    asked += [OWN[0], OWN[3] | {"prompt": "  " + OWN[3]["prompt"]}]
    (folder / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    recipe = folder / "sets.yaml"
    recipe.write_text(
        TINY.replace("chains: {s", "  - {from: jsonl, path: $SETS/asked.jsonl}\nchains: {s")
        .replace("  samples: 2\n", ON + "  samples: 2\n")
        .replace("max_steps: 60", "max_steps: 8")
        .replace("stages:\n", "stages:\n  - cpt: {data: questions, max_steps: 2}\n")
        .replace("n: 30", "n: 15")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SETS", str(folder))
        done = distill("run", recipe, "--run-dir", folder / "run", check=0)
        yield folder, recipe, done


def test_every_stage_is_measured_on_every_set(finished):
    folder, _, done = finished
    table = json.loads((folder / "run" / "evaluation.json").read_text())
    stages = ["base", "cpt", "sft", "teacher"]
    names = ["heldout", "own", "sums"]
    assert [(r["on"], r["stage"]) for r in table] == [(on, s) for on in names for s in stages]
    for row in table:
        assert row["n"] == {"heldout": 15, "own": 6, "sums": 12}[row["on"]]
        assert row["samples"] == {"heldout": 2, "own": 0, "sums": 1}[row["on"]]
        assert ("pass@1" in row) == (row["on"] != "own")
        assert row["greedy_low"] <= row["greedy"] <= row["greedy_high"]
        assert set(row["reflection"]) >= {"self_check", "wrong_step", "recovered"}
        raw = rows(folder / "run", "evaluation")
        mine = [r for r in raw if (r["on"], r["stage"]) == (row["on"], row["stage"])]
        assert len(mine) == row["n"] * (row["samples"] + 1)
        if "vs" in row:
            assert row["vs"]["stage"] == stages[stages.index(row["stage"]) - 1]
        if row["stage"] != "teacher":
            assert row["to_teacher"]["stage"] == "teacher"
    assert done.stdout.count("against before") == 3
    assert "6 problems (own), one greedy answer each" in done.stdout
    files = {p.name for p in (folder / "run" / "data" / "evaluation").glob("*.parquet")}
    assert files == {f"r1-{s}-{on}.parquet" for s in stages for on in names}


def test_what_is_measured_on_is_not_trained_on(finished):
    run = finished[0] / "run"
    own = {row["id"] for row in rows(run, "evaluate_own")}
    dropped = {(r["filter"], r["reason"]) for r in rows(run, "rejects") if r["problem_id"] in own}
    assert ("decontaminate", "same_id") in dropped
    assert not own & {row["problem_id"] for row in rows(run, "sft")}
    texts = [row["prompt"].strip() for row in rows(run, "sft")]
    assert not {row["prompt"] for row in OWN} & set(texts)
    texts = [row["prompt"].strip() for row in rows(run, "problems")]
    measured = [text for text in texts if text in {row["prompt"] for row in OWN}]
    assert len(measured) == 2
    counts = json.loads((run / "manifest.json").read_text())["stages"]["train:cpt"]["counts"]
    assert counts["rows"] == len(texts) - 2
    card = (run / "data" / "README.md").read_text()
    assert "| `evaluate_own` | the problem set `own`; for evaluation only | 6 |" in card
    assert "The same on own" in (run / "report.html").read_text()


def test_training_refuses_a_problem_of_a_set(finished, tmp_path):

    folder, recipe, _ = finished
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    table = pq.read_table(run / "data" / "sft" / "part-0.parquet").to_pylist()
    table[0]["problem_id"] = rows(run, "evaluate_own")[0]["id"]

    pq.write_table(pa.Table.from_pylist(table), run / "data" / "sft" / "part-0.parquet")
    done = distill(
        "run", recipe, "--run-dir", run, "--set", "stages.sft.learning_rate=0.002", check=1
    )
    assert "1 rows of data/sft are of problems that are evaluated on" in done.stderr


@pytest.mark.slow
def test_only_what_changed_is_measured_again(finished, tmp_path):

    folder, recipe, _ = finished
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)

    def redone(*change):
        done = distill("run", recipe, "--run-dir", run, *change, check=0)
        skipped = [x for x in done.stderr.splitlines() if x.endswith("already done")]
        stages = json.loads((run / "manifest.json").read_text())["stages"]
        return set(stages) - {line.removesuffix(": already done") for line in skipped}

    four = {f"evaluate:{stage}" for stage in ("base", "cpt", "sft", "teacher")}
    assert redone() == set()
    assert redone("--set", "evaluate.on.2.max_tokens=20") == {f"{name}:sums" for name in four}
    assert redone("--set", "evaluate.on.2.max_tokens=20", "--set", "evaluate.samples=3") == four
    (run / "data" / "evaluation" / "r1-sft-own.parquet").unlink()
    same = ("--set", "evaluate.on.2.max_tokens=20", "--set", "evaluate.samples=3")
    assert redone(*same) == {"evaluate:sft:own"}
    fewer = "evaluate.on=[heldout, {name: own, from: jsonl, path: $SETS/own.jsonl, samples: 0}]"
    redone("--set", fewer, "--set", "evaluate.samples=3")
    assert not (run / "data" / "evaluate_sums").exists()
    assert {r["on"] for r in rows(run, "evaluation")} == {"heldout", "own"}


def test_without_heldout_nothing_is_held_out(finished, tmp_path):
    _, recipe, _ = finished
    only = "evaluate.on=[{name: own, from: jsonl, path: $SETS/own.jsonl}]"
    distill("generate", recipe, "--run-dir", tmp_path / "run", "--set", only, check=0)
    assert rows(tmp_path / "run", "heldout") == []
    plan = distill("plan", recipe, "--run-dir", tmp_path / "p", "--set", only, "--json", check=0)
    assert json.loads(plan.stdout)["heldout"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("evaluate.on=[nope]", "evaluate.on.0: 'nope' is not available; available: 'heldout'"),
        ("evaluate.on=[{name: a, from: evolve}]", "evaluate.on.0: source 'evolve' is not available"),
        ("evaluate.on=[{name: a, from: jsonl, path: no.jsonl}]", "no such file"),
        ("evaluate.on.0.name=A-b", "evaluate.on.0.name: String should match"),
        ("evaluate.on.0.name=heldout", "give the set another name"),
        ("evaluate.on.2.name=own", "'own' stands twice"),
        ("evaluate.on.0.nmae=x", "evaluate.on.0.nmae: unknown key; did you mean 'name'?"),
        ("evaluate.on.0.greedy=false", "nothing is asked on 'own'"),
        ("evaluate.on=[]", "evaluate.on: List should have at least 1 item"),
        ("evaluate.on.2.verifier=mth", "did you mean 'math'"),
        ("evaluate.on.0.path=$NOPE/x.jsonl", "evaluate.on.0.path: environment variable NOPE"),
        ("evaluate.on.0.prompt=question", "no row has column 'question' for prompt"),
        ("evaluate.on.2.dataset=nope", "reasoning_gym data set 'nope'"),
    ],
)  # fmt: skip
def test_mistakes_are_named_and_nothing_is_written(finished, tmp_path, change, message):
    _, recipe, _ = finished
    done = distill("run", recipe, "--run-dir", tmp_path / "run", "--set", change, check=2)
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_edited_set_is_another_set(finished, tmp_path):
    from pipelines.graph import fingerprints, nodes

    loaded = recipes.load(str(finished[1]), ["evaluate.on.0.path=" + str(tmp_path / "own.jsonl")])
    prints = []
    for text in ('{"prompt": "1+1=?", "answer": "2"}', '{"prompt": "1+2=?", "answer": "3"}'):
        (tmp_path / "own.jsonl").write_text(text)
        prints.append(fingerprints(loaded, nodes(loaded)))
    changed = {name for name in prints[0] if prints[0][name] != prints[1][name]}
    assert changed >= {"questions:own", "curate", "train:sft", "evaluate:base:own"}
    assert not changed & {"questions", "chains", "evaluate:base", "evaluate:teacher:sums"}


def test_a_dataset_keeps_its_configuration(finished):
    loaded = recipes.load(
        str(finished[1]),
        ["evaluate.on.2={name: gsm, from: dataset, path: openai/gsm8k, configuration: main}"],
    )
    source = loaded.evaluate.sets[1].source_config()
    assert (source.path, source.name, source.source) == ("openai/gsm8k", "main", "dataset")


def test_a_set_that_a_generator_writes_differs_from_the_questions(finished):
    sums = recipes.load(str(finished[1])).evaluate.sets[1]
    assert 0 < sums.seed(3) - 3 <= 3001
    run = finished[0] / "run"
    asked = [r["prompt"] for r in rows(run, "problems") if r["source"].startswith("reasoning")]
    assert [r["prompt"] for r in rows(run, "evaluate_sums")] != asked[:12]


def test_the_terminal_shows_one_table_a_set():
    row = {"stage": "base", "round": 1, "n": 10, "samples": 0, "greedy": 0.5, "tokens_mean": 3.0}
    text = text_table([row | {"on": "a"}, row | {"on": "b"}])
    assert text.count("against before") == 2
    assert "10 problems (b), one greedy answer each" in text


def test_a_recipe_with_sets_reads_back_as_itself(finished, tmp_path):
    loaded = recipes.load(str(finished[1]))
    (tmp_path / "again.yaml").write_text(recipes.dump(loaded))
    assert recipes.load(str(tmp_path / "again.yaml")) == loaded
    with pytest.raises(UsageError, match=r"evaluate.heldout: unknown key|evaluate.heldot"):
        recipes.load(str(finished[1]), ["evaluate.heldot={n: 1}"])
