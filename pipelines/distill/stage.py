"""distill: embeddings and labels -> artifacts/student, artifacts/intents.parquet."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipelines import schemas
from pipelines.distill import calibration, thresholds
from pipelines.distill.examples import Examples, Intents, examples_by_split, read_intents
from pipelines.distill.training import fit
from pipelines.errors import TableError
from pipelines.params import Distill
from pipelines.paths import Workspace, staged
from pipelines.student import Card, Student
from pipelines.student.graph import onnx_bytes
from pipelines.student.labels import NAMED_FROM, embedding_matrix
from pipelines.tables import read_table, write_table


def run(workspace: Workspace, params: Distill, seed: int) -> None:
    """Trains the student on the labelled sessions, and names the intents of every session.

    Raises:
        TableError: a table is missing, or train or valid holds no labelled session.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS, ["session_id", "split"])
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    labels = read_table(workspace.labels, schemas.LABELS)
    intents = read_intents(workspace.used_taxonomy)
    examples = examples_by_split(labels, sessions, embeddings, intents)
    provenance = {"teacher": ", ".join(sorted(labels.column("model").unique().to_pylist()))}
    student = trained_student(examples, intents, _encoder_version(embeddings), provenance, params, seed)
    table = intents_table(student, embeddings)
    with staged(workspace, "distill") as staging:
        student.save(staging.path(workspace.student))
        write_table(table, staging.path(workspace.intents), schemas.INTENTS)
    _report(student, table)


def trained_student(
    examples: dict[str, Examples],
    intents: Intents,
    encoder_version: str,
    provenance: Mapping[str, object],
    params: Distill,
    seed: int,
) -> Student:
    """Returns a student trained on ``train``; its epoch, calibration and thresholds are chosen on ``valid``."""
    train, valid = examples["train"], examples["valid"]
    trained = fit(train, valid, params, seed)
    slopes, intercepts = calibration.fit(trained.valid_logits, valid.scores)
    pairs = zip(intents.names, slopes, intercepts, strict=True)
    card = Card(
        intents=intents.names,
        thresholds=(thresholds.DEFAULT,) * len(intents.names),
        abstain_below=params.abstain_below,
        taxonomy_version=intents.version,
        encoder_version=encoder_version,
        calibration={intent: {"slope": float(slope), "intercept": float(shift)} for intent, slope, shift in pairs},
        provenance={
            **provenance,
            "embedding_dim": train.embeddings.shape[1],
            "hidden_dim": params.hidden_dim,
            "n_train_sessions": len(train),
            "n_valid_sessions": len(valid),
            "best_epoch": trained.best_epoch,
            "valid_loss": trained.valid_loss,
            "seed": seed,
        },
    )
    student = Student(onnx_bytes(trained.layers.calibrated(slopes, intercepts)), card)
    chosen = thresholds.fit(student.probabilities(valid.embeddings), valid.scores >= NAMED_FROM)
    return replace(student, card=replace(card, thresholds=tuple(float(value) for value in chosen)))


def intents_table(student: Student, embeddings: pa.Table) -> pa.Table:
    """Returns schemas.INTENTS of all ``embeddings``, in their order."""
    probabilities = student.probabilities(embedding_matrix(embeddings))
    intents, abstained = student.decide(probabilities)
    n_sessions, n_intents = probabilities.shape
    offsets = pa.array(np.arange(n_sessions + 1, dtype=np.int32) * n_intents, pa.int32())
    columns = {
        "session_id": embeddings.column("session_id"),
        "intents": pa.array(intents, pa.list_(pa.string())),
        "probabilities": pa.ListArray.from_arrays(offsets, pa.array(probabilities.ravel(), pa.float32())),
        "abstained": pa.array(abstained),
        "encoder_version": embeddings.column("encoder_version"),
        "taxonomy_version": pa.repeat(student.taxonomy_version, n_sessions),
        "student_version": pa.repeat(student.version, n_sessions),
    }
    return pa.table(columns)


def _encoder_version(embeddings: pa.Table) -> str:
    versions = embeddings.column("encoder_version").unique().to_pylist()
    if len(versions) != 1:
        raise TableError(f"embeddings.parquet: {len(versions)} encoder versions, expected 1: re-run pretrain")
    return str(versions[0])


def _report(student: Student, table: pa.Table) -> None:
    trained = student.card.provenance
    n_abstained = table.column("abstained").to_numpy().sum()
    print(
        f"distill: {student.version}: {len(student.intent_ids)} intents from {trained['n_train_sessions']:,} labelled "
        f"sessions (best epoch {trained['best_epoch']}); {len(table):,} sessions decided, {n_abstained:,} abstained"
    )
