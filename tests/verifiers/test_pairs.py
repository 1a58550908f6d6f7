"""Every verifier agrees with its labelled list, which its maker can make again."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from verifiers import base
from verifiers.records import Problem

DATA = Path(__file__).parents[1] / "data"
MAKER = DATA / "make_verifier_pairs.py"
LISTS = re.findall(r'^    "(\w+)": ', MAKER.read_text(), re.M)


def rows(name):
    return [json.loads(line) for line in (DATA / f"{name}_pairs.jsonl").read_text().splitlines()]


def statuses(name, row):
    """What the verifier says of one row, as the row states it."""
    section = row.get("section", {})
    verifier = base.load(name, section.get(name), section)
    problem = Problem(prompt=row["prompt"], answer=row["answer"], verifier=name)
    if "texts" in row:
        return [verdict.status for verdict in verifier.verify_group(problem, row["texts"])]
    verdict = base.judge(name, verifier, problem, row["text"])
    assert verdict.why
    assert verdict.span is None or 0 <= verdict.span[0] <= verdict.span[1] <= len(row["text"])
    return verdict.status


@pytest.mark.parametrize("name", LISTS)
def test_every_labelled_pair(name):
    labelled = rows(name)
    off = [
        (row.get("text", row.get("texts")), row["expected"], found)
        for row in labelled
        if (found := statuses(name, row)) != row["expected"]
    ]
    assert off == []
    assert len(labelled) >= 120
    assert sum(row["by"] == "mutation" for row in labelled) * 3 >= len(labelled)


def test_mutated_pairs_are_up_to_date(tmp_path):
    for path in (MAKER, *(DATA / f"{name}_pairs.jsonl" for name in LISTS)):
        shutil.copy(path, tmp_path)
    subprocess.run([sys.executable, tmp_path / MAKER.name], check=True)
    for name in LISTS:
        file = f"{name}_pairs.jsonl"
        assert (tmp_path / file).read_text() == (DATA / file).read_text(), f"run {MAKER.name}"


def examples():
    """Problem, text and verdict of every example in the documentation, by verifier."""
    page = (DATA.parents[1] / "docs" / "verifiers.md").read_text()
    for section in page.split("\n## ")[1:]:
        name = re.match(r"`(\w+)`", section)[1]
        problem = re.search(r"```json\n(.*?)\n```", section, re.S)
        for text, expected in re.findall(r"^\| `(.+?)` \| (correct|wrong) \|", section, re.M):
            said = text.replace("⏎", "\n").replace(r"\|", "|")
            yield name, json.loads(problem[1]), said, expected


def test_the_examples_of_the_documentation():
    found = list(examples())
    assert len(found) > 40
    for name, problem, text, expected in found:
        assert statuses(name, problem | {"text": text}) == expected, (name, text)
