"""Writes figures between markers of the documentation, for the scripts that measure them."""

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent


def write(block: str, text: str, pages: Iterable[str]) -> None:
    """Put `text` into the blocks named `block` of `pages`, given from the root on."""
    pattern = re.compile(
        rf"(<!-- figures:{re.escape(block)} [^>]*-->\n).*?(<!-- /figures -->)", re.DOTALL
    )
    for page in pages:
        path = ROOT / page
        path.write_text(pattern.sub(lambda m: m[1] + text + m[2], path.read_text()))
