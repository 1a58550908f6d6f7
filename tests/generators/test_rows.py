"""Rows of files and columns over them: odd lines are rows too, odd templates are refused."""

import json
from pathlib import Path

import pytest

from generators.errors import SourceError
from generators.rows import Column, clean, parse, read

DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize("deep", [DEEP, "[" * 300 + "]" * 300])
def test_a_deeply_nested_line_is_a_bad_row(deep):
    assert parse(f'{{"answer": {deep}}}', 7) == {"bad_row": "line 7 is nested too deeply"}


@pytest.mark.parametrize("line", ["", "{", "3", '["a"]', "9" * 5000])
def test_a_line_that_is_no_object_is_a_bad_row(line):
    assert "line 1 is not" in parse(line, 1)["bad_row"]


def test_nesting_that_people_use_passes():
    value = json.loads("[" * 50 + '"\\ud800"' + "]" * 50)
    assert str(clean(value)) == str(value).replace("\\ud800", "?")


def test_a_byte_order_mark_costs_no_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "é"}\n{"prompt": "b"}\n', encoding="utf-8-sig")
    assert list(read(path)) == [{"prompt": "é"}, {"prompt": "b"}]


@pytest.mark.parametrize("content", [b"", b"not a parquet file at all", b"PAR1" * 5])
def test_garbage_is_no_parquet_file(tmp_path, content):
    path = tmp_path / "rows.parquet"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"rows\.parquet cannot be read as Parquet: .+"):
        list(read(path))
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        list(read(Path(tmp_path)))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "{a",
        "a}",
        "{a}}",
        "{}",
        "{a.}",
        "{a[}",
        "{a[]}",
        "{a[b}",
        "{a..b}",
        "{a!r}",
        "{a.__class__}",
        "{a:>99999999}",
        "{a:{b}}",
        "{a[b].__init__.__globals__}",
    ],
)
def test_what_is_no_plain_template_is_refused(text):
    with pytest.raises(SourceError, match="template"):
        Column(text)


ROW = {
    "a": "x",
    "b.c": "dotted",
    "two words": 2,
    "metadata": {"expression": "1+2", "deep": {"k.k": [{"v": 5}]}},
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", "x"),
        ("b.c", "dotted"),
        ("metadata.expression", "1+2"),
        ("metadata.nosuch", None),
        ("a.b", None),
        ("{metadata[expression]}=?", "1+2=?"),
        ("{metadata.expression}{{{a}}}", "1+2{x}"),
        ("{metadata[deep][k.k][0][v]}", "5"),
        ("{metadata[deep][k.k][1][v]}", None),
        ("{b.c}, {two words}", "dotted, 2"),
        ("{a} {nosuch}", None),
        ("{a} {none}", None),
        ("{a.upper}", None),
    ],
)
def test_columns_and_templates(text, value):
    assert Column(text).of(ROW) == value
