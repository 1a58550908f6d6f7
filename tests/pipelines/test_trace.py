"""The history of rows, completions and problems of a real run, read while it is locked."""

import json
import shutil
import sqlite3

import pytest

from generators.store import Store
from pipelines import recipe as recipes
from pipelines.run_folder import RunFolder
from pipelines.trace_text import UNSAFE
from tests.pipelines.recipe_text import TINY
from tests.pipelines.test_run import distill, rows
from verifiers.records import Completion

RECIPE = (
    TINY.replace("n: 150", "n: 90")
    .replace(
        "chains: {samples: 3}",
        "  - {from: evolve, n: 25, prompt: 'Write a harder problem: {prompt}'}\n"
        "chains: {samples: 3}\ncurate: {sets: [cpt, sft, dpo, rl]}",
    )
    .replace("stages:\n", "stages:\n  - cpt: {data: questions}\n  - dpo\n  - {sft: {id: again}}\n")
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace")
    (folder / "r.yaml").write_text(RECIPE)
    for part in ("generate", "curate"):
        distill(part, folder / "r.yaml", "--run-dir", folder / "run", check=0)
    return folder / "run"


def traced(run, name):
    return json.loads(distill("trace", run, name, "--json", check=0).stdout)


def test_a_row_of_every_set_knows_its_problem_and_completions(run):
    chains = {c["id"]: c for c in rows(run, "chains")}
    problems = {p["id"]: p for p in rows(run, "problems")}
    roles = {"cpt": ["completion"], "sft": ["completion"], "dpo": ["chosen", "rejected"], "rl": []}
    readers = {"cpt": [], "sft": ["again", "sft"], "dpo": ["dpo"], "rl": []}
    for config, expected in roles.items():
        for row in rows(run, config)[:3]:
            found = traced(run, row["sample_id"])
            assert found["kind"] == "row"
            (use,) = found["rows"]
            assert (use["set"], use["row"]) == (config, row)
            assert use["read_by"] == readers[config]
            assert [c["role"] for c in found["completions"]] == expected
            problem = found["problem"]
            assert problem["prompt"] == problems[row["problem_id"]]["prompt"]
            assert problem["answer"] == problems[row["problem_id"]]["answer"]
            assert problem["gold"] == "computed"
            assert problem["read_by"] == ["cpt"]
            for completion in found["completions"]:
                chain = chains[completion["id"]]
                assert completion["text"] == chain["text"]
                assert completion["request_key"] == chain["request_key"]
                assert completion["teacher"]["identity"].startswith("embedded@")
                assert completion["sampling"] == {"max_tokens": 64, "temperature": 1.0}
                assert completion["usage"]["completion_tokens"] > 0
                verdict = completion["verdict"]
                assert verdict["status"] == chain["status"]
                assert verdict["method"]
                assert verdict["version"]
                assert verdict["seconds"] > 0
                assert completion["other_verdicts"] == []


def test_a_pair_is_of_a_right_and_a_wrong_completion(run):
    found = traced(run, rows(run, "dpo")[0]["sample_id"])
    assert [c["verdict"]["status"] for c in found["completions"]] == ["correct", "wrong"]


def test_measured_difficulty_is_that_of_the_chains(run):
    chains = rows(run, "chains")
    for problem in rows(run, "problems")[:5]:
        statuses = [c["status"] for c in chains if c["problem_id"] == problem["id"]]
        measured = traced(run, problem["id"])["problem"]["measured"]
        assert measured["correct"] == statuses.count("correct")
        assert measured["wrong"] == statuses.count("wrong")
        assert measured["undecided"] == statuses.count("undecided")


def test_a_written_question_knows_who_wrote_it_and_its_ancestors(run):
    written = next(p for p in rows(run, "problems") if p["source"] == "evolve")
    found = traced(run, written["id"])
    writer = found["problem"]["written_by"]
    assert found["kind"] == "problem"
    assert writer["id"] == json.loads(written["meta"])["written_by"]
    assert writer["text"].strip() == written["prompt"]
    assert writer["usage"]["completion_tokens"] > 0
    (parent,) = found["problem"]["parents"]
    assert [parent["id"]] == json.loads(written["parents"])
    assert parent["measured"]["pass_rate"] is not None
    assert len(found["completions"]) == 3
    said = distill("trace", run, written["id"], check=0).stdout
    assert f"Written by {writer['id']}" in said
    assert f"  Parent {parent['id']}" in said
    assert parent["prompt"] in said


def test_a_completion_knows_where_it_went(run):
    kept, dropped = rows(run, "sft")[0], rows(run, "rejects")[0]
    found = traced(run, kept["completion_id"])
    assert found["kind"] == "completion"
    assert {"sft", "cpt"} <= {use["set"] for use in found["rows"]}
    found = traced(run, dropped["completion_id"])
    assert dropped in [use["row"] for use in found["rows"] if use["set"] == "rejects"]
    assert (
        f"by {dropped['filter']}" in distill("trace", run, dropped["completion_id"], check=0).stdout
    )


def test_a_held_out_problem_has_no_chains(run):
    held = rows(run, "heldout")[0]
    found = traced(run, held["id"])
    assert (found["problem"]["table"], found["problem"]["measured"]) == ("heldout", None)
    assert (found["rows"], found["completions"]) == ([], [])
    assert distill("trace", run, held["id"], check=0).stdout.startswith("Held-out problem ")


def test_the_text_is_plain_where_it_is_piped(run):
    name = rows(run, "dpo")[0]["sample_id"]
    said = distill("trace", run, name, check=0).stdout
    assert said.startswith(f"Row {name} of ")
    assert "of dpo, read by dpo" in said
    assert "Chosen " in said
    assert "Rejected " in said
    assert "out, no bill" in said
    assert "\x1b" not in said
    assert not any(UNSAFE.search(line) for line in said.split("\n"))


def test_a_slip_in_an_id_is_pointed_out(run):
    name = rows(run, "sft")[0]["sample_id"]
    for slip in (name[:-1], "0" + name[1:-1] + name[-1], name[:20] + "0000", name + "9"):
        if slip != name:
            done = distill("trace", run, slip, check=2)
            assert f"{slip!r}; did you mean {name!r}?" in done.stderr
    done = distill("trace", run, "nothing-like-it", check=2)
    assert done.stderr == f"distill: {run} has no row, completion or problem 'nothing-like-it'\n"
    assert "is not a run folder" in distill("trace", run / "data", name, check=2).stderr


def everything(folder):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_tracing_writes_nothing(run):
    before = everything(run)
    distill("trace", run, rows(run, "sft")[0]["sample_id"], check=0)
    distill("trace", run, "nothing", check=2)
    assert everything(run) == before


def test_a_run_at_work_can_be_traced(run, tmp_path):
    """The lock is held, the store is open for writing, and the last stages are not there yet."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    name = rows(run, "sft")[0]
    folder = RunFolder(copy, recipes.load(str(copy / "recipe.yaml")))
    with folder.store() as store:
        fresh = Completion(problem_id=name["problem_id"], text="fresh", request_key="k")
        store.put([fresh])
        assert traced(copy, name["sample_id"])["kind"] == "row"
        assert traced(copy, fresh.id)["completions"][0]["text"] == "fresh"
        folder.drop_table("sft")
        folder.drop_table("chains")
        assert (
            traced(copy, name["completion_id"])["completions"][0]["verdict"]["status"] == "correct"
        )
    folder.close()


def test_a_run_without_its_store_is_told_from_its_tables(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "store.sqlite").unlink()
    row = rows(run, "sft")[0]
    verdict = traced(copy, row["sample_id"])["completions"][0]["verdict"]
    assert (verdict["status"], verdict["method"]) == ("correct", "")
    written = next(p for p in rows(run, "problems") if p["source"] == "evolve")
    assert traced(copy, written["id"])["problem"]["written_by"]["missing"]


def test_what_older_judges_said_is_told_too(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    row = rows(run, "sft")[0]
    with Store(copy / "store.sqlite") as store:
        (verdict,) = store.verdicts(row["completion_id"])
        older = verdict.model_copy(
            update={"status": "wrong", "reason": "different", "version": "0"}
        )
        store.judged("an older judge", row["completion_id"], older)
        store.flush()
    (completion,) = traced(copy, row["sample_id"])["completions"]
    assert completion["verdict"] == verdict.model_dump(mode="json")
    assert completion["other_verdicts"] == [older.model_dump(mode="json")]


def test_terminal_codes_in_a_text_are_shown_not_sent(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    with Store(copy / "store.sqlite") as store:
        evil = Completion(problem_id="p", text="\x1b[2Jgone\x07 \u202eback [bold]", request_key="e")
        store.put([evil])
    said = distill("trace", copy, evil.id, check=0).stdout
    assert "\\x1b[2Jgone\\x07 \\u202eback [bold]" in said


def test_a_reading_store_cannot_write(tmp_path):
    with Store(tmp_path / "s.sqlite"):
        pass
    with (
        Store(tmp_path / "s.sqlite", readonly=True) as store,
        pytest.raises(sqlite3.OperationalError),
    ):
        store.put([Completion(problem_id="p", text="", request_key="k")])
