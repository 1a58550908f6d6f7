"""Names of models by content."""

from __future__ import annotations

import hashlib
from pathlib import Path

FILES = (".safetensors", ".bin", ".gguf", ".json", ".jinja", ".model")


def identity(folder: str | Path) -> str:
    """A local folder's name with a hash of its model and tokenizer files, or the hub id itself."""
    path = Path(folder)
    if not path.is_dir():
        return str(folder)
    files = [file for file in sorted(path.iterdir()) if file.suffix in FILES and file.is_file()]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file_hash(file).encode())
    return f"{path.name}@{digest.hexdigest()[:16]}"


def folder_hash(path: Path) -> str:
    """Hex sha256 of a file, or of all files in a folder with their names; of nothing, where there
    is none."""
    if path.is_file():
        return file_hash(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path)} {file_hash(file)}\n".encode())
    return digest.hexdigest()


def file_hash(file: Path) -> str:
    """Hex sha256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
