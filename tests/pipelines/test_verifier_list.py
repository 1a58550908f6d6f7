"""`distill verifiers list`: version, trust and mistakes of each verifier."""

import json

from pipelines import verifier_list
from tests.pipelines.test_run import distill
from verifiers import base


def test_every_verifier_is_listed_with_its_figures():
    rows = {
        row["name"]: row
        for row in json.loads(distill("verifiers", "list", "--json", check=0).stdout)
    }
    assert set(base.BUILTIN) <= set(rows)
    figures = rows["instructions"]["figures"]
    assert figures["texts"] > 300
    assert (figures["false positives"], figures["false negatives"]) == (0, 0)
    assert {row["trust"] for row in rows.values()} <= {"pure", "boxed"}


def test_the_table_has_a_line_a_verifier_and_says_what_fp_means():
    lines = distill("verifiers", "list", check=0).stdout.splitlines()
    assert lines[0].split() == ["name", "version", "trust", "texts", "FP", "FN", "about"]
    assert "false positives" in lines[-1]
    shown = next(line for line in lines if line.startswith("judge "))
    known = json.loads(verifier_list.FIGURES.read_text())["judge"]
    assert shown.split()[:4] == ["judge", known["version"], "pure", str(known["texts"])]
    assert shown.split()[4:6] == ["0", "0"]


def test_the_figures_are_of_the_versions_that_are_here():
    known = json.loads(verifier_list.FIGURES.read_text())
    rows = {row["name"]: row for row in verifier_list.rows()}
    assert [name for name in known if rows[name]["figures"] is None] == []


def test_figures_of_another_version_are_not_shown(tmp_path, monkeypatch):
    known = json.loads(verifier_list.FIGURES.read_text())
    known["judge"]["version"] = "0"
    (tmp_path / "figures.json").write_text(json.dumps(known))
    monkeypatch.setattr(verifier_list, "FIGURES", tmp_path / "figures.json")
    row = next(row for row in verifier_list.rows() if row["name"] == "judge")
    assert row["figures"] is None
