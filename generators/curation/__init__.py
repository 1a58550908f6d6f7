"""Curation: which judged chains become training rows, and why the others do not."""

from generators.curation.config import CurateConfig
from generators.curation.curate import Curated, curate

__all__ = ["CurateConfig", "Curated", "curate"]
