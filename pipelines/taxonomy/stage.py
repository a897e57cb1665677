"""taxonomy: sessions, pages, embeddings -> artifacts/taxonomy (taxonomy.yaml, labels, second labels, report)."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import schemas
from pipelines.errors import TableError
from pipelines.params import Taxonomy
from pipelines.paths import Workspace, staged
from pipelines.tables import read_table, write_table
from pipelines.taxonomy import document, sampling
from pipelines.taxonomy.document import NOTHING_APPROVED, Document, Labels
from pipelines.taxonomy.labels import label_table, report
from pipelines.taxonomy.recording import Recording
from pipelines.taxonomy.rendering import render
from pipelines.taxonomy.sample import Sample, check_splits
from pipelines.taxonomy.teacher import Teacher, teacher

SECOND_LABELS = "second_labels.parquet"
REPORT = "report.json"


def run(workspace: Workspace, params: Taxonomy, seed: int) -> None:
    """Makes the taxonomy (or takes the approved one) and labels a sample of all splits with it.

    Raises:
        TableError: a table is missing, or no session is in the training part.
        TeacherError: the teacher, or the recording, gave nothing usable.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    recording = Recording(workspace.root / params.recording) if params.recording else None
    sample = _sample(workspace, sessions, params, seed, recording)
    asked = teacher(params, recording.replies if recording else workspace.cache / "llm")
    taxonomy = _approved(workspace, recording) or asked.propose(sample.read)
    labels, second = asked.label(sample.label, taxonomy), asked.label_again(sample.second, taxonomy)
    split_of = _split_of(sessions)
    with staged(workspace, "taxonomy") as staging:
        folder = staging.path(workspace.taxonomy)
        folder.mkdir()
        write_table(
            label_table(sample.label, labels, taxonomy, asked.model), folder / workspace.labels.name, schemas.LABELS
        )
        write_table(
            label_table(sample.second, second, taxonomy, asked.second_model), folder / SECOND_LABELS, schemas.LABELS
        )
        _write(folder / workspace.used_taxonomy.name, taxonomy.to_yaml())
        _write(folder / REPORT, report(sample, labels, second, taxonomy, asked.model, split_of))
        if not workspace.approved_taxonomy.exists():
            _write(staging.path(workspace.approved_taxonomy), NOTHING_APPROVED)
    print(_summary(taxonomy, labels, asked))


def _sample(
    workspace: Workspace, sessions: pa.Table, params: Taxonomy, seed: int, recording: Recording | None
) -> Sample:
    """The recorded sample, else one drawn now, which an empty recording keeps."""
    recorded = recording.sample(params.replay) if recording else None
    if recorded is not None:
        check_splits(recorded, _split_of(sessions))
        return recorded
    drawn = _drawn(workspace, sessions, params, seed)
    if recording:
        recording.keep(drawn)
    return drawn


def _drawn(workspace: Workspace, sessions: pa.Table, params: Taxonomy, seed: int) -> Sample:
    splits, channels = (np.asarray(sessions.column(name).to_pylist(), dtype=str) for name in ("split", "channel"))
    if not (splits == "train").any():
        raise TableError("sessions.parquet: no session is in the training part; move the dates of sessionize.split")
    quota = sampling.Quota(params.n_read, params.n_label, params.uniform_share, params.n_clusters)
    rows = sampling.draw(_embeddings(workspace, sessions), splits, channels, quota, seed)
    pages = read_table(workspace.pages, schemas.PAGES)
    second = sampling.second(rows.label, splits, seed)
    return Sample(
        *(render(sessions.take(chosen), pages, params.max_events) for chosen in (rows.read, rows.label, second))
    )


def _embeddings(workspace: Workspace, sessions: pa.Table) -> np.ndarray:
    """The embeddings (N, D) in the order of ``sessions``."""
    table = read_table(workspace.embeddings, schemas.EMBEDDINGS, ["session_id", "embedding"])
    rows = pc.index_in(sessions.column("session_id"), table.column("session_id").combine_chunks())
    if rows.null_count:
        raise TableError(f"embeddings.parquet lacks {rows.null_count} of the {len(sessions)} sessions: re-run pretrain")
    embeddings = table.column("embedding").combine_chunks().take(rows.combine_chunks())
    return np.asarray(embeddings.flatten().to_numpy(), dtype=np.float32).reshape(len(sessions), -1)


def _approved(workspace: Workspace, recording: Recording | None) -> Document | None:
    approved = document.approved(workspace.approved_taxonomy)
    return approved or (document.approved(recording.approved_taxonomy) if recording else None)


def _split_of(sessions: pa.Table) -> dict[str, str]:
    columns = (sessions.column(name).to_pylist() for name in ("session_id", "split"))
    return dict(zip(*columns, strict=True))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _summary(taxonomy: Document, labels: list[Labels], asked: Teacher) -> str:
    n_unlabelled = sum(not given for given in labels)
    return (
        f"taxonomy: {taxonomy.version}: {len(taxonomy.intents)} intents in {len(taxonomy.categories)} categories; "
        f"{len(labels):,} sessions labelled by {asked.model}, {n_unlabelled:,} of them with nothing{asked.used()}"
    )
