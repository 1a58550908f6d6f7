import subprocess
import sys

import pytest
from pydantic import ValidationError

from generators.curation.config import CurateConfig, DecontaminateConfig, DedupConfig


def test_filters_are_switched_with_true_and_false():
    config = CurateConfig.model_validate({"dedup": False, "decontaminate": True})
    assert (config.dedup, config.decontaminate) == (None, DecontaminateConfig())
    assert CurateConfig.model_validate({"dedup": {}}).dedup == DedupConfig()
    assert CurateConfig.model_validate({"difficulty": True}).difficulty.keep == "learnable"


@pytest.mark.parametrize(
    "data",
    [
        {"dedupe": {}},
        {"difficulty": {"keep": [0.9, 0.1]}},
        {"difficulty": {"keep": "easy"}},
        {"decontaminate": {"against": ["math500"]}},
        {"sets": []},
        {"max_rows": 0},
    ],
)
def test_a_bad_section_is_refused(data):
    with pytest.raises(ValidationError):
        CurateConfig.model_validate(data)


def test_every_field_is_documented():
    for model in (CurateConfig, DedupConfig, DecontaminateConfig):
        assert all(field.description for field in model.model_fields.values())


def test_importing_curation_loads_no_heavy_library():
    code = (
        "import sys, generators.curation; "
        "print({'rensa', 'numpy', 'pyarrow', 'datasets', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
