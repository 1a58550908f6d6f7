"""`distill verify`: odd rows are verdicts, the user's mistakes are told before anything is judged."""

import json
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.errors import UsageError
from pipelines.verify import verify_file
from tests.pipelines.test_run import distill
from verifiers.box import ladder

GOOD = '{"id": "good", "answer": "4", "completion": "4"}'


def refuse(value):
    raise AssertionError(f"{value} is no JSON")


def verdicts(folder, lines, encoding="utf-8"):
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text("\n".join([GOOD, *lines]), encoding=encoding)
    verify_file(source, output, "exact", workers=1)
    rows = [json.loads(line, parse_constant=refuse) for line in output.read_text().splitlines()]
    assert (rows[0]["id"], rows[0]["status"]) == ("good", "correct")
    assert sorted(path.name for path in folder.iterdir()) == ["in.jsonl", "out.jsonl"]
    return rows[1:]


def row(**fields):
    return json.dumps({"id": 7, "answer": "4", "completion": "4", **fields})


DEEP = "[" * 5000 + "]" * 5000
ODD = [
    (f'{{"answer": {DEEP}, "completion": "4"}}', " is nested too deeply"),
    (DEEP, " is nested too deeply"),
    (row(answer=float("nan")), "answer holds NaN or Infinity"),
    (row(completion=4), "completion is not a text"),
    (row(prompt=["a"]), "message 1 of the prompt is not an object"),
    (row(prompt={"a": 1}), "prompt is neither a text nor a chat"),
    (row(prompt=[{"role": "user", "content": None}]), "content of message 1 of the prompt"),
    (row(verifier="nosuch"), "unknown verifier 'nosuch'"),
]


def test_odd_rows_are_bad_rows_and_say_why(tmp_path):
    found = verdicts(tmp_path, [line for line, _ in ODD], "utf-8-sig")
    assert [(v["status"], v["reason"]) for v in found] == [("undecided", "bad_row")] * len(ODD)
    for verdict, (_, words) in zip(found, ODD, strict=True):
        assert words in verdict["detail"]


def test_an_id_that_json_cannot_hold_is_null(tmp_path):
    ids = [float("nan"), float("inf"), {"a": [float("nan")]}, None, "\ud800", 5]
    found = verdicts(tmp_path, [row(id=name) for name in ids])
    assert [v["id"] for v in found] == [None, None, None, None, "?", 5]
    assert {v["status"] for v in found} == {"correct"}


def test_prompts_that_were_fine_still_are(tmp_path):
    chat = [{"role": "tool", "content": "a"}]
    found = verdicts(tmp_path, [row(prompt=value) for value in ("a", "", None, [], chat)])
    assert {v["status"] for v in found} == {"correct"}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A good input, where judging is a failure of the test."""
    monkeypatch.setattr("pipelines.verify._verify", None)
    (tmp_path / "in.jsonl").write_text(GOOD)
    return tmp_path / "in.jsonl"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (".", "is not a file"),
        ("/dev/null", "is not a file"),
        ("nosuch/out.jsonl", "no such folder"),
        ("in.jsonl/out.jsonl", "no such folder"),
        ("/proc/out.jsonl", "cannot write /proc/out.jsonl: "),
        ("x" * 300, "File name too long"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(source, output, words):
    with pytest.raises(UsageError, match=words):
        verify_file(source, source.parent / output, "exact", 1)
    assert list(source.parent.iterdir()) == [source]
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_workers_below_one_are_refused(source, workers, capsys):
    output = source.with_name("out.jsonl")
    with pytest.raises(SystemExit) as caught:
        main(["verify", str(source), "--output", str(output), "--workers", workers])
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"distill: --workers must be at least 1, not {workers}\n"
    assert not output.exists()


def test_explain_says_what_was_found_and_where(tmp_path, capsys):
    source = tmp_path / "in.jsonl"
    lines = [row(completion="So \\boxed{4}."), row(completion="\x1b[2J"), row(completion=None)]
    source.write_text("\n".join(lines))
    with pytest.raises(SystemExit) as caught:
        main(["verify", str(source), "--explain", "--workers", "1"])
    assert not caught.value.code
    said = capsys.readouterr()
    blocks = said.out.split("\n7  ")
    assert len(blocks) == 3
    assert blocks[0].startswith("7  correct  (score 1, math ")
    assert "where   So \\boxed{>>>4<<<}." in blocks[0]
    assert "why     the last box equals the ground truth 4" in blocks[0]
    assert "\x1b" not in said.out
    assert "bad_row" in blocks[2]
    assert said.err.endswith("correct 1, wrong 1, undecided 1\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_file_needs_an_output(tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text(GOOD)
    with pytest.raises(SystemExit) as caught:
        main(["verify", str(tmp_path / "in.jsonl")])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("distill: --output is missing")


def test_a_run_that_is_not_there_is_said_to_be(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["verify", str(tmp_path / "runs")])
    assert caught.value.code == 2
    assert "no such file, and no such run folder" in capsys.readouterr().err


def test_the_output_holds_span_and_why(tmp_path):
    (found,) = verdicts(tmp_path, [row()])
    assert found["span"] == [0, 1]
    assert found["why"] == "the whole text is '4', blanks folded"


def test_code_without_a_box_runs_only_where_the_user_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv(ladder.ONLY, "unsafe")
    monkeypatch.setenv(ladder.UNSAFE, "")
    gold = {"kind": "function", "entry_point": "f", "tests": [{"args": [], "expected": 1}]}
    (tmp_path / "in.jsonl").write_text(row(answer=gold, completion="def f(): return 1"))
    command = ["verify", tmp_path / "in.jsonl", "--verifier", "code"]
    command += ["--output", tmp_path / "out.jsonl"]
    assert "DISTILL_BOX" in distill(*command, check=2).stderr
    assert not (tmp_path / "out.jsonl").exists()
    distill(*command, "--unsafe-local", check=0)
    verdict = json.loads((tmp_path / "out.jsonl").read_text())
    assert (verdict["status"], verdict["isolation"]) == ("correct", "unsafe")
