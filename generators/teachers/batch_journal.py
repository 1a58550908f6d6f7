"""What a run remembers of the batches it has bought: one small file a batch, written before it is.

A batch has a mark of its own, which is sent along as metadata. Where a kill came between buying a
batch and noting its id, the batch is found again by its mark.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from verifiers.files import place
from verifiers.sampler import Request


class Batch:
    """One batch: its mark, its id once it is known, and the request keys it was bought for."""

    def __init__(self, mark: str, keys: list[str], made: int, id_: str | None = None) -> None:
        self.mark, self.keys, self.made, self.id = mark, keys, made, id_
        self.wanted: dict[str, list[Request]] = {}


class Journal:
    """The batches of one teacher, in files of `folder`."""

    def __init__(self, folder: Path, teacher: str) -> None:
        self.folder, self.teacher = folder, teacher

    def load(self) -> list[Batch]:
        """Batches of earlier runs of this teacher, the oldest first."""
        found = []
        for file in self.folder.glob("*.json"):
            entry = json.loads(file.read_text())
            if entry["teacher"] == self.teacher:
                found.append(Batch(file.stem, entry["keys"], entry["made"], entry["id"]))
        return sorted(found, key=lambda batch: batch.made)

    def plan(self, keys: list[str], made: int) -> Batch:
        """Note a batch that is about to be bought, at Unix time `made`."""
        batch = Batch(secrets.token_hex(12), keys, made)
        self.note(batch)
        return batch

    def note(self, batch: Batch) -> None:
        """Write what is known of a batch."""
        entry = {
            "teacher": self.teacher, "id": batch.id, "made": batch.made, "keys": batch.keys,
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f".{batch.mark}.tmp"
        beside.write_text(json.dumps(entry))
        place(beside, self.file(batch))

    def forget(self, batch: Batch) -> None:
        """A batch that was never bought, or bought nothing."""
        self.file(batch).unlink(missing_ok=True)

    def file(self, batch: Batch) -> Path:
        """Where a batch is noted."""
        return self.folder / f"{batch.mark}.json"
