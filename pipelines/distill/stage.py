"""distill: embeddings and labels -> artifacts/student, artifacts/intents.parquet."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import schemas
from pipelines.distill import calibration, thresholds
from pipelines.distill.examples import Examples, Intents, examples_by_split, read_intents
from pipelines.distill.training import candidates
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
    """Returns a student trained on ``train``; network, epoch, calibration and thresholds are chosen on ``valid``."""
    train, valid = examples["train"], examples["valid"]
    trained = candidates(train, valid, params, seed)
    chosen = min(trained, key=lambda name: trained[name].valid_loss)
    curves = calibration.fit(trained[chosen].valid_logits, valid.scores)
    graph = onnx_bytes(trained[chosen].layers.calibrated(curves))
    card = Card(
        intents=intents.names,
        thresholds=(0.0,) * len(intents.names),
        abstain_below=0.0,
        taxonomy_version=intents.version,
        encoder_version=encoder_version,
        calibration=dict(zip(intents.names, curves, strict=True)),
        provenance={
            **provenance,
            "embedding_dim": train.embeddings.shape[1],
            "n_train_sessions": len(train),
            "n_valid_sessions": len(valid),
            "network": chosen,
            "candidates": {
                name: {"valid_loss": round(found.valid_loss, 6), **found.found} for name, found in trained.items()
            },
            "costs": params.costs.model_dump(),
            "seed": seed,
        },
    )
    probabilities = Student(graph, card).probabilities(valid.embeddings)
    cuts = thresholds.fit(probabilities, valid.scores >= NAMED_FROM, params.costs)
    by_label = tuple(float(value) for value in cuts.by_label)
    return Student(graph, replace(card, thresholds=by_label, abstain_below=cuts.abstain_below))


def intents_table(student: Student, embeddings: pa.Table) -> pa.Table:
    """Returns schemas.INTENTS of all ``embeddings``, in their order."""
    probabilities = student.probabilities(embedding_matrix(embeddings))
    intents = student.intents(probabilities)
    n_sessions, n_intents = probabilities.shape
    offsets = pa.array(np.arange(n_sessions + 1, dtype=np.int32) * n_intents, pa.int32())
    columns = {
        "session_id": embeddings.column("session_id"),
        "intents": intents,
        "probabilities": pa.ListArray.from_arrays(offsets, pa.array(probabilities.ravel(), pa.float32())),
        "abstained": pc.equal(pc.list_value_length(intents), 0),
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
    n_abstained = pc.sum(table.column("abstained")).as_py()
    losses = ", ".join(f"{name} {found['valid_loss']:.4f}" for name, found in trained["candidates"].items())
    print(
        f"distill: {student.version}: {len(student.intent_ids)} intents from {trained['n_train_sessions']:,} labelled "
        f"sessions (validation loss: {losses}); {len(table):,} sessions decided, {n_abstained:,} abstained"
    )
