"""The champion: the promoted encoder and student with all that scoring needs, as a folder and a pointer to it.

champions/<version>/ is written once and, but for `forget`, never changed: encoder/, student/, taxonomy.yaml,
params.yaml, pages.parquet (what the encoder knew of each page), anchors.parquet and alignment.safetensors (see
alignment.py), manifest.json; and what drift is measured against and by: reference.parquet, cells.npz, drift.json.
champion.json names the version that holds; it is replaced atomically and last.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.claim import claimed
from pipelines.errors import ChampionError
from pipelines.params import Ingest, Sessionize
from pipelines.paths import Workspace

_Model = TypeVar("_Model", bound=BaseModel)

ENCODER, STUDENT, TAXONOMY, PARAMS = "encoder", "student", "taxonomy.yaml", "params.yaml"
PAGES, REFERENCE, MANIFEST = "pages.parquet", "reference.parquet", "manifest.json"
CELLS, THRESHOLDS = "cells.npz", "drift.json"


class Record(BaseModel):
    """champion.json: which versions hold, since when, and the git tag of the code and params (null outside git)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    git_tag: str | None
    encoder_version: str
    taxonomy_version: str
    student_version: str
    promoted_at: str


class Manifest(BaseModel):
    """What a bundle holds (SHA-256 by file), and which version was the champion before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: Record
    previous: str | None
    files: dict[str, str]


class Served(BaseModel):
    """The blocks of a champion's params that serving reads; what else its params.yaml holds may be of other code."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seed: int
    ingest: Ingest
    sessionize: Sessionize


@dataclass(frozen=True)
class Champion:
    """A promoted bundle whose files were found complete and unchanged."""

    folder: Path
    manifest: Manifest
    params: Served

    @property
    def version(self) -> str:
        return self.manifest.record.version

    @property
    def encoder_folder(self) -> Path:
        return self.folder / ENCODER

    @property
    def student_folder(self) -> Path:
        return self.folder / STUDENT

    @property
    def pages(self) -> Path:
        return self.folder / PAGES

    @property
    def reference(self) -> Path:
        """Table of the schema drift.observed.OBSERVED."""
        return self.folder / REFERENCE

    @property
    def cells(self) -> Path:
        """drift.cells.Cells: regions of the embedding space."""
        return self.folder / CELLS

    @property
    def thresholds(self) -> Path:
        """drift.calibration.Thresholds: from where on a signal drifted."""
        return self.folder / THRESHOLDS


def current(workspace: Workspace, version: str | None = None) -> Champion:
    """Returns the champion, or the promoted ``version`` (in full, or its number alone).

    Raises:
        ChampionError: nothing was promoted yet, there is no such version, or its bundle is incomplete.
    """
    if version is None:
        if not workspace.champion.exists():
            raise ChampionError("there is no champion yet: run `python -m pipelines promote` after the stages")
        version = _parsed(workspace.champion, Record).version
    known = promoted(workspace)
    names = [name for name in known if version in (name, name.partition("-")[0])]
    if not names:
        raise ChampionError(f"champions/ holds no version `{version}`; it holds: {', '.join(known) or 'none'}")
    return _opened(workspace.champions / names[-1])


def present(workspace: Workspace, command: str) -> Champion | None:
    """Returns the champion, if there is one that can be read; ``command`` says so of one that cannot."""
    if not workspace.champion.exists():
        return None
    try:
        return current(workspace)
    except ChampionError as error:
        print(f"{command}: no comparison: {error}")
        return None


def promoted(workspace: Workspace) -> list[str]:
    """Returns every promoted version, oldest first."""
    return sorted(manifest.parent.name for manifest in workspace.champions.glob(f"*/{MANIFEST}"))


def claim(workspace: Workspace) -> AbstractContextManager[None]:
    """Returns the lock under which champion.json and champions/ change: one process at a time."""
    return claimed(workspace.root / ".staging" / "champion.lock", "promotes or rolls back here")


def file_hashes(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file of a bundle but its manifest, by relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def write_json(path: Path, content: Mapping[str, object] | BaseModel) -> None:
    """Writes ``content`` at ``path``, indented and ending in a newline."""
    values = content.model_dump() if isinstance(content, BaseModel) else content
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _opened(folder: Path) -> Champion:
    manifest = _parsed(folder / MANIFEST, Manifest)
    if file_hashes(folder) != manifest.files:
        raise ChampionError(f"champions/{folder.name} is not as it was promoted: restore it, or promote again")
    try:
        served = Served.model_validate(yaml.safe_load((folder / PARAMS).read_text("utf-8")))
    except ValidationError:
        raise ChampionError(f"champions/{folder.name} has params of other code: retrain and promote again") from None
    return Champion(folder, manifest, served)


def _parsed(path: Path, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ChampionError(f"{path.name} cannot be read: expected what `promote` wrote; promote again") from None
