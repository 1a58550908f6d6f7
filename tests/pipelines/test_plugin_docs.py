"""docs/plugins.md and docs/rewards.md say what happens: their examples are run."""

import asyncio
import re
from pathlib import Path

import pytest
import yaml

from tests.pipelines.test_run import distill
from verifiers import base, battery, scaffold

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "plugins.md").read_text()


def blocks(language, page=PAGE):
    return re.findall(rf"```{language}\n(.*?)```", page, re.S)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The page's classes as an installed distribution; their names in the order of the page."""
    names = []
    lines = []
    for code in blocks("python"):
        title = re.search(r"^class (\w+)", code, re.M)[1]
        names.append(re.sub(r"(?<!^)(?=[A-Z])", "_", title).lower())
        (tmp_path / f"docs_{names[-1]}.py").write_text(code)
        lines.append(f"{names[-1]} = docs_{names[-1]}:{title}")
    info = tmp_path / "docs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: docs\nVersion: 1\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{base.GROUP}]", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    base.plugins.cache_clear()
    yield names
    base.plugins.cache_clear()


def test_the_classes_of_the_page_pass_the_battery(installed):
    assert installed == ["last_number", "keyword", "majority"]
    section = yaml.safe_load(blocks("yaml")[0])["verifiers"]
    for name in (*installed, "strict_keyword"):
        report = asyncio.run(battery.run(name, section))
        assert report.passed, battery.text(report)


def test_the_first_class_is_what_the_command_writes(tmp_path):
    folder = scaffold.write("last_number", tmp_path)
    assert (folder / "distill_verifier_last_number.py").read_text() == blocks("python")[0]
    assert f"pip install -e {folder.name}\n" in PAGE


def test_verify_says_what_the_page_says(installed, tmp_path):
    (rows,), (said,) = blocks("json"), blocks("text")
    (tmp_path / "in.jsonl").write_text(rows)
    command = ["verify", tmp_path / "in.jsonl", "--verifier", "last_number", "--explain"]
    assert distill(*command, check=0).stdout == said


def test_every_probe_of_the_table_is_there(installed):
    report = asyncio.run(battery.run("majority"))
    names = {probe.name.split(":")[0] for probe in report.probes}
    for name in ("bad gold", "group", "canary", "repeats", "leak", "isolation", "time and memory"):
        assert name in names
        assert f"`{name}" in PAGE


def test_the_rewards_of_the_page_come_out():
    for code in blocks("python", (DOCS / "rewards.md").read_text()):
        space, value, compared = {}, None, 0
        for line in code.splitlines():
            if line.startswith("# "):
                assert value == pytest.approx(eval(line[2:]))
                compared += 1
            elif re.match(r"from |\w+ = ", line):
                exec(line, space)
            elif line:
                value = eval(line, space)
        assert compared == 1
