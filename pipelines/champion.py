"""The champion: the promoted encoder and student with all that scoring needs, as a folder and a pointer to it.

champions/<version>/ is written once and, but for `forget`, never changed: encoder/, student/, taxonomy.yaml,
params.yaml, pages.parquet (what the encoder knew of each page), reference.parquet (what drift is measured
against), anchors.parquet and alignment.safetensors (see alignment.py), manifest.json.
champion.json names the version that holds; it is replaced atomically and last.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.alignment import stacked
from pipelines.claim import claimed
from pipelines.errors import ChampionError, TableError
from pipelines.params import Ingest, Sessionize
from pipelines.paths import Workspace
from pipelines.schemas import EMBEDDINGS, INTENTS, SESSIONS

_Model = TypeVar("_Model", bound=BaseModel)

ENCODER, STUDENT, TAXONOMY, PARAMS = "encoder", "student", "taxonomy.yaml", "params.yaml"
PAGES, REFERENCE_FILE, MANIFEST = "pages.parquet", "reference.parquet", "manifest.json"

REFERENCE: Final = pa.schema(
    [
        *(SESSIONS.field(name) for name in ("session_id", "channel", "start_ts", "n_events")),
        EMBEDDINGS.field("embedding"),
        pa.field("intent", pa.string(), nullable=False),  # the most probable one, also where the student abstained
        pa.field("confidence", pa.float32(), nullable=False),  # its calibrated probability
        INTENTS.field("abstained"),
    ]
)
"""What drift compares, of a session: of a sample of the champion's own sessions, and of those of a window."""


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
        """Table of the REFERENCE schema."""
        return self.folder / REFERENCE_FILE


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


def observations(sessions: pa.Table, embeddings: pa.Table, intents: pa.Table, intent_ids: list[str]) -> pa.Table:
    """Returns the REFERENCE row of each of ``sessions``, in their order.

    Raises:
        TableError: a session has no embedding or no intents, or the embeddings are of several encoders.
    """
    rows = sessions.column("session_id")
    decided = _of(rows, intents, "intents")
    probabilities = pc.list_flatten(decided.column("probabilities")).to_numpy().reshape(len(rows), len(intent_ids))
    best = probabilities.argmax(axis=1) if len(rows) else np.empty(0, np.int64)
    columns = {
        **{name: sessions.column(name) for name in ("session_id", "channel", "start_ts", "n_events")},
        "embedding": _of(rows, stacked([embeddings]), "embeddings").column("embedding"),
        "intent": pa.array(intent_ids, pa.string()).take(pa.array(best)),
        "confidence": pa.array(probabilities[np.arange(len(rows)), best]),
        "abstained": decided.column("abstained"),
    }
    return pa.table(columns).cast(REFERENCE)


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


def _of(session_ids: pa.ChunkedArray, table: pa.Table, name: str) -> pa.Table:
    """The rows of ``table`` that belong to ``session_ids``, in their order."""
    places = pc.index_in(session_ids, value_set=table.column("session_id").combine_chunks())
    if places.null_count:
        raise TableError(f"{name}.parquet lacks sessions that sessions.parquet has: run the stages again")
    return table.take(places)
