"""Exports of real runs: loaded by others' means alone, with cards that say what is true."""

import asyncio
import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from pipelines import recipe as recipes
from pipelines import samplers
from pipelines.public import short, shortened, without_paths
from pipelines.run_folder import RunFolder
from tests.pipelines.recipe_text import TINY
from tests.pipelines.test_run import distill, rows
from tests.pipelines.test_trace import everything
from verifiers.sampler import Request

PLAIN = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, prompts = sys.argv[1], json.loads(sys.stdin.read())
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
said = []
for prompt in prompts:
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=True,
        return_tensors="pt",
    )
    ids = model.generate(**inputs, max_new_tokens=32, do_sample=False)
    ids = ids[0, inputs["input_ids"].shape[1] :]
    said.append(tokenizer.decode(ids, skip_special_tokens=True))
ours = {"verifiers", "students", "generators", "pipelines"} & set(sys.modules)
print(json.dumps({"said": said, "ours": sorted(ours), "model": type(model).__name__,
                  "attention": model.config._attn_implementation}))
"""


def plain(folder, prompts):
    """What a folder answers by transformers alone, in a process that cannot import ours."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN, str(folder)], input=json.dumps(prompts), text=True,
        capture_output=True, cwd=folder, env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def greedy(folder, prompts):
    """What our own decoder says."""
    requests = [
        Request(
            messages=[{"role": "user", "content": prompt}], index=n,
            sampling={"temperature": 0.0, "max_tokens": 32},
        )
        for n, prompt in enumerate(prompts)
    ]  # fmt: skip

    async def answers():
        return [c async for c in samplers.local(folder, 8).sample(requests)]

    return [c.text for c in sorted(asyncio.run(answers()), key=lambda c: c.index)]


def card(path):
    """The front matter and the body of a card."""
    _, front, body = path.read_text().split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    data = folder / "very" / "private" / "data"
    data.mkdir(parents=True)
    (data / "others.jsonl").write_text('{"prompt": "How much is a dozen eggs?"}\n')
    (folder / "r.yaml").write_text(
        TINY.replace("n: 150", "n: 90")
        .replace("max_steps: 60", "max_steps: 15")
        .replace(
            "name: tiny\n",
            f"name: tiny\ndescription: Made beside {data}/others.jsonl.\n"
            "warnings: [Arithmetic only.]\n",
        ).replace(
            "student:\n",
            f"curate: {{decontaminate: {{against: [{{path: {data}/others.jsonl}}]}}}}\nstudent:\n",
        ).replace("evaluate:\n", "  - sft: {id: again, max_steps: 2}\nevaluate:\n")
    )  # fmt: skip
    distill("run", folder / "r.yaml", "--run-dir", folder / "run", check=0)
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run):
    out = run.parent / "out" / "tiny"
    before = everything(run)
    done = distill("export", run, "--to", out, check=0)
    assert done.stdout.splitlines() == [str(out / "dataset"), str(out / "student")]
    assert everything(run) == before
    assert [p.name for p in out.parent.iterdir()] == ["tiny"]
    return out


def test_every_configuration_opens(run, exported):
    import datasets

    front, body = card(exported / "dataset" / "README.md")
    names = [config["config_name"] for config in front["configs"]]
    assert names == ["problems", "heldout", "chains", "sft", "rejects", "evaluation"]
    for name in names:
        loaded = datasets.load_dataset(
            str(exported / "dataset"), name, split="train", cache_dir=str(exported.parent / "hf")
        )
        assert loaded.num_rows == len(rows(run, name)) > 0
    shutil.rmtree(exported.parent / "hf")
    assert "`heldout` and `evaluation` are for evaluation only" in body
    assert "> **Warning:** Arithmetic only." in body


def test_a_student_answers_as_it_was_measured_without_us(run, exported):
    prompts = {p["id"]: p["prompt"] for p in rows(run, "heldout")[:12]}
    greedy = {
        r["problem_id"]: r["text"]
        for r in rows(run, "evaluation")
        if r["stage"] == "again" and r["index"] == -1
    }
    found = plain(exported / "student", list(prompts.values()))
    assert found["ours"] == []
    assert found["attention"] == "sdpa"
    assert found["model"] == "Qwen2ForCausalLM"
    assert found["said"] == [greedy[name] for name in prompts]


def test_a_stage_is_chosen_by_its_name(run, exported, tmp_path):
    distill("export", run, "--to", tmp_path / "out", "--stage", "sft", check=0)
    weights = "model.safetensors"
    mine = (tmp_path / "out" / "student" / weights).read_bytes()
    assert mine == (run / "students" / "sft" / weights).read_bytes()
    assert mine != (exported / "student" / weights).read_bytes()
    body = card(tmp_path / "out" / "student" / "README.md")[1]
    assert "\n| sft | sft |" in body
    assert "\n| again | sft |" not in body


def test_the_model_card_says_how_it_was_made_and_what_it_scores(run, exported):
    front, body = card(exported / "student" / "README.md")
    assert front == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["distillation", "sft"],
    }
    assert body.startswith("\n# tiny: again\n")
    stages = json.loads((run / "manifest.json").read_text())["stages"]
    for name in ("sft", "again"):
        counts = stages[f"train:{name}"]["counts"]
        row = next(line for line in body.splitlines() if line.startswith(f"| {name} | sft |"))
        assert f"| {counts['rows']:,} | {counts['steps']} | {counts['tokens']:,} |" in row
    for entry in json.loads((run / "evaluation.json").read_text()):
        low, high = 100 * entry["low"], 100 * entry["high"]
        line = next(x for x in body.splitlines() if x.startswith(f"| {entry['stage']} | {100 * entry['pass@1']:.1f} |"))  # fmt: skip
        assert f"| {low:.1f} - {high:.1f} |" in line
        if "vs" in entry:
            assert f"{100 * entry['vs']['diff']:+.1f} [" in line
    for said in (
        "On `heldout`, 30 problems", "2 answers to each problem, sampled at temperature 1, ",
        "and one greedy answer, of at most 32 tokens", "Seed 3.", "checkpoint_every: 10",
        "> **Warning:** Arithmetic only.", "from `embedded`", "It started from random",
    ):  # fmt: skip
        assert said in body


def test_no_path_of_this_machine_is_in_any_text(run, exported):
    home = str(run.parent)
    texts = [p for p in exported.rglob("*") if p.is_file() and p.suffix != ".safetensors"]
    assert len(texts) > 10
    for path in texts:
        assert home.encode() not in path.read_bytes(), path
    for name in ("dataset", "student"):
        text = (exported / name / "README.md").read_text()
        assert "Made beside data/others.jsonl." in text
        assert "path: data/others.jsonl" in text


def test_hidden_and_internal_files_stay(exported):
    names = {p.name for p in (exported / "student").iterdir()}
    assert names == {
        "README.md", "chat_template.jinja", "config.json", "generation_config.json",
        "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert "attn_implementation" not in (exported / "student" / "config.json").read_text()


def test_an_adapter_goes_along_and_names_its_base(tmp_path):
    shutil.copytree(recipes.EMBEDDED, tmp_path / "some" / "little-model")
    text = (
        TINY.split("evaluate:")[0]
        .replace("n: 150", "n: 20")
        .replace("max_steps: 60", "max_steps: 2")
    )
    start = text.index("  scratch:")
    end = text.index("stages:")
    text = (
        text[:start] + f"  model: {tmp_path}/some/little-model\n  lora: {{rank: 4}}\n" + text[end:]
    )
    (tmp_path / "r.yaml").write_text(text)
    distill("run", tmp_path / "r.yaml", "--run-dir", tmp_path / "run", check=0)
    distill("export", tmp_path / "run", "--to", tmp_path / "out", check=0)
    student = tmp_path / "out" / "student"
    front, body = card(student / "README.md")
    assert front["base_model"] == "little-model"
    assert front["tags"] == ["distillation", "sft", "lora"]
    assert "the LoRA adapter of rank 4 that made them is in `adapter/`" in body
    assert "## Evaluation" not in body
    assert {p.name for p in (student / "adapter").iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors"
    }  # fmt: skip
    for path in student.rglob("*"):
        assert not path.is_file() or str(tmp_path).encode() not in path.read_bytes(), path
    prompts = ["1 + 2 + 3=?", "9 - 4 + 1=?", "2 + 2 - 7 + 1=?"]
    found = plain(student, prompts)
    assert found["said"] == greedy(tmp_path / "run" / "students" / "sft", prompts)
    assert len(set(found["said"])) == 3
    assert found["ours"] == []
    assert [c["config_name"] for c in card(tmp_path / "out" / "dataset" / "README.md")[0]["configs"]] == [
        "problems", "chains", "sft", "rejects"
    ]  # fmt: skip


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(run, exported, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine").write_text("x")
    file.write_text("x")
    before = sorted(tmp_path.rglob("*"))
    new = tmp_path / "new" / "deep"
    for arguments, said in (
        ((copy, "--to", full), f"{full} is not empty"),
        ((copy, "--to", file), f"{file} is not a folder"),
        ((copy, "--to", "hub:me/mine"), "--to hub:me/mine: uploading is not available"),
        (
            (copy, "--to", new, "--stage", "agan"),
            "no student of stage 'agan'; did you mean 'again'?",
        ),
        (
            (copy, "--to", new, "--stage", "base"),
            "no student of stage 'base'; students: sft, again",
        ),
        ((full, "--to", new), f"{full} is not a run folder"),
    ):
        done = distill("export", *arguments, check=2)
        assert said in done.stderr
        assert done.stdout == ""
    folder = RunFolder(copy, recipes.load(str(copy / "recipe.yaml")))
    assert "is in use by process" in distill("export", copy, "--to", new, check=2).stderr
    folder.close()
    (copy / "data" / "sft" / "part-0.parquet").write_text("damaged")
    assert "is damaged" in distill("export", copy, "--to", new, check=1).stderr
    (copy / "data" / "sft" / "part-0.parquet").unlink()
    (copy / "students" / "again" / "generation_config.json").write_text("{")
    assert distill("export", copy, "--to", new, check=1).stderr
    after = [path for path in sorted(tmp_path.rglob("*")) if path in before]
    assert [p for p in before if p.name != "part-0.parquet" or p.exists()] == after
    assert not new.parent.exists()


def test_a_part_of_a_run_gives_a_part(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "data")
    (tmp_path / "empty").mkdir()
    done = distill("export", copy, "--to", tmp_path / "empty", check=0)
    assert done.stdout.splitlines() == [str(tmp_path / "empty" / "student")]
    shutil.rmtree(copy / "students")
    assert "has neither" in distill("export", copy, "--to", tmp_path / "no", check=2).stderr
    shutil.copytree(run / "data", copy / "data")
    done = distill("export", copy, "--to", tmp_path / "data", check=0)
    assert done.stdout.splitlines() == [str(tmp_path / "data" / "dataset")]
    assert (
        "it has none"
        in distill("export", copy, "--to", tmp_path / "n", "--stage", "sft", check=2).stderr
    )


def test_files_of_one_set_fit_together_where_a_column_is_empty(tmp_path):
    import datasets

    folder = RunFolder(tmp_path / "run", recipes.Recipe(name="types"))
    folder.write_table("evaluation", [{"stage": "base", "extracted": None}], "a")
    folder.write_table("evaluation", [{"stage": "sft", "extracted": "3"}], "b")
    folder.close()
    loaded = datasets.load_dataset(
        str(tmp_path / "run" / "data" / "evaluation"), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert loaded["extracted"][:] == [None, "3"]


def test_paths_are_shown_by_their_last_components():
    assert short("/home/me/models/base") == "models/base"
    assert short("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"
    assert shortened({"a": ["/a/b/c.jsonl", "a/b", "/2", "/no_think", 3, None]}) == {
        "a": ["b/c.jsonl", "a/b", "/2", "/no_think", 3, None]
    }
    assert shortened("https://me:secret@host/v1") == "https://host/v1"
    recipe = recipes.Recipe(
        name="r", description="see /data/mine/x", verifiers={"m": {"db": "/data/mine"}}
    )
    assert without_paths("see /data/mine/x", recipe) == "see data/mine/x"
