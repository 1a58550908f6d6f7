"""`distill verify` on files that are broken, large, out of order, or judged in groups."""

import json
import resource
import subprocess
import sys

import pytest

from pipelines import verify
from pipelines.errors import UsageError
from pipelines.verify import verify_file


def judged(folder, content, verifier="exact"):
    """What stands in the output for the rows of a file of these bytes."""
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    source.write_bytes(content)
    verify_file(source, output, verifier, workers=1)
    assert sorted(path.name for path in folder.iterdir()) == ["in.jsonl", "out.jsonl"]
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def line(**fields):
    return json.dumps({"id": 1, "answer": "4", "completion": "4", **fields}).encode() + b"\n"


GOOD = line()
FAULTS = {
    "no JSON": (b"{not json\n", "is not JSON"),
    "half a line": (b'{"id": 1, "answer": "4", "compl\n', "is not JSON"),
    "a list": (b"[1, 2]\n", "is not a JSON object"),
    "a number": (b"7\n", "is not a JSON object"),
    "NaN": (line(answer=float("nan")), "NaN"),
    "no completion": (b'{"id": 1, "answer": "4"}\n', "no completion"),
    "no fields": (b"{}\n", "no answer and no completion"),
    "null": (line(completion=None), "no completion"),
    "completion is an object": (line(completion={"a": 1}), "completion is not a text"),
    "unknown verifier": (line(verifier="nosuch"), "unknown verifier"),
    "verifier is a list": (line(verifier=["exact"]), "unknown verifier"),
    "a judge without a teacher": (line(verifier="judge"), "needs a sampler"),
    "many digits": (b'{"id": 1, "completion": "4", "answer": ' + b"9" * 5000 + b"}\n", "not JSON"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_row_never_stops_the_file(tmp_path, name):
    content, words = FAULTS[name]
    first, bad, last = judged(tmp_path, GOOD + content + GOOD)
    assert (first["status"], last["status"]) == ("correct", "correct")
    assert (bad["status"], bad["reason"]) == ("undecided", "bad_row")
    assert words in bad["detail"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"id": 1, "answer": "4", "completion": "\xff\xfe"}\n', "wrong"),
        (b'{"id": "\\ud800", "answer": "4", "completion": "\\udfff"}\n', "wrong"),
        (b'{"id": 1, "answer": "4", "completion": "4", "x": "\\u0000"}\n', "correct"),
        (line(completion="4" * 1_000_000), "wrong"),
        (line(id=[1, {"a": 2}]), "correct"),
        (line(id=None), "correct"),
        (b"\xef\xbb\xbf" + GOOD, "correct"),
        (GOOD.replace(b"\n", b"\r\n"), "correct"),
        (GOOD.rstrip(b"\n"), "correct"),
    ],
)
def test_odd_rows_are_judged(tmp_path, content, status):
    assert [row["status"] for row in judged(tmp_path, content)] == [status]


@pytest.mark.parametrize("content", [b"", b"\n \n\n"])
def test_a_file_without_rows_gives_one_without_verdicts(tmp_path, content):
    assert judged(tmp_path, content) == []


def test_a_file_of_bad_rows_alone_is_told_row_by_row(tmp_path):
    found = judged(tmp_path, b"oops\n[1]\n")
    assert [row["reason"] for row in found] == ["bad_row", "bad_row"]


def test_input_and_output_may_be_one_file(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(GOOD + line(id=2, completion="5"))
    verify_file(source, source, "exact", 1)
    found = [json.loads(text) for text in source.read_text().splitlines()]
    assert [(row["id"], row["status"]) for row in found] == [(1, "correct"), (2, "wrong")]


def test_order_and_equal_ids_are_kept(tmp_path):
    content = b"".join(line(id=n % 7, completion=str(n % 5)) for n in range(500))
    found = judged(tmp_path, content)
    assert [row["id"] for row in found] == [n % 7 for n in range(500)]
    assert [row["status"] == "correct" for row in found] == [n % 5 == 4 for n in range(500)]


def test_a_full_disk_leaves_the_old_output_and_nothing_beside_it(tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(GOOD * 3000)
    output.write_text("old\n")

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from pipelines.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "verify", source, "--output", output, "--verifier", "exact"],
        preexec_fn=limited, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert output.read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_long_rows_wait_for_each_other_by_size(tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "HELD", 10_000)
    content = b"".join(line(id=n, completion="4" * 4_000) for n in range(40))
    assert [row["id"] for row in judged(tmp_path, content)] == list(range(40))


def votes(*rows):
    return b"".join(
        json.dumps({"id": n, "verifier": "consensus", **row}).encode() + b"\n"
        for n, row in enumerate(rows)
    )


def test_rows_of_one_problem_are_a_group_wherever_they_stand(tmp_path):
    found = judged(tmp_path, votes(
        {"problem_id": "a", "completion": "It is 4."}, {"prompt": "b", "completion": "It is 1."},
        {"problem_id": "a", "completion": "It is 5."}, {"prompt": "b", "completion": "It is 1."},
        {"problem_id": "a", "completion": "4"}, {"problem_id": "lone", "completion": "4"},
        {"completion": "4"}, {"problem_id": "a", "completion": 4},
    ) + GOOD)  # fmt: skip
    said = [row["status"] for row in found]
    assert said[:5] == ["correct", "correct", "wrong", "correct", "correct"]
    assert said[5:] == ["undecided", "undecided", "undecided", "correct"]
    assert "needs a problem_id or a prompt" in found[6]["detail"]
    assert found[7]["detail"] == "completion is not a text"


def test_a_file_that_is_judged_in_groups_needs_no_ground_truth(tmp_path):
    rows = [{"id": n, "prompt": "p", "completion": f"It is {n // 2}."} for n in range(3)]
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    found = judged(tmp_path, content, "consensus")
    assert [row["status"] for row in found] == ["correct", "correct", "wrong"]
    with pytest.raises(UsageError, match="no row has 'answer'"):
        judged(tmp_path, content, "exact")
