"""The generated pages of the docs are those of today's code, and README says what is there."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["recipe.md", "cli.md"])
def test_generated_pages_are_current(page):
    assert (ROOT / "docs" / page).read_text() == reference().PAGES[page](), "run docs/reference.py"


def test_the_readme_names_the_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"distill ([a-z]+(?: list)?)", readme)) - {"factory"}
    assert {c.split()[0] for c in named if c} <= {c.split()[0] for c in reference().COMMANDS}


def test_links_in_the_docs_lead_somewhere():
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
