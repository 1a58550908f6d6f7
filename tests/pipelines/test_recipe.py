"""Recipes: what is refused, and in which words."""

import pytest
import yaml

from pipelines import recipe as recipes
from pipelines.errors import UsageError

GOOD = """\
name: tiny
teacher: {backend: local, model: embedded}
questions:
  - from: reasoning_gym
    dataset: chain_sum
    n: 30
student:
  scratch: {hidden_size: 64, heads: 2}
stages:
  - sft: {epochs: 2}
evaluate:
  heldout: {n: 10}
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return str(path)

    return write


def refusal(path, *overrides):
    with pytest.raises(UsageError) as caught:
        recipes.load(path, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: tiny", "nmae: tiny", "recipe.yaml:1: nmae: unknown key; did you mean 'name'? (and 1 more)"),
        ("    dataset: chain_sum", "    datset: chain_sum", "recipe.yaml:5: questions.0.datset: unknown key; did you mean 'dataset'?"),
        ("{epochs: 2}", "{num_train_epochs: 2}", "recipe.yaml:10: stages.0.sft.num_train_epochs: unknown key; distill calls it 'epochs'"),
        ("{epochs: 2}", "{r: 2}", "stages.0.sft.r: unknown key; known keys:"),
        ("- sft:", "- ppo:", "recipe.yaml:10: stages.0: stage kind 'ppo' is not available; available: 'cpt', 'sft', 'reward_model', 'dpo', 'grpo'"),
        ("backend: local", "backend: triton", "recipe.yaml:2: teacher.backend: 'triton' is not available"),
        ("from: reasoning_gym", "from: documents", "recipe.yaml:4: questions.0: source 'documents' is not available"),
        ("{n: 10}", "{n: 0}", "recipe.yaml:12: evaluate.heldout.n: Input should be greater than 0"),
        ("heads: 2", "heads: 4", "hidden_size / heads must be 32 or 64"),
        ("backend: local, model: embedded", "backend: openai, model: x", "recipe.yaml:2: teacher: backend openai needs base_url"),
        ("model: embedded", "model: x, base_url: 'http://127.0.0.1:9/v1'", "recipe.yaml:2: teacher: base_url is an address that backend openai or batch asks, not local"),
        ("name: tiny", "name: tiny\nname: two", "recipe.yaml:2: not YAML: the key 'name' stands twice"),
        ("epochs: 2", "learning_rate: .inf", "stages.0.sft.learning_rate: Input should be a finite number"),
        ("name: tiny", "name: [", "recipe.yaml:3: not YAML: expected"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_line_and_key(write, old, new, message):
    assert old in GOOD
    assert message in refusal(write(GOOD.replace(old, new)))


def test_on_is_a_key_like_any_other(write):
    text = GOOD.replace("  heldout: {n: 10}\n", "  heldout: {n: 10}\n  on: [heldout]\n")
    assert recipes.load(write(text)).evaluate.on == ["heldout"]


def test_a_recipe_that_is_no_mapping_is_refused(write):
    assert "mapping" in refusal(write("- a\n"))
    assert "mapping" in refusal(write(""))


def test_unknown_recipe_names_get_a_suggestion():
    assert "did you mean 'quickstart'" in refusal("quikstart")


def test_unset_environment_variables_are_named(write, monkeypatch):
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    text = GOOD.replace("model: embedded", "model: $NO_SUCH_FOLDER/m")
    assert (
        "recipe.yaml:2: teacher.model: environment variable NO_SUCH_FOLDER is not set"
        in refusal(write(text))
    )


def test_paths_start_at_the_folder_of_the_recipe(write, tmp_path, monkeypatch):
    monkeypatch.setenv("SOMEWHERE", "sub")
    text = GOOD.replace(
        "  - from: reasoning_gym\n    dataset: chain_sum\n",
        "  - from: jsonl\n    path: $SOMEWHERE/q.jsonl\n",
    )
    loaded = recipes.load(write(text))
    assert loaded.questions[0].path == str(tmp_path / "sub" / "q.jsonl")
    assert loaded.teacher.model == str(recipes.EMBEDDED)


def test_overrides_reach_every_part(write):
    path = write(GOOD)
    loaded = recipes.load(
        path,
        ["stages.sft.learning_rate=0.5", "questions.0.n=7", "curate.verify=false", "seed=3"],
    )
    assert loaded.stages[0].learning_rate == 0.5
    assert loaded.stages[0].epochs == 2
    assert loaded.questions[0].n == 7
    assert loaded.curate.verify is False
    assert loaded.seed == 3
    assert "did you mean 'learning_rate'" in refusal(path, "stages.sft.learning_rat=1")
    assert "no 'dpo' in stages" in refusal(path, "stages.dpo.beta=1")
    assert "write key=value" in refusal(path, "seed")


def test_a_resolved_recipe_reads_back_as_itself(write, tmp_path):
    loaded = recipes.load(write(GOOD))
    again = tmp_path / "again.yaml"
    again.write_text(recipes.dump(loaded))
    assert recipes.load(str(again)) == loaded


def test_shipped_recipes_are_valid(monkeypatch):
    monkeypatch.setenv("DISTILL_DATA", "/nowhere")
    shipped = sorted(recipes.SHIPPED.glob("*.yaml"))
    assert shipped
    for path in shipped:
        monkeypatch.setenv("CHAINS", "/nowhere/chains.jsonl")
        assert recipes.load(path.stem).name == path.stem
        assert isinstance(yaml.safe_load(recipes.dump(recipes.load(path.stem))), dict)


def test_a_model_that_an_endpoint_names_is_no_folder(write, tmp_path):
    (tmp_path / "x").mkdir()
    served = "backend: openai, base_url: 'http://127.0.0.1:9/v1', model: "
    for name in ("x", "embedded", "$x"):
        path = write(GOOD.replace("backend: local, model: embedded", served + name))
        assert recipes.load(str(path)).teacher.model == name
