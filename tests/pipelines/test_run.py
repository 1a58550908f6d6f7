"""Whole runs of a small recipe, through the command line."""

import contextlib
import io
import json
import re
import shutil
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from tests.pipelines.recipe_text import TINY


def distill(*arguments, check):
    """What a command prints, in this process; its exit status must be `check`."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
    assert status == check, err.getvalue()
    return SimpleNamespace(stdout=out.getvalue(), stderr=err.getvalue())


def rows(folder, config):
    return [
        r
        for f in sorted((folder / "data" / config).glob("*.parquet"))
        for r in pq.read_table(f).to_pylist()
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    recipe = folder / "tiny.yaml"
    recipe.write_text(TINY)
    done = distill("run", recipe, "--run-dir", folder / "run", check=0)
    return folder, recipe, done


def test_a_run_ends_with_a_table_and_a_report(finished):
    folder, _, done = finished
    assert "pass@1" in done.stdout
    head, _, base, sft, teacher, *_ = done.stdout.splitlines()
    assert re.search(r"pass@1 +95 % interval +greedy +tokens +against before +to teacher", head)
    step, interval = r"[+-]\d+\.\d", r"\[[+-]\d+\.\d, [+-]\d+\.\d\]"
    assert re.search(rf"^base .* - +{step} {interval}$", base)
    assert re.search(rf"^sft .*{interval} +(improved|flat|regressed) +{step} {interval}$", sft)
    assert teacher.startswith("teacher")
    assert f"report: {folder / 'run' / 'report.html'}" in done.stdout
    assert (folder / "run" / "report.html").stat().st_size > 10_000


def test_every_completion_is_kept_with_its_verdict(finished):
    run = finished[0] / "run"
    problems, chains = rows(run, "problems"), rows(run, "chains")
    assert len(problems) == 120
    assert len(chains) == 360
    assert {c["status"] for c in chains} <= {"correct", "wrong", "undecided"}
    assert {c["problem_id"] for c in chains} == {p["id"] for p in problems}
    kept, dropped = rows(run, "sft"), rows(run, "rejects")
    correct = {c["id"] for c in chains if c["status"] == "correct"}
    assert {r["completion_id"] for r in kept} <= correct
    assert {r["completion_id"] for r in kept} | {r["completion_id"] for r in dropped} >= {
        c["id"] for c in chains
    }


def test_held_out_problems_are_neither_asked_nor_trained_on(finished):
    run = finished[0] / "run"
    held = {p["id"] for p in rows(run, "heldout")}
    assert len(held) == 30
    assert not held & {p["id"] for p in rows(run, "problems")}
    assert not held & {r["problem_id"] for r in rows(run, "sft")}
    assert held == {r["problem_id"] for r in rows(run, "evaluation")}


def test_the_evaluation_is_that_of_its_raw_rows(finished):
    run = finished[0] / "run"
    table = {r["stage"]: r for r in json.loads((run / "evaluation.json").read_text())}
    assert list(table) == ["base", "sft", "teacher"]
    raw = rows(run, "evaluation")
    for stage, figures in table.items():
        mine = [r for r in raw if r["stage"] == stage and r["index"] >= 0]
        assert len(mine) == 60
        mean = sum(r["status"] == "correct" for r in mine) / 60
        assert figures["pass@1"] == pytest.approx(mean, abs=1e-5)
        assert figures["low"] <= mean <= figures["high"]


def test_metrics_have_one_line_a_step(finished):
    lines = [
        json.loads(x) for x in (finished[0] / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [x["step"] for x in lines] == list(range(1, 61))
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_the_card_opens_every_configuration(finished):
    import datasets

    data = str(finished[0] / "run" / "data")
    for config in ("problems", "heldout", "chains", "sft", "rejects", "evaluation"):
        loaded = datasets.load_dataset(
            data, config, split="train", cache_dir=str(finished[0] / "hf")
        )
        assert loaded.num_rows == len(rows(finished[0] / "run", config))


def test_running_again_does_nothing_and_a_changed_section_redoes_only_what_depends_on_it(finished):
    folder, recipe, _ = finished
    again = distill("run", recipe, "--run-dir", folder / "run", check=0)
    assert again.stderr.count("already done") == 7
    changed = distill(
        "run", recipe, "--run-dir", folder / "run", "--set", "stages.sft.max_steps=61", check=0
    )
    done = [
        x.split(":")[0] + ":" + x.split(":")[1]
        for x in changed.stderr.splitlines()
        if "already done" in x
    ]
    assert "train:sft" not in " ".join(done)
    assert changed.stderr.count("already done") == 5
    distill("run", recipe, "--run-dir", folder / "run", check=0)


def test_plan_touches_nothing(finished, tmp_path):
    _, recipe, _ = finished
    done = distill("plan", recipe, "--run-dir", tmp_path / "new", "--json", check=0)
    plan = json.loads(done.stdout)
    assert plan["requests"] == 360
    assert (plan["most_tokens"], plan["most_usd"]) == (360 * 64, 0)
    assert plan["requests_beside"] == {"written": 0, "measured": 30 * 3}
    assert plan["heldout"] == 30
    assert [s["done"] for s in plan["stages"]] == [False] * 7
    assert not (tmp_path / "new").exists()


def test_parts_run_alone_and_in_order(finished, tmp_path):
    _, recipe, _ = finished
    run = tmp_path / "run"
    early = distill("curate", recipe, "--run-dir", run, check=2)
    assert "run the parts before it first" in early.stderr
    assert not run.exists()
    distill("generate", recipe, "--run-dir", run, check=0)
    distill("curate", recipe, "--run-dir", run, check=0)
    assert rows(run, "sft")
    assert not (run / "students").exists()


def test_the_unfiltered_arm_is_never_called_verified(finished, tmp_path):
    folder, recipe, _ = finished
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    done = distill("curate", recipe, "--run-dir", run, "--set", "curate.verify=false", check=0)
    counts = json.loads((run / "manifest.json").read_text())["stages"]["curate"]["counts"]
    status = {c["id"]: c["status"] for c in rows(run, "chains")}
    unconfirmed = sum(status[r["completion_id"]] != "correct" for r in rows(run, "sft"))
    assert counts["unconfirmed"] == unconfirmed > 0
    told = f"{unconfirmed:,} of the {len(rows(run, 'sft')):,} rows of `sft` are chains that"
    distill("export", run, "--to", tmp_path / "out", check=0)
    for card in (run / "data", tmp_path / "out" / "dataset", tmp_path / "out" / "student"):
        text = (card / "README.md").read_text()
        assert told in text
        assert "verified chains" not in text
    assert "judged against ground truth" not in (tmp_path / "out/student/README.md").read_text()
    old = json.loads((run / "manifest.json").read_text())["outdated"]
    assert old == ["train:sft", "evaluate:sft"]
    assert "of an earlier recipe, to be done again: train:sft, evaluate:sft" in done.stderr
    for page, here in ((run, True), (folder / "run", False)):
        text = (page / "report.html").read_text()
        assert ("<b>Unverified.</b>" in text) == here
        assert ("In part of an earlier recipe." in text) == here


def test_another_recipe_in_the_folder_is_refused(finished, tmp_path):
    folder, _, _ = finished
    other = tmp_path / "other.yaml"
    other.write_text(TINY.replace("name: tiny", "name: other"))
    before = (folder / "run" / "recipe.yaml").read_text()
    done = distill("run", other, "--run-dir", folder / "run", check=2)
    assert "holds the run of recipe 'tiny'" in done.stderr
    assert (folder / "run" / "recipe.yaml").read_text() == before


def test_a_run_folder_in_use_is_refused(finished):
    import fcntl

    folder, recipe, _ = finished
    with (folder / "run" / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = distill("run", recipe, "--run-dir", folder / "run", check=2)
    assert "in use by process" in done.stderr


def test_an_empty_training_set_says_which_filter_took_what(finished, tmp_path):
    _, recipe, _ = finished
    done = distill(
        "run",
        recipe,
        "--run-dir",
        tmp_path / "run",
        "--set",
        "chains.sampling={max_tokens: 3}",
        check=1,
    )
    assert "nothing is left for sft" in done.stderr
    assert "truncated" in done.stderr


@pytest.mark.parametrize("name", ["..", "../evil", ".", "a/b", "", ".reference"])
def test_a_stage_id_never_leaves_its_folder(finished, name):
    folder, recipe, _ = finished
    done = distill(
        "run", recipe, "--run-dir", folder / "run", "--set", f"stages.sft.id='{name}'", check=2
    )
    assert "stages.0.sft.id" in done.stderr
    assert (folder / "run" / "store.sqlite").exists()


@pytest.mark.parametrize("piece", ["data/chains", "data/sft", "students/sft", "data/evaluation"])
def test_what_was_removed_is_made_again(finished, tmp_path, piece):
    folder, recipe, _ = finished
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    table = (run / "evaluation.json").read_text()
    shutil.rmtree(run / piece)
    done = distill("run", recipe, "--run-dir", run, check=0)
    assert done.stderr.count("already done") < 7
    assert (run / piece).is_dir()
    assert (run / "evaluation.json").read_text() == table


@pytest.mark.parametrize(
    ("file", "content", "status"),
    [
        ("manifest.json", "{", 2),
        ("manifest.json", '{"stages": []}', 2),
        ("recipe.yaml", "{", 2),
        ("data/heldout/part-0.parquet", "garbage", 1),
        ("store.sqlite", "garbage" * 1000, 2),
    ],
)
def test_a_damaged_run_folder_is_named_in_one_sentence(finished, tmp_path, file, content, status):
    folder, recipe, _ = finished
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    (run / file).write_text(content)
    for old in run.glob("store.sqlite-*"):
        old.unlink()
    shutil.rmtree(run / "data" / "chains")
    done = distill("run", recipe, "--run-dir", run, check=status)
    assert done.stderr.splitlines()[-1].startswith("distill: ")


def test_an_edited_question_file_is_asked_again(tmp_path):
    questions, recipe = tmp_path / "q.jsonl", tmp_path / "r.yaml"
    rows = [{"prompt": f"{a} + 1=?", "answer": str(a + 1)} for a in range(5)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe.write_text(
        "name: files\nteacher: {backend: local, model: embedded}\nquestions: [{from: jsonl, path: q.jsonl}]\n"
    )
    distill("generate", recipe, "--run-dir", tmp_path / "run", check=0)
    rows.append({"prompt": "8 + 1=?", "answer": "9"})
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    distill("generate", recipe, "--run-dir", tmp_path / "run", check=0)
    counts = json.loads((tmp_path / "run" / "manifest.json").read_text())["stages"]["chains"][
        "counts"
    ]
    assert counts["completions"] == 24
    assert counts["asked"] == 4


def test_written_questions_are_asked_with_computed_ground_truth(tmp_path):
    source = "questions.0={from: reasoning_gym, dataset: chain_sum, n: 60, prompt: '{metadata[expression]}=?'}"
    written = tmp_path / "written.yaml"
    written.write_text(
        TINY.replace(
            "chains: {samples: 3}",
            "  - {from: evolve, n: 40, prompt: 'Write a harder problem: {prompt}'}\nchains: {samples: 3}",
        )
    )
    distill("generate", written, "--run-dir", tmp_path / "run", "--set", source, check=0)
    stages = json.loads((tmp_path / "run" / "manifest.json").read_text())["stages"]
    assert stages["questions"]["counts"]["written"] > 20
    decided = {}
    for chain in rows(tmp_path / "run", "chains"):
        if chain["status"] != "undecided":
            decided.setdefault(chain["problem_id"], []).append(chain["status"] == "correct")
    rates = {name: sum(right) / len(right) for name, right in decided.items()}
    pairs = [
        (row["id"], json.loads(row["parents"])[0])
        for row in rows(tmp_path / "run", "problems")
        if row["source"] == "evolve"
    ]
    steps = [rates[own] - rates[parent] for own, parent in pairs if {own, parent} <= rates.keys()]
    counts = stages["chains"]["counts"]
    harder = sum(step < 0 for step in steps) / len(steps)
    easier = sum(step > 0 for step in steps) / len(steps)
    assert counts["harder_than_parent"] == pytest.approx(harder, abs=1e-4)
    assert counts["easier_than_parent"] == pytest.approx(easier, abs=1e-4)
    told = f"{100 * harder:.1f} % of them have a lower measured pass rate than the problem they"
    assert told in (tmp_path / "run" / "report.html").read_text()
    made = [r for r in rows(tmp_path / "run", "problems") if r["source"] == "evolve"]
    known = {r["id"] for r in rows(tmp_path / "run", "problems")}
    assert all(json.loads(r["parents"])[0] in known and r["gold"] == "computed" for r in made)


def test_all_stages_of_the_life_cycle_run_after_each_other(tmp_path):
    cycle = tmp_path / "cycle.yaml"
    cycle.write_text(
        TINY.replace(
            "stages:\n",
            "stages:\n  - cpt: {data: questions, max_steps: 4, tokens_per_step: 1000}\n",
        ).replace(
            "evaluate:\n",
            "  - dpo: {max_steps: 3, tokens_per_step: 1000}\n"
            "  - grpo: {rounds: 2, prompts: 8, group_size: 8, max_tokens: 32, refill: 6}\nevaluate:\n",
        )
    )
    distill("run", cycle, "--run-dir", tmp_path / "run", check=0)
    table = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert [r["stage"] for r in table] == ["base", "cpt", "sft", "dpo", "grpo", "teacher"]
    assert [r["vs"]["stage"] for r in table[1:]] == ["base", "cpt", "sft", "dpo", "grpo"]
    assert rows(tmp_path / "run", "dpo")
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    for line in (x for x in lines if x["stage"] == "grpo"):
        assert 0 <= line["self_check"] <= 1
        assert ("recovered" in line) == (line["wrong_step"] > 0)
    page = (tmp_path / "run" / "report.html").read_text()
    for heading in ("Self-checks", "The same problem after every stage", "Preference pairs"):
        assert f"<h2>{heading}</h2>" in page
