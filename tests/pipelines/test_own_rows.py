"""Stages that learn from rows of the user's own, with no teacher asked or beside the run's rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators.curation.config import DecontaminateConfig
from generators.curation.decontaminate import HeldOut
from generators.errors import SourceError
from generators.rows import read
from pipelines import recipe as recipes
from pipelines import run as running
from pipelines.errors import PipelineError, UsageError
from pipelines.graph import nodes
from pipelines.model_card import model_card
from pipelines.own_rows import OwnRows
from pipelines.run_folder import RunFolder
from pipelines.trace import readers
from students.config import CPT, DPO, SFT
from verifiers.records import Problem

RECIPE = """
name: own
student: {scratch: {hidden_size: 32, layers: 1, heads: 1, intermediate_size: 32}}
stages:
- cpt: {data: texts.parquet, max_length: 32, max_steps: 2}
- sft: {data: chats.jsonl, max_steps: 2, too_long: drop, max_length: 64, bad_rows: drop}
- dpo: {data: pairs, max_steps: 1}
evaluate:
  on: [{from: jsonl, name: sums, path: sums.jsonl, verifier: exact}]
  samples: 0
  max_tokens: 2
"""
TEXTS = [{"text": "a text of some words, " * n} for n in (1, 2, 3)]
CHATS = [
    *({"conversations": [{"from": "human", "value": f"{n}?"}, {"from": "gpt", "value": "so"}]} for n in range(8)),
    {"instruction": "2+3=?", "output": "5"},
    {"instruction": "long", "output": "x" * 80},
    {"odd": 1},
]  # fmt: skip
PAIRS = [{"prompt": f"{n}?", "chosen": "yes", "rejected": "no"} for n in range(4)]


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path):
    import datasets

    lines(tmp_path / "chats.jsonl", CHATS)
    lines(tmp_path / "sums.jsonl", [{"prompt": "2+3=?", "answer": "5"}])
    pq.write_table(pa.Table.from_pylist(TEXTS), tmp_path / "texts.parquet")
    datasets.Dataset.from_list(PAIRS).save_to_disk(str(tmp_path / "pairs"))
    (tmp_path / "own.yaml").write_text(RECIPE)
    return tmp_path


@pytest.mark.slow
def test_a_recipe_of_own_rows_trains_and_measures_without_a_teacher(files):
    recipe = recipes.load(str(files / "own.yaml"))
    table = running.run(recipe, files / "run")
    assert [row["stage"] for row in table] == ["base", "cpt", "sft", "dpo"]
    stages = json.loads((files / "run" / "manifest.json").read_text())["stages"]
    assert "chains" not in stages
    counts = {name: stages[f"train:{name}"]["counts"] for name in ("cpt", "sft", "dpo")}
    assert counts["cpt"]["too_long_split"] == 2
    assert counts["cpt"]["rows"] == 3
    # eleven rows but for the one that is measured on
    assert counts["sft"]["rows"] == 10
    dropped = {key: value for key, value in counts["sft"].items() if key.endswith("_dropped")}
    assert dropped == {"heldout_dropped": 1, "bad_dropped": 1, "too_long_dropped": 1}
    assert counts["dpo"]["rows"] == 4
    for card in ((files / "run" / "data" / "README.md").read_text(), _card(files / "run", recipe)):
        assert "Stage `sft` learned from 10 rows of `chats.jsonl`" in card
        assert "not verified" in card
        assert "judged against ground truth" not in card
        assert str(files) not in card


def _card(run, recipe):
    folder = RunFolder(run, recipe)
    try:
        return model_card(folder, "sft", adapter=False)
    finally:
        folder.close()


def test_an_edited_file_is_trained_on_again_and_no_other_stage(files):
    def prints():
        recipe = recipes.load(str(files / "own.yaml"))
        plan = nodes(recipe)
        return {node.name: node.config for node in plan if node.part == "train"}

    before = prints()
    lines(files / "chats.jsonl", CHATS[:3])
    after = prints()
    assert [name for name in before if before[name] != after[name]] == ["train:sft"]


def test_what_cannot_be_is_said_before_anything_is_written(files):
    def refused(text, *overrides):
        (files / "own.yaml").write_text(text)
        with pytest.raises(UsageError) as error:
            running.run(recipes.load(str(files / "own.yaml"), overrides), files / "run")
        assert not (files / "run").exists()
        return str(error.value)

    assert "no such file" in refused(RECIPE, "stages.sft.data=nothing.jsonl")
    without = RECIPE[: RECIPE.index("evaluate")] + "evaluate: {samples: 0}\n"
    assert "heldout needs questions" in refused(without)
    mixed = RECIPE.replace("- dpo: {data: pairs, max_steps: 1}", "- dpo")
    assert "no teacher" in refused(mixed)


def test_rows_that_are_refused_are_counted_and_nothing_is_trained(files):
    recipe = recipes.load(str(files / "own.yaml"), ["stages.sft.bad_rows=refuse"])
    with pytest.raises(PipelineError, match="1 of 10 rows are of no known format"):
        running.run(recipe, files / "run")
    assert not (files / "run" / "students" / "sft").exists()


def test_trace_knows_that_no_stage_reads_a_table_of_the_run(files):
    recipe = recipes.load(str(files / "own.yaml"))
    assert readers(recipe, "sft") == readers(recipe, "problems") == []


def own(stage, heldout, config):
    problems = [Problem(prompt=text, answer="1", verifier="exact") for text in heldout]
    return OwnRows(stage, problems, config)


def test_copies_of_held_out_problems_are_left_out_of_chats_texts_and_pairs(tmp_path):
    asked = "How many apples does Ann have if she buys 12 and eats 5 of them?"
    other = asked.replace("12", "13")
    rows = [asked, other, "2+3=?", "something else"]
    chats = lines(tmp_path / "c.jsonl", [{"prompt": row, "completion": "7"} for row in rows])
    pairs = lines(
        tmp_path / "p.jsonl", [{"prompt": row, "chosen": "7", "rejected": "8"} for row in rows]
    )
    texts = lines(
        tmp_path / "t.jsonl", [{"text": f"A page. {row} It says so. More words."} for row in rows]
    )
    held = [asked.upper(), "2+3=?"]
    for path, stage in ((chats, SFT), (pairs, DPO)):
        found = own(stage(data=str(path)), held, DecontaminateConfig())
        assert [row["prompt"] for row in found] == ["something else"]
        assert found.counts == {"heldout_dropped": 3}
        assert [row["prompt"] for row in found] == ["something else"]
        exact = own(stage(data=str(path)), held, None)
        assert [row["prompt"] for row in exact] == [other, "something else"]
    found = own(CPT(data=str(texts)), held, DecontaminateConfig())
    assert ["something else" in row["text"] for row in found] == [True]
    exact = own(CPT(data=str(texts)), held, None)
    assert [other in row["text"] for row in exact] == [True, False]
    with pytest.raises(PipelineError, match="all of them"):
        list(own(SFT(data=str(chats)), rows, DecontaminateConfig()))


def test_a_short_prompt_is_not_looked_for_inside_texts():
    held = HeldOut([("a", "2+3=?")], DecontaminateConfig())
    assert held.inside("it was asked 2+3=? and answered") is None


def test_a_saved_dataset_of_several_splits_needs_a_name(tmp_path):
    import datasets

    split = datasets.Dataset.from_list(PAIRS)
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(str(tmp_path / "d"))
    with pytest.raises(SourceError, match="several splits"):
        list(read(tmp_path / "d"))
    assert list(read(tmp_path / "d" / "train")) == PAIRS
