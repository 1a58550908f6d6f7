"""Answers that stand in the rows of a question file, through whole runs on the command line."""

import json

from tests.pipelines.test_run import distill, rows

RECIPE = """\
name: written
teacher: {backend: local, model: embedded, sampling: {max_tokens: 32}}
questions: [{from: jsonl, path: q.jsonl, solution: [worked, others]}]
chains: {samples: 1}
curate: {sets: [sft, dpo]}
"""


def test_written_answers_go_all_the_way_and_an_edited_one_asks_nobody(tmp_path):
    recipe, questions, run = tmp_path / "r.yaml", tmp_path / "q.jsonl", tmp_path / "run"
    recipe.write_text(RECIPE)

    def write(worked):
        lines = [
            {"prompt": f"{n}+1=?", "answer": str(n + 1), "worked": worked.format(n + 1),
             "others": [f"no idea, perhaps {n}"]}
            for n in range(1, 5)
        ]  # fmt: skip
        questions.write_text("".join(json.dumps(line) + "\n" for line in lines))

    write("It is {}.")
    distill("curate", recipe, "--run-dir", run, check=2)
    distill("generate", recipe, "--run-dir", run, check=0)
    distill("curate", recipe, "--run-dir", run, check=0)
    first = json.loads((run / "manifest.json").read_text())["stages"]["chains"]["counts"]
    assert (first["asked"], first["completions"]) == (4, 12)
    assert "missing" not in first
    chains = rows(run, "chains")
    told = [c for c in chains if json.loads(c["teacher"])["identity"] == "written"]
    assert {(c["text"], c["status"]) for c in told[:2]} == {
        ("It is 2.", "correct"), ("no idea, perhaps 1", "wrong"),
    }  # fmt: skip
    assert {"It is 2.", "It is 5."} <= {row["completion"] for row in rows(run, "sft")}
    assert {row["rejected"] for row in rows(run, "dpo")} >= {"no idea, perhaps 1"}

    write("So it is {}.")
    distill("generate", recipe, "--run-dir", run, check=0)
    again = json.loads((run / "manifest.json").read_text())["stages"]["chains"]["counts"]
    assert (again["asked"], again["completions"]) == (0, 12)
