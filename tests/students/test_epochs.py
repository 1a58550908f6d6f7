"""A training that is interrupted at an epoch's end reads every row as often as an undisturbed one."""

from collections import Counter

import pytest

from students import engine, models
from students.config import DPO, SFT, Scratch
from students.objectives.dpo import Dpo
from students.objectives.sft import Sft
from students.reference import with_reference
from students.sources import FileSource
from tests.students.processes import documents

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, context=128)
EPOCHS = 3


class Stop(Exception):
    pass


class Seen(FileSource):
    """A source that notes which units it gave in the steps that counted."""

    given: list  # one list of unit numbers a step

    def __iter__(self):
        for batch in super().__iter__():
            self.given.append(self.plan(self.epoch)[self.step - 1].tolist())
            yield batch


def train(folder, kind, given, stop=None):
    model, tokenizer = models.build(SHAPE, seed=0)
    docs = documents(tokenizer, 24)
    units, objective, config = [(d,) for d in docs], Sft(), SFT
    if kind == "dpo":
        pairs = list(zip(docs[0::2], docs[1::2], strict=True))
        units, objective, config = with_reference(pairs, model, "m", folder), Dpo(0.1), DPO
    source = Seen(units, 200, seed=0)
    source.given = given
    epoch, steps = len(source.plan(0)), source.steps(EPOCHS)
    assert epoch > 2

    def report(line):
        if line["step"] == stop:
            raise Stop

    section = config(learning_rate=1e-3, checkpoint_every=epoch)
    engine.train(model, tokenizer, objective, source, section, folder / "out", steps, report)
    return epoch


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_checkpoint_at_an_epochs_end_skips_and_repeats_nothing(tmp_path, kind):
    whole = []
    epoch = train(tmp_path / "a", kind, whole)
    assert set(Counter(unit for step in whole for unit in step).values()) == {EPOCHS}
    for stop in (epoch + 1, 2 * epoch, 2 * epoch + 1):  # the first step of an epoch, the last one
        with pytest.raises(Stop):
            train(tmp_path / "b", kind, [], stop)
    again = []
    train(tmp_path / "b", kind, again)
    assert again == whole[2 * epoch :]
    one, two = ((tmp_path / run / "out" / "model.safetensors").read_bytes() for run in "ab")
    assert one == two
