"""What may be shown of a run beyond this machine: no paths of it, no credentials in addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipelines.recipe import Recipe, dump

KEPT = 2
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def recipe_text(recipe: Recipe) -> str:
    """The resolved recipe as YAML, paths by their last components."""
    data = shortened(yaml.safe_load(dump(recipe)))
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def shortened(value: Any) -> Any:
    """`value` with every absolute path in it, however deep, by its last components."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if not isinstance(value, str):
        return value
    return short(value) if _is_path(value) else CREDENTIALS.sub("", value)


def short(path: str) -> str:
    """The last components of an absolute path, anything else as it is."""
    parts = Path(path).parts
    return "/".join(parts[1:][-KEPT:]) if Path(path).is_absolute() else path


def without_paths(text: str, recipe: Recipe) -> str:
    """A text in which a person may have named the recipe's paths or the home folder."""
    for path in sorted(set(_paths(recipe.model_dump(mode="json"))), key=len, reverse=True):
        text = text.replace(path, short(path))
    home = str(Path.home())
    return text.replace(f"{home}/", "~/") if len(home) > 1 else text


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _paths(item)
    elif isinstance(value, str) and _is_path(value):
        yield value


def _is_path(value: str) -> bool:
    return value.startswith("/") and "\n" not in value and len(Path(value).parts) > KEPT
