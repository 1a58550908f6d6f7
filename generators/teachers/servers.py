"""The model servers of a run: who asks for one shares it, and one call frees the GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generators.vllm_config import VllmConfig

if TYPE_CHECKING:
    from generators.teachers.vllm_server import VllmServer


class Servers:
    """One server for each model and way to start it; all write to vllm.log in the run `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "vllm.log"
        self._known: dict[str, VllmServer] = {}

    def server(self, model: str, name: str, config: VllmConfig, revision: str = "") -> VllmServer:
        """The server of a model; not started yet where nobody asked it anything before."""
        from generators.teachers.vllm_server import VllmServer

        key = f"{model} {revision} {name} {config.model_dump_json()}"
        if key not in self._known:
            self._known[key] = VllmServer(model, name, config, self.log, revision)
        return self._known[key]

    def stop(self, but: str = "") -> None:
        """End all but those of model `but`: the GPU is free; they start again when asked."""
        for key, server in list(self._known.items()):
            if server.model != but:
                server.stop()
                del self._known[key]
