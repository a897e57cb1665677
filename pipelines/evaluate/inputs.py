"""Everything the evaluation reads, aligned: row i of every array here is row i of the session table."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import schemas
from pipelines.errors import TableError
from pipelines.paths import Workspace
from pipelines.student import Student
from pipelines.student.labels import embedding_matrix, id_matrix, score_matrix
from pipelines.tables import read_table

NOTHING = "none"
"""How the strongest label of a session is written that shows no need at all."""

EVENT_COLUMNS = ("event_id", "visitor_id", "customer_id", "ts", "channel", "event_type", "element", "properties")


@dataclass(frozen=True)
class Labelling:
    """A teacher's labels: the sessions that have them and their soft scores."""

    rows: np.ndarray  # (L,) rows of the session table, rising
    scores: np.ndarray  # float32 (L, C)
    models: tuple[str, ...]
    strongest: np.ndarray  # (L,) of str: the first intent, OTHER, or NOTHING


@dataclass(frozen=True)
class Remade:
    """What taxonomies made from other sessions say of the same sessions."""

    rows: np.ndarray  # (L,) rows of the session table
    strongest: list[np.ndarray]  # by taxonomy, (L,) of str


@dataclass(frozen=True)
class Inputs:
    """The tables of the earlier stages; what an earlier stage could not make is None."""

    events: pa.Table
    sessions: pa.Table
    identity: pa.Table
    embeddings: np.ndarray  # float32 (N, D)
    student: Student | None
    probabilities: np.ndarray | None  # float32 (N, C), of the student
    decided: np.ndarray | None  # bool (N, C): the intents that the student named
    labels: Labelling | None
    second_labels: Labelling | None
    gold: Labelling | None  # by people
    remade: Remade | None
    truth: Path
    demo_bank: bool

    @property
    def split(self) -> np.ndarray:
        return np.asarray(self.sessions.column("split").to_numpy())

    @property
    def visitors(self) -> np.ndarray:
        return np.asarray(self.sessions.column("visitor_id").to_numpy())

    def times_us(self, column: str) -> np.ndarray:
        """Returns a time column of the sessions in microseconds since 1970."""
        return times_us(self.sessions.column(column))


def times_us(column: pa.ChunkedArray) -> np.ndarray:
    """Returns int64 microseconds since 1970."""
    return np.asarray(column.cast(pa.int64()).to_numpy())


def read_inputs(workspace: Workspace) -> Inputs:
    """Returns the tables under ``workspace``, checked and aligned.

    Raises:
        TableError: a table that the pipeline cannot do without is missing, or two do not belong together.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    embeddings = _aligned(read_table(workspace.embeddings, schemas.EMBEDDINGS), sessions, "embeddings.parquet")
    student = Student.load(workspace.student) if workspace.student.exists() else None
    probabilities, decided = _intents(workspace, sessions, student)
    return Inputs(
        events=read_table(workspace.events, schemas.EVENTS, EVENT_COLUMNS),
        sessions=sessions,
        identity=read_table(workspace.identity, schemas.IDENTITY),
        embeddings=embedding_matrix(embeddings),
        student=student,
        probabilities=probabilities,
        decided=decided,
        labels=_labelling(workspace.labels, sessions, student),
        second_labels=_labelling(workspace.second_labels, sessions, student),
        gold=_labelling(workspace.gold, sessions, student),
        remade=_remade(workspace.remade, sessions),
        truth=workspace.truth,
        demo_bank=(workspace.data / "demo_bank.json").exists(),
    )


def _aligned(table: pa.Table, sessions: pa.Table, name: str) -> pa.Table:
    places = pc.index_in(sessions.column("session_id"), value_set=table.column("session_id").combine_chunks())
    if places.null_count or len(table) != len(sessions):
        raise TableError(f"{name} and sessions.parquet hold different sessions: run `dvc repro`")
    return table.take(places)


def _intents(
    workspace: Workspace, sessions: pa.Table, student: Student | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if student is None:
        return None, None
    intents = _aligned(read_table(workspace.intents, schemas.INTENTS), sessions, "intents.parquet")
    if intents.column("student_version").unique().to_pylist() != [student.version]:
        raise TableError("intents.parquet is of another student than artifacts/student: re-run distill")
    flat = pc.list_flatten(intents.column("probabilities").combine_chunks()).to_numpy()
    return flat.reshape(len(intents), len(student.intent_ids)), id_matrix(intents.column("intents"), student.intent_ids)


def _labelling(path: Path, sessions: pa.Table, student: Student | None) -> Labelling | None:
    if student is None or not path.exists():
        return None
    labels = read_table(path, schemas.LABELS)
    if not len(labels):
        return None
    places = pc.index_in(labels.column("session_id"), value_set=sessions.column("session_id").combine_chunks())
    if places.null_count:
        raise TableError(f"{path.name} names a session that sessions.parquet lacks: re-run taxonomy")
    rows = places.to_numpy()
    order = np.argsort(rows, kind="stable")
    models = tuple(sorted(labels.column("model").unique().to_pylist()))
    strongest = np.array([given[0] if given else NOTHING for given in labels.column("intents").to_pylist()])
    return Labelling(rows[order], score_matrix(labels, student.intent_ids)[order], models, strongest[order])


def _remade(path: Path, sessions: pa.Table) -> Remade | None:
    if not path.exists():
        return None
    said = json.loads(path.read_text(encoding="utf-8"))
    ids = pa.array(said["session_id"], pa.string())
    places = pc.index_in(ids, value_set=sessions.column("session_id").combine_chunks())
    if places.null_count:
        raise TableError(f"{path.name} names a session that sessions.parquet lacks: re-run taxonomy")
    return Remade(places.to_numpy(), [np.array(of) for of in said["strongest"]])
