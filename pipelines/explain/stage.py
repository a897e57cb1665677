"""explain: a session -> its events, and the versions and hashes of all that turned them into its intents."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import champion
from pipelines.errors import TableError
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.student import Student
from pipelines.student.bundle import CALIBRATION, GRAPH, THRESHOLDS

NAMES: Final = ("sessions", "embeddings", "intents")
MAX_INTENTS: Final = 5


@dataclass(frozen=True)
class Models:
    """Where the models lie that made a row."""

    encoder: Path
    taxonomy: Path
    student: Path
    champion: str  # a line about it


def run(workspace: Workspace, params: Params, session: str, tables: Path | None) -> None:
    """Prints the lineage of ``session``, one step a paragraph; every model is found again and its version compared.

    Raises:
        TableError: no table holds the session, or the models beside it are not those that made it.
        ChampionError: the champion that made it is gone, or is not as it was promoted.
    """
    del params  # the tables say what was used
    folders = sorted(tables.glob("day=*")) if tables else [workspace.artifacts]
    row = next((found for folder in folders if (found := _row(folder, session))), None)
    if row is None:
        raise TableError(f"{tables or workspace.artifacts} holds no such session: give a session_id of its tables")
    models = _models(workspace, row.get("champion_version"))
    student = Student.load(models.student)
    for name, version in (("student_version", student.version), ("encoder_version", student.encoder_version)):
        if row[name] != version:
            raise TableError(f"the session was scored by another `{name}` than the model found: run the stages again")
    lines = (*_events(row), *_encoder(row, models), *_taxonomy(row, models), *_intents(row, models, student))
    print("\n".join([*lines, f"champion    {models.champion}"]))


def _row(folder: Path, session: str) -> dict[str, Any] | None:
    """The columns of all three tables about the session."""
    row: dict[str, Any] = {}
    for name in NAMES:
        path = folder / f"{name}.parquet"
        if not path.exists():
            return None
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["session_id"]).column("session_id")
                place = pc.index(ids, session).as_py()
                if place >= 0:
                    row |= file.read_row_group(group).slice(place, 1).to_pylist()[0]
                    break
            else:
                return None
    return row


def _models(workspace: Workspace, version: str | None) -> Models:
    if version is None:
        return Models(workspace.encoder, workspace.used_taxonomy, workspace.student, "none: these are the stages' own")
    held = champion.current(workspace, version)
    record = held.manifest.record
    line = f"{record.version}, promoted {record.promoted_at}, {record.git_tag or 'no git tag'}"
    return Models(held.encoder_folder, held.folder / champion.TAXONOMY, held.student_folder, line)


def _events(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"session     {row['session_id']}: {row['channel']}, {row['n_events']} events, visitor {row['visitor_id']}"
    for event in row["events"]:
        dwell = "" if event["dwell_seconds"] is None else f" for {event['dwell_seconds']:.0f} s"
        what = " ".join(str(event[name]) for name in ("page", "element", "query") if event[name])
        yield f"  {event['ts']:%Y-%m-%d %H:%M:%S}  {event['event_type']}  {what}{dwell}"


def _encoder(row: Mapping[str, Any], models: Models) -> Iterator[str]:
    yield f"encoder     {row['encoder_version']}"
    yield from _hashes(path for path in sorted(models.encoder.iterdir()) if path.is_file())
    yield f"embedding   {len(row['embedding'])} numbers, the first {row['embedding'][0]:.6f}"


def _taxonomy(row: Mapping[str, Any], models: Models) -> Iterator[str]:
    yield f"taxonomy    {row['taxonomy_version']}"
    yield from _hashes([models.taxonomy])


def _intents(row: Mapping[str, Any], models: Models, student: Student) -> Iterator[str]:
    yield f"student     {row['student_version']}"
    yield from _hashes([models.student / GRAPH])
    yield "calibrator  a curve of each intent's logit, folded into the graph; thresholds"
    yield from _hashes([models.student / CALIBRATION, models.student / THRESHOLDS])
    yield f"intents     {'none: the student abstained' if row['abstained'] else ''}".rstrip()
    names, thresholds = student.card.intents, student.card.thresholds
    ranked = sorted(zip(row["probabilities"], names, thresholds, strict=True), reverse=True)[:MAX_INTENTS]
    for probability, intent, threshold in ranked:
        named = "named" if intent in row["intents"] else "not named"
        method = student.card.calibration[intent].method
        yield f"  {probability:.4f} (threshold {threshold:.4f}, calibrated: {method})  {names[intent]}: {named}"


def _hashes(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        yield f"  sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}"
