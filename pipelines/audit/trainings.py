"""The trainings of an audit, each in a folder of its own: killed and run again, it goes on where it was."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pipelines.audit
import pipelines.encoder
import pipelines.pretrain
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.pretrain import corpus


class Trainings:
    """What is done of an audit of the same tables, values and code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, workspace: Workspace, params: Params) -> "Trainings":
        """Returns those of ``workspace`` as it is now; what is left of others is deleted."""
        decides = f"{params.pretrain.model_dump_json()} {params.seed} {corpus.key(workspace, params.pretrain)}"
        digest = hashlib.sha256(decides.encode())
        for package in (pipelines.encoder, pipelines.pretrain, pipelines.audit):
            for module in sorted(Path(package.__path__[0]).rglob("*.py")):
                digest.update(module.read_bytes())
        folder = workspace.audit / digest.hexdigest()[:16]
        if not folder.exists():
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.mkdir(parents=True)
        return cls(folder)

    def figure(self, name: str, train: Callable[[Workspace], float]) -> float:
        """Returns what ``train`` found in a workspace of its own, now or before."""
        kept = self._folder / f"{name}.json"
        if not kept.exists():
            private = Workspace(self._folder / name)
            private.artifacts.mkdir(parents=True, exist_ok=True)
            found = train(private)
            written = kept.with_suffix(".part")
            written.write_text(json.dumps(found), encoding="utf-8")
            written.replace(kept)
            shutil.rmtree(private.root)
        return float(json.loads(kept.read_text(encoding="utf-8")))

    def clear(self) -> None:
        """Deletes all: the audit has its report."""
        shutil.rmtree(self._folder.parent)
