"""Tables that are written piece by piece: whole or not at all, with few pieces however long."""

import pyarrow.parquet as pq
import pytest

from pipelines import tables
from pipelines.tables import Table, rows

COLUMNS = ("id", "text", "index", "score", "answer_is_json")


def row(n, text="x"):
    return {"id": str(n), "text": text, "index": n, "score": None, "answer_is_json": n % 2 == 0}


def test_rows_come_back_in_order_and_pieces_grow(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PIECE_ROWS", 10)
    monkeypatch.setattr(tables, "GROWS", 2)
    monkeypatch.setattr(tables, "LARGEST", 4)
    path = tmp_path / "t" / "part-0.parquet"
    with Table(path, COLUMNS) as table:
        for n in range(200):
            table.add(row(n ^ 1), order=n ^ 1)
        assert not path.exists()
    assert [one["index"] for one in rows(path)] == list(range(200))
    assert list(rows(path))[3] == row(3)
    pieces = pq.read_metadata(path)
    sizes = [pieces.row_group(n).num_rows for n in range(pieces.num_row_groups)]
    assert sizes == [10, 10, 20, 20, 40, 40, 40, 20]
    columns = [pieces.row_group(0).column(n) for n in range(len(COLUMNS))]
    assert [c.path_in_schema for c in columns if c.statistics is None] == ["text"]


def test_what_breaks_off_leaves_nothing(tmp_path):
    path = tmp_path / "part-0.parquet"
    with pytest.raises(KeyError), Table(path, COLUMNS) as table:
        table.add({"id": "1"})
    assert list(tmp_path.iterdir()) == []
