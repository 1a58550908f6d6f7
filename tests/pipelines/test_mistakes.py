"""A user's mistakes: one sentence, exit status 2, nothing written."""

import json

import pytest

from tests.pipelines.recipe_text import TINY
from tests.pipelines.test_run import distill


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--set", "questions.0.verifier=maths"], "did you mean 'math'"),
        (["--set", "questions.0.dataset=chain_sums"], "chain_sums"),
        (["--set", "questions.0.prompt='{metadata[nope]}'"], "no '{metadata[nope]}' in its items"),
        (["--set", "questions=[{from: jsonl, path: nowhere.jsonl}]"], "no such file"),
        (["--set", "teacher.model=/nowhere/model"], "no model at '/nowhere/model'"),
        (["--set", "evaluate.heldout.n=1000"], "cannot hold out 1000 of 150 problems"),
        (["--set", "teacher={backend: recorded, path: nowhere.jsonl}"], "no such file"),
        (["--set", "teacher={backend: openai, model: m, base_url: 'https://example.org/v1', api_key_env: NO_KEY}"], "NO_KEY"),
        (["--set", "questions=[{from: evolve}]"], "from those of other sources"),
        (["--set", "questions=[{from: reasoning_gym, dataset: chain_sum}, {from: evolve, prompt: 'harder'}]"], "questions.1.prompt: {prompt} is missing"),
        (["--set", "questions=[{from: reasoning_gym, dataset: chain_sum}, {from: evolve, verifier: exact}]"], "exact computes no ground truth"),
        (["--set", "questions=[{n: 3}]"], "questions.0: 'from' is missing"),
        (["--set", "stages=[{epochs: 1, id: x}]"], "stages.0: 'kind' is missing"),
        (["--set", "stages=[{grpo: {num_generations: 4}}]"], "distill calls it 'group_size'"),
        (["--set", "stages=[{grpo: {beta: 0.1}}]"], "distill calls it 'kl'"),
        (["--set", "stages=[{grpo: {overlong: 99, max_tokens: 50}}]"], "overlong 99 is above max_tokens 50"),
        (["--set", "stages=[{grpo: {epochs: 2}}]"], "epochs is for stages that read rows"),
        (["--set", "teacher.sampling.logprobs=2"], "keeps no sampling.logprobs"),
        (["--store", "nowhere/store.sqlite"], "no store can be at nowhere/store.sqlite"),
        (["--bogus", "1"], "--bogus"),
        (["more"], "run: one argument too many: more"),
        (["--limit"], "run: --limit needs a value"),
    ],
)  # fmt: skip
def test_users_mistakes_end_in_one_sentence_and_write_nothing(recipe, tmp_path, change, message):
    done = distill("run", recipe, "--run-dir", tmp_path / "run", *change, check=2)
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_missing_columns(recipe, tmp_path):
    questions = tmp_path / "q.jsonl"
    source = f"questions=[{{from: jsonl, path: {questions}, prompt: question}}]"
    questions.write_text('{"q": "1+1=?", "answer": "2"}\n' * 3)
    done = distill("run", recipe, "--run-dir", tmp_path / "run", "--set", source, check=2)
    assert "no row has column 'question' for prompt (columns: answer, q)" in done.stderr
    assert not (tmp_path / "run").exists()
    good = [{"question": f"{a} + {b}=?", "answer": str(a + b)} for a in range(10) for b in range(9)]
    lines = [json.dumps(g) for g in good] + [
        '{"question": "3 + 3=?"}',
        "not json",
        '{"question": "9 + 9=?", "answer": "??:"}',
    ]
    questions.write_text("\n".join(lines))
    done = distill("generate", recipe, "--run-dir", tmp_path / "run", "--set", source, check=0)
    counts = json.loads((tmp_path / "run" / "manifest.json").read_text())["stages"]
    assert counts["questions"]["counts"]["bad_row"] == 2


def test_an_existing_empty_folder_stays_empty_after_a_mistake(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    distill(
        "run", recipe, "--run-dir", tmp_path / "run", "--set", "evaluate.heldout.n=1000", check=2
    )
    assert not list((tmp_path / "run").iterdir())
    distill(
        "run",
        recipe,
        "--run-dir",
        tmp_path / "a" / "b",
        "--set",
        "evaluate.heldout.n=1000",
        check=2,
    )
    assert not (tmp_path / "a").exists()
