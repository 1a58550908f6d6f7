"""The `code` verifier and the box under attack: nothing is fooled, nothing honest is refused."""

import json
import subprocess
import sys
from pathlib import Path

ROWS = Path(__file__).parents[1] / "data" / "hostile_code.jsonl"


def suite():
    return [json.loads(line) for line in ROWS.read_text().splitlines()]


def test_the_suite_is_large_and_a_third_of_it_is_made():
    rows = suite()
    hostile = [row for row in rows if row["expected"] != "correct"]
    assert len(hostile) >= 160
    assert len(rows) - len(hostile) >= 60
    assert sum(row["by"] != "hand" for row in rows) * 3 >= len(rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_made_rows_are_up_to_date(tmp_path):
    maker = ROWS.with_name("make_hostile_code.py")
    (tmp_path / maker.name).write_text(maker.read_text())
    (tmp_path / ROWS.name).write_text(ROWS.read_text())
    subprocess.run([sys.executable, tmp_path / maker.name], check=True)
    assert (tmp_path / ROWS.name).read_text() == ROWS.read_text()
